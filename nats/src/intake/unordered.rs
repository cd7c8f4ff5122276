//! The unordered intake: messages for an actor one by one. Redelivery may change their order.
//!
//! A state machine without I/O. [`Intake::each`](super::Intake::each) carries its actions out. `R` is a message as it was
//! delivered.
//!
//! Contract: it begins with the first [`Event::Wake`] and ends with [`Action::End`]. [`Action::Pause`] makes everything
//! void that was asked for before it: no event answers that any more. An event that answers nothing that was asked for
//! changes nothing.
//!
//! Promise: a message is acknowledged after the actor has done it.
//!
//! Promise: what the actor could not do is delivered again, later and later.
//!
//! Promise: what nobody can handle is dead-lettered and never delivered again.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::messages::{ActorGone, Fault};
use crate::backoff::Backoff;
use crate::clock::{Monotonic, Now};
use crate::delivered::Delivered;
use crate::interrupted::Interrupted;

/// The pauses before reading is tried again, and before a message is delivered again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<R> {
    /// The moment of a pause has come.
    Wake,
    /// The consumer is open.
    Opened,
    /// The consumer delivered messages, in the order in which they arrived.
    Delivered(Vec<Delivered<R>>),
    /// What became of the message that was handed over.
    Replied(Result<(), Fault>),
    /// The message in hand is stored in the DEAD_LETTERS stream.
    DeadLettered,
    /// Something that was asked for failed. The actor's own faults are replies.
    Failed(String),
    /// The actor does not answer any more.
    ActorGone,
    /// It is time to stop.
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<R> {
    /// Make the durable consumer, or find it as it is.
    Open,
    /// Take the next messages from the consumer, once.
    Read,
    /// Decode a message and hand it to the actor. One that cannot be decoded is replied to with [`Fault::Refuse`].
    HandOver(R),
    /// Store in the DEAD_LETTERS stream that nobody can handle a message.
    DeadLetter {
        /// The message.
        message: R,
        /// Why, for people.
        why: String,
    },
    /// Tell the server what became of a message.
    Acknowledge {
        /// The message.
        message: R,
        /// What became of it.
        outcome: Outcome,
    },
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

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The actor has done it.
    Done,
    /// It is to be delivered again after this time.
    Again(Duration),
    /// It is never to be delivered again.
    Never,
}

/// Feeds one actor.
#[derive(Clone, Debug)]
pub struct UnorderedIntake<R> {
    state: State<R>,
    backoff: Backoff,
}

#[derive(Clone, Debug)]
enum State<R> {
    Pausing {
        until: Monotonic,
    },
    Opening,
    Reading,
    /// The actor works on a message.
    Handed {
        message: Delivered<R>,
        then: Then<R>,
    },
    /// A message is on its way to the DEAD_LETTERS stream.
    DeadLettering {
        message: Delivered<R>,
        then: Then<R>,
    },
    Ended,
}

/// What follows the message in hand.
#[derive(Clone, Debug)]
enum Then<R> {
    /// These, and then those that the consumer delivers next.
    Next(VecDeque<Delivered<R>>),
    Stop,
}

type Step<R> = (State<R>, Vec<Action<R>>);

impl<R: Clone> UnorderedIntake<R> {
    /// Begins with the first [`Event::Wake`].
    pub fn new() -> Self {
        Self { state: State::Pausing { until: Monotonic::default() }, backoff: PAUSES }
    }

    /// Takes in what happened, and says what is to be done, in this order.
    pub fn on(&mut self, event: Event<R>, now: Now) -> Vec<Action<R>> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let (state, actions) = match (state, event) {
            (State::Ended, _) => (State::Ended, Vec::new()),
            (_, Event::ActorGone) => end(Err(ActorGone)),
            // What is in hand is finished first. The rest is delivered again to the next reader.
            (State::Handed { message, .. }, Event::Stop) => {
                (State::Handed { message, then: Then::Stop }, Vec::new())
            }
            (State::DeadLettering { message, .. }, Event::Stop) => {
                (State::DeadLettering { message, then: Then::Stop }, Vec::new())
            }
            (_, Event::Stop) => end(Ok(())),
            (State::Pausing { until }, Event::Wake) if now.monotonic >= until => {
                (State::Opening, vec![Action::Open])
            }
            (state @ State::Pausing { .. }, _) => (state, Vec::new()),
            (
                State::Handed { then: Then::Stop, .. } | State::DeadLettering { then: Then::Stop, .. },
                Event::Failed(_),
            ) => end(Ok(())),
            (_, Event::Failed(why)) => self.pause(Interrupted::Failed(why), now),
            (State::Opening, Event::Opened) => (State::Reading, vec![Action::Read]),
            (State::Reading, Event::Delivered(messages)) => go_on(Then::Next(messages.into())),
            (State::Handed { message, then }, Event::Replied(reply)) => self.settle(message, then, reply),
            (State::DeadLettering { message, then }, Event::DeadLettered) => {
                self.acknowledge(message.message, Outcome::Never, then)
            }
            (state, _) => (state, Vec::new()),
        };
        self.state = state;
        actions
    }

    fn settle(&mut self, message: Delivered<R>, then: Then<R>, reply: Result<(), Fault>) -> Step<R> {
        match reply {
            Ok(()) => self.acknowledge(message.message, Outcome::Done, then),
            Err(Fault::Retry(_)) => {
                let again = Outcome::Again(PAUSES.after(message.deliveries));
                self.acknowledge(message.message, again, then)
            }
            Err(Fault::Refuse(why)) => {
                let dead_letter = Action::DeadLetter { message: message.message.clone(), why };
                (State::DeadLettering { message, then }, vec![dead_letter])
            }
        }
    }

    fn acknowledge(&mut self, message: R, outcome: Outcome, then: Then<R>) -> Step<R> {
        self.backoff.reset();
        let (state, next) = go_on(then);
        let mut actions = vec![Action::Acknowledge { message, outcome }];
        actions.extend(next);
        (state, actions)
    }

    fn pause(&mut self, because: Interrupted, now: Now) -> Step<R> {
        let until = now.monotonic + self.backoff.next();
        (State::Pausing { until }, vec![Action::Pause { until, because }])
    }
}

impl<R: Clone> Default for UnorderedIntake<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// Goes on with the next message.
fn go_on<R: Clone>(then: Then<R>) -> Step<R> {
    let Then::Next(mut waiting) = then else { return end(Ok(())) };
    match waiting.pop_front() {
        None => (State::Reading, vec![Action::Read]),
        Some(message) => {
            let hand_over = Action::HandOver(message.message.clone());
            (State::Handed { message, then: Then::Next(waiting) }, vec![hand_over])
        }
    }
}

fn end<R>(outcome: Result<(), ActorGone>) -> Step<R> {
    (State::Ended, vec![Action::End(outcome)])
}
