//! The judge of a box: the ballots that wait, and the fold of the log against which they are judged.

use std::collections::VecDeque;

use nats::Monotonic;
use subjects::{MessageId, Place};
use urna_mutation::{Mutation, is_on};

use crate::event::{Action, Logged, Report};
use crate::in_flight::{InFlightBlock, is_own, turn_away};
use crate::rules::{BlockBuilder, Fold, Verdict};
use crate::waiting::{Accepted, Outcome, Waiting};

/// The ballots that wait, and the fold of the log against which they are judged.
#[derive(Debug)]
pub(crate) struct Judge<R> {
    allow_changes: bool,
    /// The ids of the box's blocks begin with this.
    name: MessageId,
    pub fold: Fold,
    /// Handed in and not judged yet, oldest first.
    waiting: VecDeque<Waiting<R>>,
}

impl<R> Judge<R> {
    pub fn new(allow_changes: bool, name: MessageId) -> Self {
        Self { allow_changes, name, fold: Fold::default(), waiting: VecDeque::new() }
    }

    pub fn hand_in(&mut self, mut ballots: VecDeque<Waiting<R>>) {
        if self.waiting.is_empty() {
            self.waiting = ballots;
        } else {
            self.waiting.append(&mut ballots);
        }
    }

    /// How many ballots were handed in and not judged yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Folds what was read, and notes what is stored at the place of the block in flight.
    pub fn take_in(
        &mut self,
        messages: Vec<Logged>,
        mut block: Option<&mut InFlightBlock<R>>,
        actions: &mut Vec<Action<R>>,
    ) {
        let passed_over = usize::from(is_on(Mutation::PassOverBlock) && messages.len() > 1);
        for logged in messages.into_iter().skip(passed_over) {
            self.check_folded(&logged, actions);
            if let Some(block) = &mut block {
                block.note(&logged);
            }
            let Logged { sequence, message, .. } = logged;
            match message {
                Ok(message) => self.fold.take(sequence, &message),
                Err(why) => {
                    actions.push(Action::Report(Report::PassedOver { sequence, why }));
                    self.fold.pass_over(sequence);
                }
            }
        }
    }

    /// Every message is read once, so one that is folded already is an own block that was acknowledged. When it is not, the
    /// log was restored to an older state.
    fn check_folded(&self, logged: &Logged, actions: &mut Vec<Action<R>>) {
        let is_trusted = is_on(Mutation::TrustOwnFold);
        if logged.sequence <= self.fold.sequence() && !is_trusted && !is_own(&self.name, logged.id.as_deref())
        {
            actions.push(Action::Fail);
        }
    }

    /// Puts the ballots of a block that was not stored back in front, in their order: those that a voter still waits
    /// for.
    pub fn put_back(&mut self, block: InFlightBlock<R>) {
        let forgotten = usize::from(is_on(Mutation::ForgetOneWaiting));
        for (waiting, _) in block.waiting.into_iter().skip(forgotten).rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Turns the oldest away, as long as they have waited too long.
    pub fn turn_away_while(&mut self, is_late: impl Fn(Monotonic) -> bool, actions: &mut Vec<Action<R>>) {
        while let Some(late) = self.waiting.pop_front_if(|waiting| is_late(waiting.since)) {
            turn_away(late, actions);
        }
    }

    /// Judges waiting ballots in order, until the block is full. What needs no block is answered at once.
    pub fn judge(&mut self, actions: &mut Vec<Action<R>>) -> (BlockBuilder, Vec<(Waiting<R>, Verdict)>) {
        let mut builder = BlockBuilder::default();
        let mut with_block = Vec::new();
        while let Some(waiting) = self.waiting.pop_front() {
            let (answer, outcome) = match self.fold.judge(&mut builder, &waiting.ballot, self.allow_changes) {
                Verdict::NoRoom => {
                    self.waiting.push_front(waiting);
                    break;
                }
                Verdict::InLog(ballot, place) if is_on(Mutation::ForgetPlaceOfRetry) => {
                    (Ok(Accepted { ballot, place: Place { index: 0, ..place } }), Outcome::Repeated)
                }
                Verdict::InLog(ballot, place) => (Ok(Accepted { ballot, place }), Outcome::Repeated),
                Verdict::Refused(refusal) => (Err(refusal.into()), Outcome::Refused),
                verdict @ (Verdict::InBlock(..) | Verdict::RefusedByBlock(_)) => {
                    with_block.push((waiting, verdict));
                    continue;
                }
            };
            actions.push(Action::Answer { reply: waiting.reply, answer, outcome });
        }
        (builder, with_block)
    }
}
