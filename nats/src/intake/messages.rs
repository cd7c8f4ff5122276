//! What passes between an intake and its actor.

use actix::Message;
use subjects::{Timestamp, Unreadable};

use crate::rollback::LastRead;
use crate::trace::TraceContext;

/// Why a message was not handled. One question decides: could this very message succeed later?
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It could.
    #[error("{0}")]
    Retry(String),
    /// It never will.
    #[error("{0}")]
    Refuse(String),
}

/// One message for an actor.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Fault>")]
pub struct Delivery<M: 'static> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// What it says.
    pub message: M,
}

/// Messages for an actor that keeps its own place: contiguous, in the order of the stream.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Fault>")]
pub struct Run<M: 'static> {
    /// The messages. One that cannot be decoded is here too, so that its place is passed.
    pub messages: Vec<InOrder<M>>,
    /// How many messages were behind them.
    pub behind: u64,
}

/// One message of a [`Run`].
#[derive(Debug)]
pub struct InOrder<M> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// When it was stored.
    pub stored_at: Option<Timestamp>,
    /// What it says; it has been dead-lettered when it cannot be decoded.
    pub message: Result<M, Unreadable>,
}

/// The question for an actor that keeps its own place: what it has handled last.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<LastRead, Fault>")]
pub struct Position;

/// The actor does not answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the actor is gone")]
pub struct ActorGone;
