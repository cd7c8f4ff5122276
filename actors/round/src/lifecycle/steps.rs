//! What happens in the life of a round, and what is to be done about it.

use nats::Monotonic;
use subjects::{RoundSealed, RoundState};

use crate::order::{Entry, NotChanged};
use crate::writing::{Answer, Step};

/// What happens to a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A version of the round is known. An older one than was known is passed over.
    Changed(Box<Entry>),
    /// The newest counts are known: whether they are final.
    Counted {
        /// Whether the tally has passed the seal.
        is_final: bool,
    },
    /// The moment of the last [`Action::WakeAt`] has come.
    Woke,
    /// The answer to [`Action::Step`].
    Answered(Answer),
    /// The answer to [`Action::LookAtLog`].
    LogSeen(LogState),
    /// The answer to [`Action::WriteSeal`]: a seal is in the log, this one or another.
    SealWritten,
    /// The answer to [`Action::DestroyKey`].
    KeyDestroyed,
    /// The answer to [`Action::SealLog`].
    LogSealed,
    /// No answer came, or a refusal. What was asked for may be done or not.
    Failed,
}

/// What is to be done for a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A step of opening or closing it.
    Step(Step),
    /// Log that it was opened or closed at its time.
    LogChanged(RoundState),
    /// Log why it was not. Another try follows by itself.
    LogNotChanged(NotChanged),
    /// Look whether its log is there, and sealed.
    LookAtLog,
    /// Publish the seal into its log, expecting that there is none.
    WriteSeal(RoundSealed),
    /// Destroy its voter key, if there is any.
    DestroyKey,
    /// Seal its log: the server refuses every further message.
    SealLog,
    /// Hand in [`Event::Woke`] at this moment.
    WakeAt(Monotonic),
}

/// What is found where a log should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// No such stream.
    Missing,
    /// The server takes messages.
    Writable,
    /// The server refuses every further message.
    Sealed,
}
