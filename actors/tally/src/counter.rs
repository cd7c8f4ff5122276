//! The actor that counts one round: carries out what its [`Count`] decides, in Postgres and on the bus.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, WrapFuture};
use metrics::{counter, gauge, histogram};
use nats::intake::{Fault, Position, Run};
use nats::{Bus, Clock, Expect, LastRead, Projection, TraceContext, Unavailable};
use subjects::{Heard, MessageId, RoundChanged, RoundId, Stream, TallyCounted};
use tracing::debug;

use crate::announcement::NewestAnnouncement;
use crate::count::{Action, Count, Event};
use crate::rules::{Scoreboard, Totals};
use crate::store::{Store, StoreError};

/// Counts one round.
#[derive(Clone)]
pub(crate) struct Counter {
    pub bus: Bus,
    pub clock: Clock,
    pub store: Arc<Store>,
    pub rounds: Projection<RoundId, RoundChanged>,
    pub round: RoundId,
    pub count: Count,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Position> for Counter {
    type Result = AtomicResponse<Self, Result<LastRead, Fault>>;

    fn handle(&mut self, _: Position, _: &mut Context<Self>) -> Self::Result {
        let mut this = self.clone();
        self.replaced_by(async move {
            let reply = this.drive(Event::PositionAsked).await;
            (this, reply)
        })
    }
}

impl Handler<Run<Totals>> for Counter {
    type Result = AtomicResponse<Self, Result<(), Fault>>;

    fn handle(&mut self, batch: Run<Totals>, _: &mut Context<Self>) -> Self::Result {
        let mut this = self.clone();
        self.replaced_by(async move {
            let messages = batch.messages.len();
            let reply = this.drive(Event::BatchArrived(batch)).await;
            if reply.is_ok() {
                histogram!("urna_tally_batch_messages").record(messages as f64);
            }
            (this, reply.map(|_| ()))
        })
    }
}

impl Counter {
    /// Runs `work` on the runtime that carries all traffic, one at a time, and becomes what it returns.
    fn replaced_by<T: Send + 'static>(
        &self,
        work: impl Future<Output = (Self, Result<T, Fault>)> + Send + 'static,
    ) -> AtomicResponse<Self, Result<T, Fault>> {
        let work = self.bus.spawn(work).into_actor(self);
        AtomicResponse::new(Box::pin(work.map(|done, this, _| {
            // The process stops, and Postgres did not answer in time.
            let (after, reply) = done.map_err(|cut_off| Fault::Retry(cut_off.to_string()))?;
            *this = after;
            reply
        })))
    }

    /// Hands an event in and carries out what follows from it, up to the answer for the intake.
    async fn drive(&mut self, event: Event) -> Result<LastRead, Fault> {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let changes_ledger = matches!(event, Event::Committed | Event::ScoreboardRead(_));
            let actions = self.count.on(event, self.clock.moment());
            if changes_ledger {
                self.show_ledger();
            }
            for action in actions {
                next = match action {
                    Action::ReadAnnouncement => Some(self.read_announcement().await),
                    Action::ReadScoreboard => Some(self.read_scoreboard().await),
                    Action::Commit { from, to } => Some(self.commit(&from, &to).await),
                    Action::Announce { counts, expected, cause } => {
                        Some(self.announce(&counts, expected, cause).await)
                    }
                    Action::AnswerPosition(position) => return Ok(position),
                    Action::Acknowledge => return Ok(self.count.position()),
                    Action::Retry(why) => return Err(Fault::Retry(why)),
                };
            }
        }
        Err(Fault::Retry("the count expected something else".to_owned()))
    }

    async fn read_announcement(&self) -> Event {
        match newest_announcement(&self.bus, &self.round).await {
            Ok(newest) => Event::AnnouncementRead(newest),
            Err(fault) => Event::ReadFailed(fault.to_string()),
        }
    }

    async fn read_scoreboard(&self) -> Event {
        match self.store.read(&self.round).await {
            Ok(counts) => Event::ScoreboardRead(counts),
            Err(fault) => Event::ReadFailed(fault.to_string()),
        }
    }

    async fn commit(&self, from: &Scoreboard, to: &Scoreboard) -> Event {
        let started = self.clock.moment().monotonic;
        match self.store.commit(&self.round, from, to).await {
            Ok(()) => {}
            Err(StoreError::Moved) => return Event::CursorMoved,
            Err(StoreError::Away(away)) => return Event::CommitUnanswered(away.to_string()),
        }
        let now = self.clock.moment();
        histogram!("urna_tally_batch_seconds").record(now.monotonic.since(started));
        counter!("urna_tally_ballots_total").increment(to.ledger.accepted - from.ledger.accepted);
        if let Some(stored_at) = to.stored_at {
            histogram!("urna_tally_lag_seconds").record(now.wall.since(stored_at));
        }
        Event::Committed
    }

    async fn announce(&self, counts: &TallyCounted, expected: u64, cause: Option<TraceContext>) -> Event {
        let trace = cause.map_or_else(TraceContext::start, TraceContext::next);
        let expected = Expect::LastOfSubject(expected);
        let published = self.bus.say(counts, &MessageId::random(), expected, trace).await;
        debug!(trace.id = trace.trace_id(), round.id = %self.round, counts.sequence, ?published, "counted");
        match published {
            Ok(sequence) => Event::Announced(sequence),
            Err(cause) => Event::NotAnnounced(cause),
        }
    }

    /// Everybody who reaches the process reads its metrics, so a round whose results are hidden has none.
    fn show_ledger(&self) {
        let round = self.rounds.get(&self.round);
        if !round.is_some_and(|newest| newest.message.round.shows_results_to_all()) {
            return;
        }
        let (scoreboard, head) = (self.count.scoreboard(), self.count.head());
        let ledger = scoreboard.ledger;
        for (kind, ballots) in
            [("accepted", ledger.accepted), ("counted", ledger.counted), ("replaced", ledger.replaced)]
        {
            gauge!("urna_tally_ledger_ballots", "round" => self.round.to_string(), "kind" => kind)
                .set(ballots as f64);
        }
        for (place, sequence) in [("cursor", scoreboard.sequence), ("head", head)] {
            gauge!("urna_tally_log_sequence", "round" => self.round.to_string(), "place" => place)
                .set(sequence as f64);
        }
        let unreadable = gauge!("urna_tally_unreadable_messages", "round" => self.round.to_string());
        unreadable.set(ledger.unreadable as f64);
    }
}

/// The newest announcement of a round in TALLIES.
///
/// # Errors
/// [`Unavailable`] when the server does not answer.
pub(crate) async fn newest_announcement(
    bus: &Bus,
    round: &RoundId,
) -> Result<NewestAnnouncement, Unavailable> {
    let newest = bus.newest_of(&Stream::tallies().name, &TallyCounted::subject_of(round)).await?;
    Ok(newest.map_or_else(NewestAnnouncement::default, |stored| {
        let counts = TallyCounted::hear(&stored.subject, &stored.payload).ok();
        NewestAnnouncement { sequence: stored.sequence, counts }
    }))
}
