//! What happens to a tally's share of the rounds, and what it wants done.

use nats::Monotonic;
use subjects::RoundId;

/// What happens to a tally's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer to [`Action::Look`] and [`Action::Wait`]. After a wait it may come earlier, with news of a round.
    Seen {
        /// Whether NATS is there.
        connected: bool,
        /// The rounds as this tally knows them.
        rounds: Rounds,
        /// The rounds whose count has ended by itself.
        ended: Vec<RoundId>,
    },
    /// The lock session is open.
    SessionOpened,
    /// Postgres did not answer: the session and every lock are lost.
    SessionLost,
    /// The answer to [`Action::LookForReplaced`]: the rounds whose counts an operator has replaced, and how often. None
    /// when the scoreboard did not answer: the next look will tell.
    ReplacedFound(Vec<(RoundId, i64)>),
    /// The answer to [`Action::TakeLocks`]: those of the rounds whose locks are held.
    LocksHeld(Vec<RoundId>),
    /// The answer to [`Action::Check`].
    Checked {
        /// Whether the round is counted to its seal, and its final counts are announced.
        is_done: bool,
    },
}

/// What a tally wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open the lock session.
    OpenSession,
    /// Find the rounds whose counts an operator has replaced.
    LookForReplaced,
    /// Take the locks of these rounds, unless another tally holds them. Asked even for none: it keeps the session alive.
    TakeLocks(Vec<RoundId>),
    /// Find out whether a closed round is done.
    Check(RoundId),
    /// Tell what is to be seen now.
    Look,
    /// Tell what is to be seen when there is news of a round, at this moment at the latest.
    Wait(Monotonic),
    /// Begin to count a round.
    BeginCount(RoundId),
    /// Stop counting a round, once the batch in hand is committed or given up.
    EndCount(RoundId),
    /// Delete the durable of a round that is done.
    DeleteDurable(RoundId),
    /// Give the lock of a round back: Postgres has room for some thousands, for everyone together.
    ReleaseLock(RoundId),
    /// Stop every count, then close the session.
    LetGo,
}

/// The rounds that may have to be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Those that are open.
    pub open: Vec<RoundId>,
    /// Those that are closed.
    pub closed: Vec<RoundId>,
}
