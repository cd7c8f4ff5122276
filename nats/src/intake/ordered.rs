//! The ordered intake: messages for an actor that keeps its own place, contiguous and in the order of the stream.
//!
//! A state machine without I/O. [`Intake::in_order`](super::Intake::in_order) carries its actions out. `R` is a message
//! as it was delivered, `B` a batch that is decoded.
//!
//! Contract: it begins with the first [`Event::Wake`] and ends with [`Action::End`]. [`Action::Pause`] makes everything
//! void that was asked for before it: no event answers that any more. Of several [`Action::WakeAt`] the newest holds.
//! An event that answers nothing that was asked for changes nothing.
//!
//! Promise: it reads behind the position of its actor.
//!
//! Promise: a gap and a redelivery begin anew at the actor's position.
//!
//! Promise: what the actor failed to do is not acknowledged.
//!
//! Promise: an undecodable message is dead-lettered before its batch goes on.

mod pipeline;
mod steps;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::pipeline::Pipeline;
pub use self::steps::{Action, Event};
use super::messages::ActorGone;
use crate::backoff::Backoff;
use crate::clock::{Monotonic, Now};
use crate::interrupted::Interrupted;
use crate::rollback::{ByEnd, LastRead};

/// The pauses before reading is tried again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

/// Feeds one actor.
#[derive(Clone, Debug)]
pub struct OrderedIntake<R, B> {
    state: State<R, B>,
    backoff: Backoff,
}

#[derive(Clone, Debug)]
enum State<R, B> {
    Pausing {
        until: Monotonic,
    },
    /// Asked the actor for its position.
    Locating,
    /// Asked for the stream's end, to compare it with the actor's position.
    ComparingEnd(LastRead),
    /// Asked for the message at the actor's position.
    ComparingPlace(LastRead),
    Opening(LastRead),
    Feeding(Pipeline<R, B>),
    /// Told to stop while the actor works on a batch, which is acknowledged by this message.
    Finishing {
        newest: R,
    },
    Ended,
}

impl<R: Clone, B> OrderedIntake<R, B> {
    /// Begins with the first [`Event::Wake`].
    pub fn new() -> Self {
        Self { state: State::Pausing { until: Monotonic::default() }, backoff: PAUSES }
    }

    /// Takes in what happened, and says what is to be done, in this order.
    pub fn on(&mut self, event: Event<R, B>, now: Now) -> Vec<Action<R, B>> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let (state, actions) = match (state, event) {
            (State::Ended, _) => (State::Ended, Vec::new()),
            (_, Event::ActorGone) => end(Err(ActorGone)),
            (State::Finishing { newest }, event) => finish(newest, event),
            (State::Feeding(pipeline), Event::Stop) => match pipeline.into_in_hand() {
                Some(newest) => (State::Finishing { newest }, Vec::new()),
                None => end(Ok(())),
            },
            (_, Event::Stop) => end(Ok(())),
            (State::Pausing { until }, Event::Wake) if now.monotonic >= until => {
                (State::Locating, vec![Action::AskPosition])
            }
            (state @ State::Pausing { .. }, _) => (state, Vec::new()),
            (_, Event::Failed(why)) => self.pause(Interrupted::Failed(why), now),
            (State::Locating, Event::Position(read)) if read.sequence == 0 => open(read),
            (State::Locating, Event::Position(read)) => (State::ComparingEnd(read), vec![Action::AskEnd]),
            (State::ComparingEnd(read), Event::EndTold(end)) => match read.compare_end(end) {
                ByEnd::Same => open(read),
                ByEnd::ReadPlace(place) => (State::ComparingPlace(read), vec![Action::ReadPlace(place)]),
                ByEnd::RolledBack(found) => self.pause(found.into(), now),
            },
            (State::ComparingPlace(read), Event::PlaceTold(there)) => match read.compare_kept_place(there) {
                None => open(read),
                Some(found) => self.pause(found.into(), now),
            },
            (State::Opening(read), Event::Opened) => {
                self.feed(Pipeline::new(read.sequence), Event::Opened, now)
            }
            (State::Feeding(pipeline), event) => self.feed(pipeline, event, now),
            (state, _) => (state, Vec::new()),
        };
        self.state = state;
        actions
    }

    fn feed(
        &mut self,
        mut pipeline: Pipeline<R, B>,
        event: Event<R, B>,
        now: Now,
    ) -> (State<R, B>, Vec<Action<R, B>>) {
        let mut actions = Vec::new();
        match pipeline.on(event, now.monotonic, &mut actions) {
            Ok(()) => {
                if actions.iter().any(|action| matches!(action, Action::HandOver { .. })) {
                    self.backoff.reset();
                }
                (State::Feeding(pipeline), actions)
            }
            Err(because) => self.pause(because, now),
        }
    }

    fn pause(&mut self, because: Interrupted, now: Now) -> (State<R, B>, Vec<Action<R, B>>) {
        let until = now.monotonic + self.backoff.next();
        (State::Pausing { until }, vec![Action::Pause { until, because }])
    }
}

impl<R: Clone, B> Default for OrderedIntake<R, B> {
    fn default() -> Self {
        Self::new()
    }
}

fn open<R, B>(read: LastRead) -> (State<R, B>, Vec<Action<R, B>>) {
    (State::Opening(read), vec![Action::Open { next: read.sequence + 1 }])
}

/// The batch in hand is finished first. If it fails, it is delivered again to the next reader.
fn finish<R, B>(newest: R, event: Event<R, B>) -> (State<R, B>, Vec<Action<R, B>>) {
    match event {
        Event::Done => (State::Ended, vec![Action::Acknowledge(newest), Action::End(Ok(()))]),
        Event::Failed(_) => end(Ok(())),
        _ => (State::Finishing { newest }, Vec::new()),
    }
}

fn end<R, B>(outcome: Result<(), ActorGone>) -> (State<R, B>, Vec<Action<R, B>>) {
    (State::Ended, vec![Action::End(outcome)])
}
