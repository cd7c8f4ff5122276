//! The tally: counts ballots.
//!
//! - hears   [`RoundChanged`], and each round's log: [`subjects::VoteMessage`] (durable `tally`)
//! - says    [`TallyCounted`]
//! - keeps   `tally.cursor`, `tally.count`
//!
//! Promise: a ballot is counted once, however often it is delivered.
//!
//! Promise: a changed ballot moves one count down and one up, and never loses the voter.
//!
//! Promise: when a tally dies, another one takes over its rounds.

pub mod rules;
mod share;
pub mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, ArbiterHandle, AtomicResponse, Context, Handler, WrapFuture};
use metrics::{counter, gauge, histogram};
use nats::intake::{Fault, Position, Run};
use nats::{Bus, Clock, Expect, LastRead, Projection, TraceContext};
use sqlx::PgPool;
use subjects::{Heard, MessageId, RoundChanged, RoundId, Stream, TallyCounted, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use web::Check;

use crate::rules::{Scoreboard, Totals};
use crate::store::Store;

/// How often counts are announced while there is more to be counted: as often as watchers are told, unless a setting says
/// otherwise.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(100);

/// What the tally is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The connection.
    pub bus: Bus,
    /// The present moment.
    pub clock: Clock,
    /// Postgres, for the scoreboard.
    pub pool: PgPool,
    /// When to stop.
    pub stop: CancellationToken,
}

/// A running tally. Cheap to clone.
#[derive(Clone)]
pub struct Tally {
    given: Given,
    store: Arc<Store>,
    rounds: Projection<RoundId, RoundChanged>,
    arbiter: ArbiterHandle,
}

/// Counts one round.
#[derive(Clone)]
pub struct Count {
    bus: Bus,
    clock: Clock,
    store: Arc<Store>,
    rounds: Projection<RoundId, RoundChanged>,
    round: RoundId,
    /// What is committed, as far as this tally knows.
    scoreboard: Scoreboard,
    /// The end of the log, as far as it is known.
    head: u64,
    /// The sequence in TALLIES of the newest announcement.
    announced: u64,
    /// When that was.
    announced_at: Instant,
}

/// Begins to count every round that no other tally counts, with actors on `arbiter`.
pub fn start(given: Given, arbiter: ArbiterHandle) -> Tally {
    let store = Arc::new(Store::new(given.pool.clone()));
    let rounds = Projection::follow(&given.bus, &Stream::rounds(), given.stop.clone());
    let tally = Tally { given, store, rounds, arbiter };
    tally.given.bus.spawn(tally.clone().share());
    tally
}

impl Tally {
    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 2] {
        let bus = self.given.bus.clone();
        let store = Arc::clone(&self.store);
        [
            Check::new("nats", move || std::future::ready(bus.is_connected())),
            Check::new("postgres", move || {
                let store = Arc::clone(&store);
                async move { store.is_there().await }
            }),
        ]
    }
}

impl Actor for Count {
    type Context = Context<Self>;
}

impl Handler<Position> for Count {
    type Result = AtomicResponse<Self, Result<LastRead, Fault>>;

    fn handle(&mut self, _: Position, _: &mut Context<Self>) -> Self::Result {
        self.replaced_by(self.clone().resume())
    }
}

impl Handler<Run<Totals>> for Count {
    type Result = AtomicResponse<Self, Result<(), Fault>>;

    fn handle(&mut self, run: Run<Totals>, _: &mut Context<Self>) -> Self::Result {
        self.replaced_by(self.clone().count(run))
    }
}

impl Count {
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

    /// Reads what is committed and what was announced, and announces the difference: whoever counted before may
    /// have died between the two.
    async fn resume(mut self) -> (Self, Result<LastRead, Fault>) {
        let reply = self.try_resume().await;
        (self, reply)
    }

    async fn try_resume(&mut self) -> Result<LastRead, Fault> {
        // In this order: what another tally announces after this look makes the announcement below fail.
        let newest = newest_announcement(&self.bus, &self.round).await?;
        self.scoreboard =
            self.store.read(&self.round).await.map_err(|fault| Fault::Retry(fault.to_string()))?;
        self.announced = newest.sequence;
        // What was announced before a recount was put in place may be of a longer log.
        let generation = generation(&self.scoreboard);
        let of_these = newest.tally.as_ref().filter(|known| known.generation == generation);
        self.head = self.scoreboard.sequence.max(of_these.map_or(0, |known| known.head));
        self.show_ledger();
        let announcement = self.announcement();
        let is_known = newest.tally.is_some_and(|known| same(&known, &announcement));
        let is_something = self.scoreboard.sequence > 0 || generation > 0;
        if is_something && !is_known {
            self.announce(announcement, TraceContext::start()).await?;
        }
        Ok(LastRead { sequence: self.scoreboard.sequence, stored_at: self.scoreboard.stored_at })
    }

    /// Counts a run of messages: commits, then tells, unless there is more to be counted and it has told just now. What
    /// is not told because of a fault is told by [`Count::resume`], when Postgres answers again.
    async fn count(mut self, run: Run<Totals>) -> (Self, Result<(), Fault>) {
        let reply = self.try_count(run).await;
        (self, reply)
    }

    async fn try_count(&mut self, run: Run<Totals>) -> Result<(), Fault> {
        let started = Instant::now();
        let mut after = self.scoreboard.clone();
        after.count(&run.messages);
        let committed = self.store.commit(&self.round, &self.scoreboard, &after).await;
        committed.map_err(|fault| Fault::Retry(fault.to_string()))?;
        histogram!("urna_tally_batch_messages").record(run.messages.len() as f64);
        histogram!("urna_tally_batch_seconds").record(started.elapsed());
        counter!("urna_tally_ballots_total")
            .increment(after.ledger.accepted - self.scoreboard.ledger.accepted);
        self.head = after.sequence + run.behind;
        self.scoreboard = after;
        self.show_ledger();
        let Some(last) = run.messages.last() else { return Ok(()) };
        if let Some(stored_at) = last.stored_at {
            histogram!("urna_tally_lag_seconds").record(self.clock.now().since(stored_at));
        }
        let has_more = run.behind > 0 && !self.scoreboard.is_final;
        if has_more && self.announced_at.elapsed() < ANNOUNCE_EVERY {
            return Ok(());
        }
        let trace = last.trace.map_or_else(TraceContext::start, TraceContext::next);
        self.announce(self.announcement(), trace).await
    }

    fn announcement(&self) -> TallyCounted {
        announcement(&self.round, &self.scoreboard, self.clock.now(), self.head)
    }

    /// Announces the committed counts, if nobody else has announced since.
    async fn announce(&mut self, announcement: TallyCounted, trace: TraceContext) -> Result<(), Fault> {
        let expected = Expect::LastOfSubject(self.announced);
        let told = self.bus.say(&announcement, &MessageId::random(), expected, trace).await;
        debug!(trace.id = trace.trace_id(), round.id = %self.round, announcement.sequence, ?told, "counted");
        self.announced_at = Instant::now();
        self.announced =
            told.map_err(|fault| Fault::Retry(format!("failed to announce the counts: {fault}")))?;
        Ok(())
    }

    /// Metrics are read by whoever can reach them, so a round whose results are hidden has none.
    fn show_ledger(&self) {
        let round = self.rounds.get(&self.round);
        if !round.is_some_and(|newest| newest.message.round.shows_results_to_all()) {
            return;
        }
        let ledger = self.scoreboard.ledger;
        for (kind, ballots) in
            [("accepted", ledger.accepted), ("counted", ledger.counted), ("replaced", ledger.replaced)]
        {
            gauge!("urna_tally_ledger_ballots", "round" => self.round.to_string(), "kind" => kind)
                .set(ballots as f64);
        }
        for (place, sequence) in [("cursor", self.scoreboard.sequence), ("head", self.head)] {
            gauge!("urna_tally_log_sequence", "round" => self.round.to_string(), "place" => place)
                .set(sequence as f64);
        }
        let unreadable = gauge!("urna_tally_unreadable_messages", "round" => self.round.to_string());
        unreadable.set(ledger.unreadable as f64);
    }
}

/// What is told of these counts.
fn announcement(round: &RoundId, scoreboard: &Scoreboard, at: Timestamp, head: u64) -> TallyCounted {
    let Scoreboard { sequence, votes, ledger, is_final, .. } = scoreboard;
    let counts = votes.iter().map(|(option, votes)| (option.clone(), u64::try_from(*votes).unwrap_or(0)));
    TallyCounted {
        at,
        round: round.clone(),
        sequence: *sequence,
        head,
        counts: counts.collect(),
        ledger: *ledger,
        is_final: *is_final,
        generation: generation(scoreboard),
    }
}

fn generation(scoreboard: &Scoreboard) -> u64 {
    u64::try_from(scoreboard.generation).unwrap_or(0)
}

/// The newest announcement of a round in TALLIES.
struct Announced {
    sequence: u64,
    tally: Option<TallyCounted>,
}

async fn newest_announcement(bus: &Bus, round: &RoundId) -> Result<Announced, Fault> {
    let newest = bus.newest_of(&Stream::tallies().name, &TallyCounted::subject_of(round)).await;
    let Some(letter) = newest.map_err(|fault| Fault::Retry(fault.to_string()))? else {
        return Ok(Announced { sequence: 0, tally: None });
    };
    let tally = TallyCounted::hear(&letter.subject, &letter.payload).ok();
    Ok(Announced { sequence: letter.sequence, tally })
}

/// Whether two announcements say the same but for the moment.
fn same(one: &TallyCounted, other: &TallyCounted) -> bool {
    TallyCounted { at: other.at, ..one.clone() } == *other
}
