//! The login: proves who a person is.
//!
//! - hears   [`SessionOpened`](subjects::SessionOpened)
//! - says    [`AccountRegistered`](subjects::AccountRegistered), [`AccountAuthenticated`](subjects::AccountAuthenticated),
//!   [`AccountAuthenticationFailed`](subjects::AccountAuthenticationFailed), [`AccountChanged`](subjects::AccountChanged),
//!   [`AccountPasswordChanged`](subjects::AccountPasswordChanged)
//! - keeps   `login.account`, `login.outbox`
//!
//! Promise: a password is never stored, said or logged.
//!
//! Promise: an unknown address and a wrong password cannot be told apart.
//!
//! Promise: every sign-in has a session of its own, whatever the browser brought.
//!
//! Promise: there is always an admin, however many give up the role at once.
//!
//! Promise: what was changed is said, though the bus was away at that moment.

mod accounts;
mod admin;
mod hasher;
mod openings;
mod page;
pub mod rules;
pub mod store;
mod telling;

use std::sync::Arc;

use nats::{Bus, Clock};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use web::{Check, Edge, Unavailable};

pub use admin::{NotReset, reset_admin};
pub use page::operations;

use crate::hasher::Hashing;
use crate::openings::Openings;
use crate::store::Store;

/// What the login actor is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The connection.
    pub bus: Bus,
    /// The present moment.
    pub clock: Clock,
    /// Postgres, for the accounts.
    pub pool: PgPool,
    /// Who is calling, forms, limits, tokens.
    pub edge: Edge,
    /// When to stop.
    pub stop: CancellationToken,
}

/// A running login. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    bus: Bus,
    clock: Clock,
    edge: Edge,
    store: Arc<Store>,
    hashing: Hashing,
    openings: Openings,
}

/// Starts the threads that hash passwords, within the current actix system, and begins to follow the sessions.
pub fn start(given: Given) -> Handle {
    let Given { bus, clock, pool, edge, stop } = given;
    let store = Arc::new(Store::new(pool));
    let keep_telling = telling::keep_telling(Arc::clone(&store), bus.clone());
    let openings = Openings::follow(&bus, stop.clone());
    bus.spawn(async move { stop.run_until_cancelled(keep_telling).await });
    let hashing = Hashing::start(clock.clone());
    Handle { bus, clock, edge, store, hashing, openings }
}

impl Handle {
    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 3] {
        let openings = self.openings.clone();
        let (io, store) = (self.bus.clone(), Arc::clone(&self.store));
        [
            Check::nats(&self.bus),
            Check::ready("sessions", move || std::future::ready(openings.is_following())),
            Check::new("postgres", move || {
                let store = Arc::clone(&store);
                // On the runtime that carries all traffic: a connection must not hang on an arbiter.
                let found = io.spawn(async move { store.check().await });
                async move { found.await.unwrap_or(Err(Unavailable::Other)) }
            }),
        ]
    }
}
