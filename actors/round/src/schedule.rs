//! What happens to rounds by themselves: they open and close at their time, and a closed one is sealed. Carries out what
//! each round's [`Lifecycle`] decides.

use std::collections::HashMap;
use std::time::Duration;

use nats::{Expect, Monotonic, Projection, SayError, TraceContext, Unavailable};
use subjects::{MessageId, RoundChanged, RoundId, RoundSealed, Stream, TallyCounted};
use tracing::{info, warn};

use crate::book::Book;
use crate::lifecycle::{Action, Event, LOOK_EVERY, Lifecycle, LogState};
use crate::order::Entry;

/// Opens and closes rounds whose time has come, and takes each closed round to its end.
pub(crate) struct Schedule {
    pub book: Book,
    pub rounds: Projection<RoundId, RoundChanged>,
    pub tallies: Projection<RoundId, TallyCounted>,
}

/// A round and what it was told.
struct Life {
    lifecycle: Lifecycle,
    /// The version it was told last.
    version: u64,
    /// Whether it was told that its counts are final.
    is_counted: bool,
    wake: Option<Monotonic>,
}

impl Schedule {
    /// Goes on until its future is dropped.
    pub async fn keep(self) {
        let (mut rounds, mut tallies) = (self.rounds.clone(), self.tallies.clone());
        let mut lives = HashMap::<RoundId, Life>::new();
        loop {
            for newest in self.rounds.all() {
                let id = &newest.message.round.id;
                let life = lives.entry(id.clone()).or_insert_with(|| Life::new(id));
                self.tell(id, life, newest.sequence, &newest.message).await;
            }
            let awaits_count = lives.values().any(|life| life.lifecycle.awaits_count());
            // News of a round, its time, and while one awaits them news of its counts.
            tokio::select! {
                _ = rounds.changed() => {}
                _ = tallies.changed(), if awaits_count => {}
                () = tokio::time::sleep(self.until_next(&lives)) => {}
            }
        }
    }

    /// Tells a round what is new since the last time.
    async fn tell(&self, id: &RoundId, life: &mut Life, version: u64, changed: &RoundChanged) {
        if life.lifecycle.is_done() {
            life.wake = None;
            return;
        }
        let counted = self.tallies.get(id);
        let is_final = counted.is_some_and(|newest| newest.message.is_final);
        if is_final != life.is_counted {
            life.is_counted = is_final;
            self.feed(id, life, Event::Counted { is_final }).await;
        }
        if version > life.version {
            life.version = version;
            let entry = Entry { version, round: changed.round.clone() };
            self.feed(id, life, Event::Changed(Box::new(entry))).await;
        }
        if life.wake.is_some_and(|wake| wake <= self.book.clock.monotonic()) {
            life.wake = None;
            self.feed(id, life, Event::Woke).await;
        }
    }

    /// Hands an event in and carries out all that follows from it.
    async fn feed(&self, id: &RoundId, life: &mut Life, event: Event) {
        let (trace, mut next) = (TraceContext::start(), Some(event));
        while let Some(event) = next.take() {
            for action in life.lifecycle.on(event, self.book.clock.moment()) {
                match action {
                    Action::WakeAt(moment) => life.wake = Some(moment),
                    Action::LogChanged(state) => info!(round.id = %id, ?state, "changed at its time"),
                    Action::LogNotChanged(fault) => warn!(round.id = %id, %fault, "will try again"),
                    Action::Step(step) => {
                        next = Some(Event::Answered(self.book.carry_out(id, step, trace).await));
                    }
                    Action::LookAtLog => next = Some(self.look_at_log(id).await),
                    Action::WriteSeal(seal) => next = Some(self.write_seal(&seal, trace).await),
                    Action::DestroyKey => next = Some(self.destroy_key(id).await),
                    Action::SealLog => next = Some(self.seal_log(id).await),
                }
            }
        }
    }

    /// How long nothing happens by itself.
    fn until_next(&self, lives: &HashMap<RoundId, Life>) -> Duration {
        let now = self.book.clock.monotonic();
        let next = lives.values().filter_map(|life| life.wake).min();
        next.map_or(LOOK_EVERY, |moment| moment.since(now))
    }

    async fn look_at_log(&self, id: &RoundId) -> Event {
        match self.book.bus.is_sealed(&Stream::votes(id).name).await {
            Ok(Some(true)) => Event::LogSeen(LogState::Sealed),
            Ok(Some(false)) => Event::LogSeen(LogState::Writable),
            Ok(None) => Event::LogSeen(LogState::Missing),
            Err(fault) => failed(id, &fault),
        }
    }

    async fn write_seal(&self, seal: &RoundSealed, trace: TraceContext) -> Event {
        let id = &seal.round;
        match self.book.bus.say(seal, &MessageId::random(), Expect::LastOfSubject(0), trace).await {
            Ok(sequence) => {
                info!(round.id = %id, sequence, "wrote the seal");
                Event::SealWritten
            }
            // It is there.
            Err(SayError::Conflict | SayError::Sealed) => Event::SealWritten,
            Err(fault) => {
                warn!(round.id = %id, %fault, "the seal is not written yet");
                Event::Failed
            }
        }
    }

    async fn destroy_key(&self, id: &RoundId) -> Event {
        match self.book.destroy_key(id).await {
            Ok(()) => Event::KeyDestroyed,
            Err(fault) => failed(id, &fault),
        }
    }

    async fn seal_log(&self, id: &RoundId) -> Event {
        match self.book.bus.seal(&Stream::votes(id).name).await {
            Ok(()) => {
                info!(round.id = %id, "sealed for ever");
                Event::LogSealed
            }
            Err(fault) => failed(id, &fault),
        }
    }
}

impl Life {
    fn new(id: &RoundId) -> Self {
        Self { lifecycle: Lifecycle::new(id.clone()), version: 0, is_counted: false, wake: None }
    }
}

fn failed(id: &RoundId, fault: &Unavailable) -> Event {
    warn!(round.id = %id, %fault, "will try again");
    Event::Failed
}
