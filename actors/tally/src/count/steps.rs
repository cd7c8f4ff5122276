//! What happens to a count, and what it wants done.

use std::sync::Arc;

use nats::intake::Run;
use nats::{LastRead, SayError, TraceContext};
use subjects::TallyCounted;

use crate::announcement::NewestAnnouncement;
use crate::rules::{Scoreboard, Totals};

/// What happens to a count.
#[derive(Debug)]
pub enum Event {
    /// The intake asks from where on it should deliver.
    PositionAsked,
    /// The answer to [`Action::ReadAnnouncement`].
    AnnouncementRead(NewestAnnouncement),
    /// The answer to [`Action::ReadScoreboard`].
    ScoreboardRead(Scoreboard),
    /// Neither answer came, and why.
    ReadFailed(String),
    /// Messages of the log came, in its order and without a gap behind the position. Some may be counted already.
    BatchArrived(Run<Totals>),
    /// The counts are committed.
    Committed,
    /// The cursor was elsewhere: another tally counts this round, or an operator has replaced the counts. Nothing was
    /// committed.
    CursorMoved,
    /// No answer came. The counts may be committed or not.
    CommitUnanswered(String),
    /// The counts are announced, at this sequence of TALLIES.
    Announced(u64),
    /// The counts were not announced, or the answer is missing.
    NotAnnounced(SayError),
}

/// What a count wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the newest announcement of the round.
    ReadAnnouncement,
    /// Read what is committed.
    ReadScoreboard,
    /// Commit the counts `to` and their cursor, if cursor and generation are still those of `from`.
    Commit {
        /// What was committed before.
        from: Arc<Scoreboard>,
        /// What is to be committed.
        to: Arc<Scoreboard>,
    },
    /// Publish the counts, if the newest announcement of the round is still at `expected`.
    Announce {
        /// The counts, which are committed.
        counts: Box<TallyCounted>,
        /// A sequence of TALLIES; 0 for none.
        expected: u64,
        /// What led to them, if that is known.
        cause: Option<TraceContext>,
    },
    /// Tell the intake what was counted last: it delivers what follows.
    AnswerPosition(LastRead),
    /// Tell the intake that the batch is counted.
    Acknowledge,
    /// Tell the intake that the position is unknown, or the batch not counted, and why. It asks for the position again.
    Retry(String),
}
