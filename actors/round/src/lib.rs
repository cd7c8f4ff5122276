//! The round: what is being voted on, and when.
//!
//! - hears   [`RoundChanged`] (durable `round`), [`TallyCounted`]
//! - says    [`RoundChanged`], [`VoterKeyMade`], [`RoundSealed`](subjects::RoundSealed)
//! - keeps   the ROUNDS stream; a copy of it in Postgres, `round.round`
//!
//! Promise: a round is made once, however many processes make it at once.
//!
//! Promise: a round's log is there before anyone is told that it is open.
//!
//! Promise: a closed round has exactly one seal, and nothing follows it.
//!
//! Promise: after the seal nothing that is stored ties a person to a ballot.

mod closing;
mod page;
pub mod rules;
pub mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, AtomicResponse, Context, Handler, Message, ResponseFuture, WrapFuture};
use nats::intake::{Delivery, Fault, Intake};
use nats::{Bus, Clock, Expect, Latest, SayError, TraceContext, Unavailable};
use sqlx::PgPool;
use subjects::{Change, Durable, Heard, MessageId, Round, RoundChanged, Stream, VoterKey, VoterKeyMade};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use web::Check;

pub use closing::{NotClosed, close};

use crate::closing::Closing;
use crate::store::Store;

/// How long to wait before a round that could not be made is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What the round actor is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The connection.
    pub bus: Bus,
    /// The present moment.
    pub clock: Clock,
    /// Postgres, for the copy.
    pub pool: PgPool,
    /// When to stop.
    pub stop: CancellationToken,
}

/// The actor.
pub struct Rounds {
    bus: Bus,
    clock: Clock,
    store: Arc<Store>,
}

/// Makes a round that is not there yet: its key, its log, then the news of it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NotMade>")]
pub struct MakeRound(pub Round);

/// Why a round was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// There is one of this name, and it is as it is.
    #[error("there is a round {} already", .0.id)]
    Exists(Box<Round>),
    /// The bus did not do its part. Trying again is safe.
    #[error("failed to make the round: {0}")]
    Later(String),
}

/// A running round actor and the rounds in memory. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    bus: Bus,
    rounds: Latest<RoundChanged>,
    store: Arc<Store>,
    actor: Addr<Rounds>,
    /// Whether the rounds that must be there are.
    ensured: Arc<AtomicBool>,
}

/// Starts the actor on the current arbiter, and feeds it from its durable.
pub fn start(given: &Given) -> Handle {
    let rounds = Latest::follow(&given.bus, &Stream::rounds(), given.stop.clone());
    let store = Arc::new(Store::new(given.pool.clone()));
    let actor =
        Rounds { bus: given.bus.clone(), clock: given.clock.clone(), store: Arc::clone(&store) }.start();
    let intake = Intake {
        bus: given.bus.clone(),
        durable: Durable::round(),
        clock: given.clock.clone(),
        stop: given.stop.clone(),
    };
    let tallies = Latest::follow(&given.bus, &Stream::tallies(), given.stop.clone());
    let (bus, clock, stop) = (given.bus.clone(), given.clock.clone(), given.stop.clone());
    let closing = Closing { bus, clock, rounds: rounds.clone(), tallies };
    given.bus.spawn(async move { stop.run_until_cancelled(closing.keep()).await });
    given.bus.spawn(intake.each(actor.clone().recipient::<Delivery<RoundChanged>>()));
    Handle { bus: given.bus.clone(), rounds, store, actor, ensured: Arc::default() }
}

impl Handle {
    /// Makes `round` if it is not there, trying until the bus lets it.
    pub async fn ensure(&self, round: Round) {
        self.bus.declared().await;
        while !self.ensured.load(Ordering::Relaxed) {
            match self.actor.send(MakeRound(round.clone())).await {
                Ok(Ok(())) => {
                    info!(round.id = %round.id, "made the round");
                    self.ensured.store(true, Ordering::Relaxed);
                }
                Ok(Err(NotMade::Exists(there))) => {
                    if there.options != round.options || there.title != round.title {
                        warn!(
                            round.id = %round.id,
                            "the round is there with another title or other options, and keeps them"
                        );
                    }
                    self.ensured.store(true, Ordering::Relaxed);
                }
                Ok(Err(NotMade::Later(why))) => {
                    warn!(round.id = %round.id, why, "will try again");
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                Err(gone) => return error!(%gone, "the round actor is gone"),
            }
        }
    }

    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 3] {
        let (bus, rounds) = (self.bus.clone(), self.clone());
        let store = Arc::clone(&self.store);
        [
            Check::new("rounds", move || std::future::ready(rounds.is_ready())),
            Check::new("nats", move || std::future::ready(bus.is_connected())),
            Check::new("postgres", move || {
                let store = Arc::clone(&store);
                async move { store.is_there().await }
            }),
        ]
    }

    fn is_ready(&self) -> bool {
        self.rounds.is_caught_up() && self.ensured.load(Ordering::Relaxed)
    }
}

impl Actor for Rounds {
    type Context = Context<Self>;
}

impl Handler<MakeRound> for Rounds {
    type Result = AtomicResponse<Self, Result<(), NotMade>>;

    fn handle(&mut self, MakeRound(round): MakeRound, _: &mut Context<Self>) -> Self::Result {
        let (bus, clock) = (self.bus.clone(), self.clock.clone());
        AtomicResponse::new(Box::pin(async move { make(&bus, &clock, round).await }.into_actor(self)))
    }
}

impl Handler<Delivery<RoundChanged>> for Rounds {
    type Result = ResponseFuture<Result<(), Fault>>;

    fn handle(&mut self, delivery: Delivery<RoundChanged>, _: &mut Context<Self>) -> Self::Result {
        let store = Arc::clone(&self.store);
        // On the runtime that carries all traffic: a connection must not hang on an arbiter.
        let kept = self.bus.spawn(async move { store.keep(delivery.sequence, &delivery.message).await });
        Box::pin(async move {
            let kept = kept.await.map_err(|fault| Fault::Retry(fault.to_string()))?;
            kept.map_err(|fault| Fault::Retry(fault.to_string()))
        })
    }
}

/// Every step can be taken again: dying between any two leaves nothing that the next try trips over.
async fn make(bus: &Bus, clock: &Clock, round: Round) -> Result<(), NotMade> {
    if let Some(there) = find(bus, &round).await? {
        return Err(NotMade::Exists(Box::new(there)));
    }
    let trace = TraceContext::start();
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).expect("the system has random numbers");
    let key = VoterKeyMade { at: clock.now(), round: round.id.clone(), key: VoterKey::from_bytes(bits) };
    match bus.say(&key, &MessageId::random(), Expect::LastOfSubject(0), trace).await {
        // Somebody else made the key, or we did before we died. There must only ever be one.
        Ok(_) | Err(SayError::Conflict) => {}
        Err(fault) => return Err(NotMade::Later(fault.to_string())),
    }
    bus.declare(&Stream::votes(&round.id)).await?;
    let changed = RoundChanged { at: clock.now(), change: Change::Made, round };
    match bus.say(&changed, &MessageId::random(), Expect::LastOfSubject(0), trace.next()).await {
        Ok(_) => Ok(()),
        Err(fault) => Err(NotMade::Later(fault.to_string())),
    }
}

async fn find(bus: &Bus, round: &Round) -> Result<Option<Round>, NotMade> {
    let subject = RoundChanged::subject_of(&round.id);
    let Some(letter) = bus.newest_of(&Stream::rounds().name, &subject).await? else {
        return Ok(None);
    };
    let there = RoundChanged::hear(&letter.subject, &letter.payload);
    there.map(|changed| Some(changed.round)).map_err(|why| NotMade::Later(why.to_string()))
}

impl From<Unavailable> for NotMade {
    fn from(cause: Unavailable) -> Self {
        Self::Later(cause.to_string())
    }
}
