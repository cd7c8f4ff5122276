//! Which actors run in a process, what each of them is given, and what it adds to the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::Arbiter;
use actix_web::web::ServiceConfig;
use anyhow::Context;
use nats::{Bus, Clock};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use web::{Check, Edge, Health, Redis};

use crate::Process;
use crate::edge::{edge, redis};
use crate::greeting::tell_password;
use crate::process::postgres_pool;
use crate::settings::Settings;

/// The connection of each actor to NATS.
pub type Buses = Vec<(Process, Bus)>;

/// What actors are given.
pub struct Given {
    pub buses: Buses,
    pub clock: Clock,
    /// Streams to watchers end, so that the server can stop.
    pub closing: CancellationToken,
    /// Everything else ends.
    pub stop: CancellationToken,
}

/// The running actors, as the server needs them.
#[derive(Clone, Default)]
pub struct Actors {
    round: Option<round::Handle>,
    vote: Option<vote::Vote>,
    result: Option<result::Handle>,
    login: Option<login::Handle>,
    session: Option<session::Handle>,
    /// Who is signed in, for pages that are nobody's.
    pub callers: Option<web::Callers>,
    /// Whether this process can do its work.
    pub health: Health,
}

/// Starts actors, one after another.
struct Start<'a> {
    settings: &'a Settings,
    given: &'a Given,
    io: &'a tokio::runtime::Runtime,
    actors: Actors,
}

/// Starts the actors of `process` on the current actix system.
pub fn start(
    process: Process,
    settings: &Settings,
    given: &Given,
    io: &tokio::runtime::Runtime,
) -> anyhow::Result<Actors> {
    let mut start = Start { settings, given, io, actors: Actors::default() };
    if process.runs(Process::Tally) {
        start.tally()?;
    }
    if process == Process::Tally {
        // It has no pages, and needs neither Redis nor the secret.
        return Ok(start.actors);
    }
    if process.runs(Process::Round) {
        start.round()?;
    }
    if process.runs(Process::Vote) {
        start.vote()?;
    }
    if process.runs(Process::Result) {
        start.result()?;
    }
    if process.runs(Process::Login) {
        start.login()?;
    }
    if process.runs(Process::Session) {
        start.session()?;
    }
    Ok(start.actors)
}

impl Start<'_> {
    fn round(&mut self) -> anyhow::Result<()> {
        let demonstration = &self.settings.demonstration;
        let (title, options) = (&demonstration.demo_title, &demonstration.demo_options);
        let demonstration = round::rules::demonstration(title, options, demonstration.demo_closes_at)
            .context("failed to understand the demonstration round")?;
        let (bus, (edge, _)) = (self.bus(Process::Round), self.edge(Process::Round)?);
        let (clock, stop, pool) =
            (self.given.clock.clone(), self.given.stop.clone(), self.postgres(Process::Round)?);
        let round = round::start(&round::Given { bus: bus.clone(), clock, pool, edge, stop });
        let (ensure, until) = (round.clone(), self.given.stop.clone());
        bus.spawn(async move { until.run_until_cancelled(ensure.ensure(demonstration)).await });
        self.checks(round.checks());
        self.actors.round = Some(round);
        Ok(())
    }

    fn vote(&mut self) -> anyhow::Result<()> {
        let (bus, (edge, _)) = (self.bus(Process::Vote), self.edge(Process::Vote)?);
        let (clock, stop) = (self.given.clock.clone(), self.given.stop.clone());
        let waiting_max = self.settings.ballot_queue_max;
        let given = vote::Given { bus, clock, edge, waiting_max, stop };
        let vote = vote::start(given, Arbiter::new().handle());
        self.checks(vote.checks());
        self.actors.vote = Some(vote);
        Ok(())
    }

    fn tally(&mut self) -> anyhow::Result<()> {
        let bus = self.bus(Process::Tally);
        let (clock, stop) = (self.given.clock.clone(), self.given.stop.clone());
        let given = tally::Given { bus, clock, pool: self.postgres(Process::Tally)?, stop };
        let tally = tally::start(given, Arbiter::new().handle());
        self.checks(tally.checks());
        Ok(())
    }

    fn result(&mut self) -> anyhow::Result<()> {
        let (bus, (edge, _)) = (self.bus(Process::Result), self.edge(Process::Result)?);
        let Given { clock, closing, stop, .. } = self.given;
        let (clock, closing, stop) = (clock.clone(), closing.clone(), stop.clone());
        let event_every = self.settings.watching.event_every();
        let result = result::start(result::Given { bus, clock, edge, event_every, closing, stop });
        self.checks(result.checks());
        self.actors.result = Some(result);
        Ok(())
    }

    fn login(&mut self) -> anyhow::Result<()> {
        let (bus, (edge, _)) = (self.bus(Process::Login), self.edge(Process::Login)?);
        let (clock, stop) = (self.given.clock.clone(), self.given.stop.clone());
        let login =
            login::start(login::Given { bus, clock, pool: self.postgres(Process::Login)?, edge, stop });
        self.checks(login.checks());
        self.admin(login.clone())?;
        self.actors.login = Some(login);
        Ok(())
    }

    /// Sees to it that there is an admin, and tells the password that was made up for them.
    fn admin(&mut self, login: login::Handle) -> anyhow::Result<()> {
        let email = self.settings.accounts.admin_email.clone();
        let password = self.settings.accounts.admin_password()?;
        let (until, is_there) = (self.given.stop.clone(), Arc::new(AtomicBool::new(false)));
        let tell = Arc::clone(&is_there);
        let ensure = async move {
            if let Some(made) = login.ensure_admin(email.clone(), password).await {
                tell_password(&email, &made);
            }
            tell.store(true, Ordering::Relaxed);
        };
        self.bus(Process::Login).spawn(async move { until.run_until_cancelled(ensure).await });
        let is_there = move || std::future::ready(is_there.load(Ordering::Relaxed));
        self.actors.health.add(Check::ready("admin", is_there));
        Ok(())
    }

    fn session(&mut self) -> anyhow::Result<()> {
        let (bus, (edge, redis)) = (self.bus(Process::Session), self.edge(Process::Session)?);
        let (clock, stop) = (self.given.clock.clone(), self.given.stop.clone());
        let accounts = &self.settings.accounts;
        let (idle, longest) = (accounts.session_idle_timeout, accounts.session_max_age);
        let session = session::start(&session::Given { bus, clock, redis, edge, idle, longest, stop });
        self.checks(session.checks());
        self.actors.session = Some(session);
        Ok(())
    }

    /// The actor's own connection to NATS.
    fn bus(&self, actor: Process) -> Bus {
        let own = self.given.buses.iter().find(|(of, _)| *of == actor);
        own.map(|(_, bus)| bus.clone()).expect("every actor of a process is connected")
    }

    /// What tells who is calling, for one actor, and its own connection to Redis.
    fn edge(&mut self, actor: Process) -> anyhow::Result<(Edge, Redis)> {
        let redis = redis(self.settings, actor.name(), self.io)?;
        let edge = edge(self.settings, redis.clone(), &self.bus(actor), self.given)?;
        self.actors.callers.get_or_insert_with(|| edge.callers.clone());
        Ok((edge, redis))
    }

    /// The actor's own connections to Postgres, made when they are needed: a process starts without it.
    fn postgres(&self, actor: Process) -> anyhow::Result<PgPool> {
        let _on_io = self.io.enter();
        postgres_pool(self.settings, actor.name())
    }

    fn checks(&mut self, checks: impl IntoIterator<Item = Check>) {
        checks.into_iter().for_each(|check| self.actors.health.add(check));
    }
}

impl Actors {
    /// Adds the addresses of every actor. They are tried in this order, so that of ballots comes first.
    pub fn routes(&self, config: &mut ServiceConfig) {
        if let Some(vote) = &self.vote {
            vote.routes(config);
        }
        if let Some(round) = &self.round {
            round.routes(config);
        }
        if let Some(result) = &self.result {
            result.routes(config);
        }
        if let Some(login) = &self.login {
            login.routes(config);
        }
        if let Some(session) = &self.session {
            session.routes(config);
        }
    }
}
