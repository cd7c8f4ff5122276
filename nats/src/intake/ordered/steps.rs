//! What happens to an ordered intake, and what it does.

use super::super::messages::ActorGone;
use crate::clock::Monotonic;
use crate::delivered::Delivered;
use crate::interrupted::Interrupted;
use crate::rollback::{AtPlace, LastRead};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<R, B> {
    /// The moment of a pause or of [`Action::WakeAt`] has come.
    Wake,
    /// The actor has told what it has handled last.
    Position(LastRead),
    /// The stream's last sequence; 0 when it is empty.
    EndTold(u64),
    /// What is stored at the place that was asked for.
    PlaceTold(AtPlace),
    /// The consumer is open.
    Opened,
    /// The consumer delivered messages, in the order in which they arrived.
    Delivered(Vec<Delivered<R>>),
    /// A batch is decoded.
    Decoded {
        /// Which, as [`Action::Decode`] numbered it.
        number: u64,
        /// What is handed to the actor.
        batch: B,
        /// Messages in it that cannot be decoded, and why.
        undecodable: Vec<(R, String)>,
    },
    /// A message of the batch of this number is stored in the DEAD_LETTERS stream.
    DeadLettered(u64),
    /// The actor has done the batch that it was handed.
    Done,
    /// Something that was asked for failed, the actor's work included.
    Failed(String),
    /// The actor does not answer any more.
    ActorGone,
    /// It is time to stop.
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<R, B> {
    /// Ask the actor what it has handled last.
    AskPosition,
    /// Ask for the stream's last sequence.
    AskEnd,
    /// Read what is stored at this sequence.
    ReadPlace(u64),
    /// Make the durable consumer anew, so that it delivers this sequence next.
    Open {
        /// The sequence.
        next: u64,
    },
    /// Take the next messages from the consumer, once.
    Read,
    /// Decode a batch, on a thread that nobody else waits for.
    Decode {
        /// Names the batch; counted up while the consumer is open.
        number: u64,
        /// Its messages, contiguous and in the order of the stream.
        messages: Vec<Delivered<R>>,
    },
    /// Store in the DEAD_LETTERS stream that a message of the batch of this number cannot be decoded.
    DeadLetter {
        /// Names the batch.
        number: u64,
        /// The message.
        message: R,
        /// Why, for people.
        why: String,
    },
    /// Hand a batch to the actor.
    HandOver {
        /// The batch.
        batch: B,
        /// How many messages were behind it.
        behind: u64,
    },
    /// Acknowledge this message and all before it.
    Acknowledge(R),
    /// Wake the intake at this moment.
    WakeAt(Monotonic),
    /// Drop the consumer and everything that is under way, and wake the intake at a moment.
    Pause {
        /// The moment.
        until: Monotonic,
        /// Why.
        because: Interrupted,
    },
    /// Stop for good.
    End(Result<(), ActorGone>),
}
