//! What tells who is calling, for tests that run an actor themselves.

use std::time::Duration;

use nats::Clock;
use secrecy::SecretString;
use tokio::runtime::Handle;
use web::{
    Callers, Edge, Forms, Invites, Keys, Limits, Proxies, Rates, Redis, Sessions, Voted, VoterCookies,
};

use crate::World;
use crate::world::SECRET;

/// How long an access token is good.
const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// After how long without use a session ends.
const SESSION_IDLE: Duration = Duration::from_secs(60 * 60);

impl World {
    /// What signs in every process of a world.
    pub fn keys() -> Keys {
        Keys::new(SecretString::from(SECRET), None)
    }

    /// Tells who is calling as every process of this world does, by this clock, and limits nothing.
    pub fn edge(&self, clock: &Clock) -> Edge {
        let keys = Self::keys();
        let redis = Redis::new(&SecretString::from(self.redis_url()), Handle::current());
        let redis = redis.expect("an address of redis");
        let sessions = Sessions::new(redis, SESSION_IDLE, clock.clone());
        Edge {
            cookies: VoterCookies::new(&keys, false),
            callers: Callers::new(&keys, sessions, clock.clone(), TOKEN_LIFE, false),
            forms: Forms::new(&keys),
            voted: Voted::new(&keys, false),
            invites: Invites::new(keys.clone()),
            limits: Limits::new(Rates::default(), keys, clock.clone()),
            proxies: Proxies::default(),
        }
    }
}
