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

pub mod announcement;
pub mod count;
mod counter;
pub mod rules;
pub mod share;
mod sharing;
pub mod store;

use std::sync::Arc;

use actix::ArbiterHandle;
use nats::{Bus, Clock, Projection};
use sqlx::PgPool;
use subjects::{RoundChanged, RoundId, Stream};
use tokio_util::sync::CancellationToken;
use web::Check;

use crate::sharing::Sharing;
use crate::store::Store;

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

/// Begins to count every round that no other tally counts, with actors on `arbiter`.
pub fn start(given: Given, arbiter: ArbiterHandle) -> Tally {
    let store = Arc::new(Store::new(given.pool.clone()));
    let rounds = Projection::follow(&given.bus, &Stream::rounds(), given.stop.clone());
    let tally = Tally { given, store, rounds, arbiter };
    tally.given.bus.spawn(Sharing::new(tally.clone()).keep());
    tally
}

impl Tally {
    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 2] {
        let store = Arc::clone(&self.store);
        [
            Check::nats(&self.given.bus),
            Check::new("postgres", move || {
                let store = Arc::clone(&store);
                async move { store.check().await }
            }),
        ]
    }
}
