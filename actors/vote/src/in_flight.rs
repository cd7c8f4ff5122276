//! A block that is being appended, and the ballots that wait for it.

use std::sync::Arc;

use nats::Monotonic;
use subjects::{BallotsCast, MessageId, Place};
use urna_mutation::{Mutation, is_on};

use crate::event::{Action, Logged};
use crate::rules::Verdict;
use crate::waiting::{Accepted, NotAccepted, Outcome, Waiting};

/// Whose message is stored where a block must be if it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The block itself.
    Own,
    /// Another message: the block was not stored there and cannot be.
    Another,
}

/// The id of a box's block: the box's name and the block's number.
pub(crate) fn id_of(name: &MessageId, number: u64) -> MessageId {
    MessageId::named(format!("{}-{number}", name.as_str()))
}

/// Whether a message with this id is a block of the box with this name.
pub(crate) fn is_own(name: &MessageId, id: Option<&str>) -> bool {
    id.and_then(|id| id.strip_prefix(name.as_str())).is_some_and(|number| number.starts_with('-'))
}

/// A block that is being appended, and the ballots that wait for it.
#[derive(Debug)]
pub(crate) struct InFlightBlock<R> {
    /// Its number: the box's first block is 1.
    pub number: u64,
    pub id: MessageId,
    pub block: Arc<BallotsCast>,
    /// The last sequence that was folded when it was judged.
    pub expected: u64,
    /// What was read of the log at its place.
    pub place: Option<Whose>,
    /// When the oldest of its ballots was cast.
    pub oldest: Monotonic,
    /// Those who wait for it: its own ballots, and those that are refused because of it.
    pub waiting: Vec<(Waiting<R>, Verdict)>,
}

impl<R> InFlightBlock<R> {
    /// The only sequence at which it can be stored.
    pub fn sequence(&self) -> u64 {
        self.expected + 1
    }

    /// Whose message this id is.
    pub fn whose(&self, id: Option<&str>) -> Whose {
        if id == Some(self.id.as_str()) || is_on(Mutation::TakeAnyMessageForOwn) {
            Whose::Own
        } else {
            Whose::Another
        }
    }

    /// Notes what was read of the log, if it is stored at the block's place.
    pub fn note(&mut self, logged: &Logged) {
        if logged.sequence == self.sequence() {
            self.place = Some(self.whose(logged.id.as_deref()));
        }
    }

    /// Answers everyone: the block is stored.
    pub fn answer_stored(&mut self, actions: &mut Vec<Action<R>>) {
        let sequence = self.sequence();
        let mut seen = 0;
        for (waiting, verdict) in self.waiting.drain(..) {
            let (answer, outcome) = match verdict {
                Verdict::InBlock(ballot, index) => {
                    let outcome = match self.block.ballots[index as usize].replaces {
                        _ if index < seen => Outcome::Repeated,
                        Some(_) => Outcome::Changed,
                        None => Outcome::Accepted,
                    };
                    seen = seen.max(index + 1);
                    let index = if is_on(Mutation::MixUpPlaces) { index + 1 } else { index };
                    (Ok(Accepted { ballot, place: Place { sequence, index } }), outcome)
                }
                Verdict::RefusedByBlock(refusal) => (Err(NotAccepted::Refused(refusal)), Outcome::Refused),
                Verdict::InLog(..) | Verdict::Refused(_) | Verdict::NoRoom => continue,
            };
            actions.push(Action::Answer { reply: waiting.reply, answer, outcome });
        }
    }

    /// Answers everyone that the log did not take the block.
    pub fn turn_away(&mut self, actions: &mut Vec<Action<R>>) {
        for (waiting, _) in self.waiting.drain(..) {
            turn_away(waiting, actions);
        }
    }

    /// From now on it is possible that a copy of the block is stored later, without anyone noticing.
    pub fn doubt(&mut self) {
        for (waiting, _) in &mut self.waiting {
            waiting.is_in_doubt = true;
        }
    }
}

/// Answers that the log cannot take a ballot now.
pub(crate) fn turn_away<R>(waiting: Waiting<R>, actions: &mut Vec<Action<R>>) {
    let (not_accepted, outcome) = waiting.turned_away();
    actions.push(Action::Answer { reply: waiting.reply, answer: Err(not_accepted), outcome });
}
