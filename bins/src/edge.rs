//! Puts together from the settings what tells who is calling.

use anyhow::Context;
use nats::Bus;
use web::{Callers, Edge, Forms, Invites, Limits, Redis, Sessions, Voted, VoterCookies};

use crate::actors::Given;
use crate::settings::Settings;

/// What tells who is calling, and what is let through. One for each actor: its limits count in it.
pub fn edge(settings: &Settings, redis: Redis, bus: &Bus, given: &Given) -> anyhow::Result<Edge> {
    let (http, accounts) = (&settings.http, &settings.accounts);
    let (keys, secure) = (http.keys()?, http.secure_cookies);
    let clock = &given.clock;
    let sessions = Sessions::new(redis.clone(), accounts.session_idle_timeout, clock.clone());
    let limits = Limits::new(settings.limits.rates(), keys.clone(), clock.clone());
    limits.share(redis, bus, given.stop.clone());
    Ok(Edge {
        cookies: VoterCookies::new(&keys, secure),
        callers: Callers::new(&keys, sessions, clock.clone(), accounts.access_token_ttl, secure),
        forms: Forms::new(&keys),
        voted: Voted::new(&keys, secure),
        invites: Invites::new(keys),
        limits,
        proxies: http.proxies()?,
    })
}

/// The connection to Redis, made when it is needed: a process starts without it.
pub fn redis(settings: &Settings, user: &str, io: &tokio::runtime::Runtime) -> anyhow::Result<Redis> {
    let connection = settings.servers.redis(user)?;
    Redis::with(&connection, io.handle().clone()).context("failed to use the settings of Redis")
}
