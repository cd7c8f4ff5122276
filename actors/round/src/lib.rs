//! The round: what is being voted on, and when.
//!
//! - hears   [`RoundChanged`] (durable `round`), [`TallyCounted`]
//! - says    [`RoundChanged`], [`VoterKeyCreated`](subjects::VoterKeyCreated), [`RoundSealed`](subjects::RoundSealed)
//! - keeps   the ROUNDS stream; a copy of it in Postgres, `round.round`
//!
//! Promise: a round is made once, however many processes make it at once.
//!
//! Promise: a round's log is there before anyone is told that it is open.
//!
//! Promise: two organisers who edit at once do not overwrite each other.
//!
//! Promise: a closed round has exactly one seal, and nothing follows it.
//!
//! Promise: after the seal nothing that is stored ties a person to a ballot.

mod album;
mod book;
pub mod changing;
pub mod lifecycle;
pub mod making;
mod order;
mod page;
mod picture;
pub mod rules;
#[cfg(test)]
mod sample;
mod schedule;
pub mod store;
pub mod writing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture};
use nats::intake::{Delivery, Fault, Intake};
use nats::{Bus, Clock, Projection};
use sqlx::PgPool;
use subjects::{Durable, Round, RoundChanged, RoundId, Stream, TallyCounted};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use web::{Check, Edge};

pub use book::close;
pub use order::{Entry, NotChanged, NotMade, Order};
pub use page::operations;

use crate::album::Album;
use crate::book::Book;
use crate::schedule::Schedule;
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
    /// Who is calling.
    pub edge: Edge,
    /// When to stop.
    pub stop: CancellationToken,
}

/// The actor.
pub struct Rounds {
    book: Book,
    store: Arc<Store>,
}

/// Makes a round that is not there yet: its key and its log, if it is open, then the news of it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Entry, NotMade>")]
pub struct MakeRound(pub Round);

/// Changes a round that is there.
#[derive(Debug, Message)]
#[rtype(result = "Result<Entry, NotChanged>")]
pub struct ChangeRound {
    /// Which.
    pub id: RoundId,
    /// How, and who wants it.
    pub order: Order,
}

/// A running round actor and the rounds in memory. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    bus: Bus,
    clock: Clock,
    edge: Edge,
    rounds: Projection<RoundId, RoundChanged>,
    tallies: Projection<RoundId, TallyCounted>,
    store: Arc<Store>,
    actor: Addr<Rounds>,
    album: Album,
    /// Whether the rounds that must be there are.
    ensured: Arc<AtomicBool>,
}

/// Starts the actor on the current arbiter, and feeds it from its durable.
pub fn start(given: &Given) -> Handle {
    let (bus, clock, stop) = (given.bus.clone(), given.clock.clone(), given.stop.clone());
    let rounds = Projection::follow(&bus, &Stream::rounds(), stop.clone());
    let tallies = Projection::follow(&bus, &Stream::tallies(), stop.clone());
    let store = Arc::new(Store::new(given.pool.clone()));
    let book = Book { bus: bus.clone(), clock: clock.clone() };
    let actor = Rounds { book: book.clone(), store: Arc::clone(&store) }.start();
    let durable = Durable::round();
    let intake = Intake { bus: bus.clone(), durable, clock: clock.clone(), stop: stop.clone() };
    bus.spawn(intake.each(actor.clone().recipient::<Delivery<RoundChanged>>()));
    let album = Album::new(bus.clone());
    let tidy = album.clone().keep_tidy(rounds.clone(), clock.clone());
    let until = stop.clone();
    bus.spawn(async move { until.run_until_cancelled(tidy).await });
    let schedule = Schedule { book, rounds: rounds.clone(), tallies: tallies.clone() };
    bus.spawn(async move { stop.run_until_cancelled(schedule.keep()).await });
    let edge = given.edge.clone();
    Handle { bus, clock, edge, rounds, tallies, store, actor, album, ensured: Arc::default() }
}

impl Handle {
    /// Makes `round` if it is not there, trying until the bus lets it.
    pub async fn ensure(&self, round: Round) {
        self.bus.deployed().await;
        while !self.ensured.load(Ordering::Relaxed) {
            match self.actor.send(MakeRound(round.clone())).await {
                Ok(Ok(_)) => {
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
                Ok(Err(why @ (NotMade::Later(_) | NotMade::Unconfirmed))) => {
                    warn!(round.id = %round.id, %why, "will try again");
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                Err(gone) => return error!(%gone, "the round actor is gone"),
            }
        }
    }

    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 3] {
        let rounds = self.clone();
        let store = Arc::clone(&self.store);
        [
            Check::ready("rounds", move || std::future::ready(rounds.is_ready())),
            Check::nats(&self.bus),
            Check::new("postgres", move || {
                let store = Arc::clone(&store);
                async move { store.check().await }
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

// Work that waits for the bus or for Postgres runs on the runtime that carries all traffic.

impl Handler<MakeRound> for Rounds {
    type Result = ResponseFuture<Result<Entry, NotMade>>;

    fn handle(&mut self, MakeRound(round): MakeRound, _: &mut Context<Self>) -> Self::Result {
        let book = self.book.clone();
        let made = self.book.bus.spawn(async move { book.make(round).await });
        Box::pin(async move { made.await.unwrap_or_else(|ended| Err(NotMade::Later(ended.to_string()))) })
    }
}

impl Handler<ChangeRound> for Rounds {
    type Result = ResponseFuture<Result<Entry, NotChanged>>;

    fn handle(&mut self, ChangeRound { id, order }: ChangeRound, _: &mut Context<Self>) -> Self::Result {
        let book = self.book.clone();
        let changed = self.book.bus.spawn(async move { book.change(&id, order).await });
        Box::pin(
            async move { changed.await.unwrap_or_else(|ended| Err(NotChanged::Later(ended.to_string()))) },
        )
    }
}

impl Handler<Delivery<RoundChanged>> for Rounds {
    type Result = ResponseFuture<Result<(), Fault>>;

    fn handle(&mut self, delivery: Delivery<RoundChanged>, _: &mut Context<Self>) -> Self::Result {
        let store = Arc::clone(&self.store);
        let kept = self.book.bus.spawn(async move { store.keep(delivery.sequence, &delivery.message).await });
        Box::pin(async move {
            let kept = kept.await.map_err(|fault| Fault::Retry(fault.to_string()))?;
            kept.map_err(|fault| Fault::Retry(fault.to_string()))
        })
    }
}
