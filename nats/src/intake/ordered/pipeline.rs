//! The way of messages from an open consumer to the actor: while the actor works on a batch, the next ones are decoded
//! and those behind them read.

use std::collections::VecDeque;

use urna_mutation::{Mutation, is_on};

use super::super::batching::{Batching, Closed, batch_every};
use super::steps::{Action, Event};
use crate::clock::Monotonic;
use crate::delivered::Delivered;
use crate::interrupted::Interrupted;

/// How many batches may wait for the actor while the next is filled.
const AHEAD_MAX: usize = 2;

/// What is under way between an open consumer and the actor.
#[derive(Clone, Debug)]
pub(super) struct Pipeline<R, B> {
    /// The last sequence that was taken in.
    last: u64,
    batching: Batching<R>,
    /// Whether messages that were asked for have not arrived yet.
    is_reading: bool,
    fill_next: FillNext,
    /// The number of the next batch.
    number: u64,
    /// Batches that the actor has not been handed, oldest first.
    queue: VecDeque<Queued<R, B>>,
    /// The newest message of the batch on which the actor works.
    in_hand: Option<R>,
}

/// When the next batch is filled.
#[derive(Clone, Copy, Debug)]
enum FillNext {
    /// While others are decoded: there is much to be read.
    Ahead,
    /// Once the actor has been handed all others: the more messages there will be by then.
    OnceHandedOver,
    /// Once the actor has done all others, and not before this moment: nothing more was there.
    OnceDone { not_before: Monotonic },
}

#[derive(Clone, Debug)]
struct Queued<R, B> {
    number: u64,
    newest: R,
    /// How many messages are behind it.
    behind: u64,
    stage: Stage<R, B>,
}

#[derive(Clone, Debug)]
enum Stage<R, B> {
    Decoding,
    /// Its undecodable messages are stored in the DEAD_LETTERS stream, one after the other. These wait for their turn.
    DeadLettering {
        batch: B,
        waiting: VecDeque<(R, String)>,
    },
    Ready(B),
}

impl<R: Clone, B> Pipeline<R, B> {
    /// Behind the message at `last`.
    pub fn new(last: u64) -> Self {
        Self {
            last,
            batching: Batching::new(),
            is_reading: false,
            fill_next: FillNext::Ahead,
            number: 0,
            queue: VecDeque::new(),
            in_hand: None,
        }
    }

    /// The newest message of the batch on which the actor works. Everything else is dropped.
    pub fn into_in_hand(self) -> Option<R> {
        self.in_hand
    }

    /// # Errors
    /// [`Interrupted`] when everything must begin anew at the actor's position.
    pub fn on(
        &mut self,
        event: Event<R, B>,
        now: Monotonic,
        actions: &mut Vec<Action<R, B>>,
    ) -> Result<(), Interrupted> {
        match event {
            Event::Delivered(messages) => self.add(messages)?,
            Event::Decoded { number, batch, undecodable } => {
                self.dead_letter(number, batch, undecodable.into(), actions);
            }
            Event::DeadLettered(number) => self.dead_letter_next(number, actions),
            Event::Done => actions.extend(self.in_hand.take().map(Action::Acknowledge)),
            Event::Opened | Event::Wake => {}
            // The rest answers nothing that a pipeline asks for.
            _ => return Ok(()),
        }
        self.hand_over(actions);
        self.fill(now, actions);
        Ok(())
    }

    /// Takes in messages if they are contiguous with those before: order is never guessed.
    fn add(&mut self, messages: Vec<Delivered<R>>) -> Result<(), Interrupted> {
        for message in &messages {
            let (expected, came) = (self.last + 1, message.sequence);
            if came != expected && !is_on(Mutation::FeedOverGaps) {
                return Err(Interrupted::OutOfOrder { expected, came });
            }
            self.last = came;
        }
        self.is_reading = false;
        self.batching.add(messages);
        Ok(())
    }

    fn dead_letter_next(&mut self, number: u64, actions: &mut Vec<Action<R, B>>) {
        let Some(queued) = self.queue.iter_mut().find(|queued| queued.number == number) else { return };
        match std::mem::replace(&mut queued.stage, Stage::Decoding) {
            Stage::DeadLettering { batch, waiting } => self.dead_letter(number, batch, waiting, actions),
            other => queued.stage = other,
        }
    }

    /// Dead-letters the first of these; when there is none, the batch is ready.
    fn dead_letter(
        &mut self,
        number: u64,
        batch: B,
        mut waiting: VecDeque<(R, String)>,
        actions: &mut Vec<Action<R, B>>,
    ) {
        let Some(queued) = self.queue.iter_mut().find(|queued| queued.number == number) else { return };
        if is_on(Mutation::ForgetDeadLetters) {
            waiting.clear();
        }
        queued.stage = match waiting.pop_front() {
            None => Stage::Ready(batch),
            Some((message, why)) => {
                actions.push(Action::DeadLetter { number, message, why });
                Stage::DeadLettering { batch, waiting }
            }
        };
    }

    /// Hands the oldest batch to the actor, once it has done the one before.
    fn hand_over(&mut self, actions: &mut Vec<Action<R, B>>) {
        if self.in_hand.is_some() {
            return;
        }
        let is_ready = |queued: &mut Queued<R, B>| matches!(queued.stage, Stage::Ready(_));
        if let Some(Queued { newest, behind, stage: Stage::Ready(batch), .. }) =
            self.queue.pop_front_if(is_ready)
        {
            actions.push(Action::HandOver { batch, behind });
            self.in_hand = Some(newest);
        }
    }

    /// Fills the next batch, or says what it waits for.
    fn fill(&mut self, now: Monotonic, actions: &mut Vec<Action<R, B>>) {
        while self.may_fill(now) {
            if let Some(batch) = self.batching.next(now) {
                self.close(batch, now, actions);
                continue;
            }
            if !std::mem::replace(&mut self.is_reading, true) {
                actions.push(Action::Read);
            }
            return actions.extend(self.batching.waits_until().map(Action::WakeAt));
        }
        if let FillNext::OnceDone { not_before } = self.fill_next
            && self.is_idle()
        {
            actions.push(Action::WakeAt(not_before));
        }
    }

    fn may_fill(&self, now: Monotonic) -> bool {
        match self.fill_next {
            FillNext::Ahead => self.queue.len() <= AHEAD_MAX,
            FillNext::OnceHandedOver => self.queue.is_empty(),
            FillNext::OnceDone { not_before } => self.is_idle() && now >= not_before,
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_hand.is_none()
    }

    fn close(&mut self, batch: Closed<R>, now: Monotonic, actions: &mut Vec<Action<R, B>>) {
        let Closed { messages, bytes, is_full } = batch;
        let newest = messages.last().expect("a batch has a message");
        let (behind, newest) = (newest.behind, newest.message.clone());
        self.fill_next = match behind {
            0 => FillNext::OnceDone { not_before: now + batch_every(bytes) },
            _ if is_full => FillNext::Ahead,
            _ => FillNext::OnceHandedOver,
        };
        let number = self.number;
        self.number += 1;
        self.queue.push_back(Queued { number, newest, behind, stage: Stage::Decoding });
        actions.push(Action::Decode { number, messages });
    }
}
