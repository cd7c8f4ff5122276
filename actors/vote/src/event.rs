//! What happens to a ballot box, and what the box wants done: the whole interface between the machine and its shell.

use std::sync::Arc;

use nats::Monotonic;
use subjects::{BallotsCast, MessageId, Unreadable, VoteMessage};

use crate::waiting::{Accepted, NotAccepted, Outcome};

/// What happens to a ballot box.
#[derive(Debug)]
pub enum Event {
    /// Ballots were handed in.
    BallotsWait,
    /// Messages of the log were read, in order and without a gap. The box's own blocks may be missing once it has folded
    /// them.
    LogRead(Read),
    /// Reading was interrupted. Until the next messages are read, nobody knows whether the log still holds what was folded.
    ReadingInterrupted,
    /// The answer to [`Action::Append`].
    Appended {
        /// The block's number.
        block: u64,
        /// What the log answered.
        outcome: Appended,
    },
    /// The answer to [`Action::ReadPlace`].
    PlaceRead {
        /// The block's number.
        block: u64,
        /// What was found there.
        found: PlaceRead,
    },
    /// The answer to [`Action::AskEnd`].
    EndTold {
        /// The block's number.
        block: u64,
        /// The last sequence of the log; `None` when the server did not answer.
        end: Option<u64>,
    },
    /// Time has passed. Comes at the moments of [`Action::WakeAt`], and every
    /// [`WAKE_EVERY`](crate::ballot_box::WAKE_EVERY).
    Wake,
}

/// What a ballot box wants done.
#[derive(Debug)]
pub enum Action<R> {
    /// Answer a voter.
    Answer {
        /// What the answer is sent with.
        reply: R,
        /// The answer.
        answer: Result<Accepted, NotAccepted>,
        /// What metrics count it as.
        outcome: Outcome,
    },
    /// Append a block, if `expected` is the last sequence of the log; answered by [`Event::Appended`].
    Append {
        /// Its number, for the answer.
        block: u64,
        /// Its message id, which no other message has.
        id: MessageId,
        /// The block.
        ballots: Arc<BallotsCast>,
        /// The last sequence that was folded.
        expected: u64,
    },
    /// Read the message at a sequence from the log's leader; answered by [`Event::PlaceRead`].
    ReadPlace {
        /// The block's number, for the answer.
        block: u64,
        /// Where to read.
        sequence: u64,
    },
    /// Ask for the last sequence of the log; answered by [`Event::EndTold`].
    AskEnd {
        /// The block's number, for the answer.
        block: u64,
    },
    /// Send [`Event::Wake`] at this moment.
    WakeAt(Monotonic),
    /// Tell the operator.
    Report(Report),
    /// The seal is in the log and everyone was answered: the box has nothing left to do but to answer late voters.
    Stop,
    /// The log has lost messages that were folded: end the process, so that the next one folds what there is.
    Fail,
}

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Another box wrote first.
    Conflict,
    /// Voters were told that a block is not confirmed.
    Unconfirmed,
    /// The log refused a block, for this reason.
    Refused(String),
    /// A message of the log cannot be decoded.
    PassedOver {
        /// Its sequence.
        sequence: u64,
        /// Why.
        why: Unreadable,
    },
}

/// What the log answered to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is stored at this sequence.
    Stored(u64),
    /// Something else is stored where it should have gone, or a first copy of itself.
    Conflict,
    /// The stream is sealed: the seal is stored where it should have gone, or a first copy of itself is.
    Sealed,
    /// No answer came: it may be stored or not.
    Unanswered,
    /// Nobody received it: it is not stored.
    Away,
    /// It is not stored and cannot be.
    Refused(String),
}

/// What was found where a block must be if it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceRead {
    /// No message.
    Nothing,
    /// A message with this id, if it has one.
    Message(Option<String>),
    /// The server did not answer.
    Unavailable,
}

/// Messages of the log, in order.
#[derive(Debug)]
pub struct Read {
    /// The messages; one that cannot be decoded is here too, so that its place is passed.
    pub messages: Vec<Logged>,
    /// The last sequence that was read, now or before, own blocks included.
    pub read_to: u64,
    /// Whether nothing was stored behind them.
    pub at_end: bool,
}

/// A message of the log.
#[derive(Debug)]
pub struct Logged {
    /// Its sequence.
    pub sequence: u64,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its content.
    pub message: Result<VoteMessage, Unreadable>,
}
