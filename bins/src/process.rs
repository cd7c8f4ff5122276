//! A process from its start to its stop.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, to};
use actix_web::{App, HttpServer};
use anyhow::Context;
use nats::{Bus, BusSettings, Clock};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use subjects::Stream;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use web::{Health, Metrics};

use crate::settings::Settings;
use crate::{Process, telemetry};

/// How long requests under way may take once the process is told to stop, in seconds.
const REQUESTS_END_WITHIN: u64 = 6;
/// How long everything else may take after that.
const TASKS_END_WITHIN: Duration = Duration::from_secs(2);
/// How long a client may take to send its request.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// How many connections to Postgres each actor may have.
const CONNECTIONS: u32 = 4;
/// How long an actor waits for a connection to Postgres before it takes Postgres for away.
const CONNECTION_WITHIN: Duration = Duration::from_secs(2);
/// The pause between two tries of something that a start needs.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What actors are given.
struct Given {
    bus: Bus,
    clock: Clock,
    /// Streams to watchers end, so that the server can stop.
    closing: CancellationToken,
    /// Everything else ends.
    stop: CancellationToken,
}

/// The running actors, as the server needs them.
#[derive(Clone, Default)]
struct Actors {
    round: Option<round::Handle>,
    vote: Option<vote::Vote>,
    result: Option<result::Handle>,
    health: Health,
}

/// Runs `process` until SIGTERM or SIGINT.
pub fn run(process: Process, settings: &Settings) -> anyhow::Result<()> {
    telemetry::log(&settings.log, settings.log_format)?;
    let metrics = telemetry::collect()?;
    let address = settings.http_addr(process);
    let listener = TcpListener::bind(address).with_context(|| {
        format!(
            "failed to listen on {address}; set URNA_HTTP_ADDR (or --http-addr) to an address that is free"
        )
    })?;
    // NATS, Postgres and all waiting live on a runtime of their own, which no arbiter can starve.
    let io = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("io").build()?;
    let url = settings.nats_url.clone();
    let name = process.name().to_owned();
    let bus = io.block_on(Bus::connect(&BusSettings { url, name, replicas: settings.nats_replicas }))?;
    io.spawn(telemetry::upkeep(metrics.clone()));
    io.spawn(introduce(bus.clone(), process));

    let given = Given {
        bus,
        clock: Clock::system(),
        closing: CancellationToken::new(),
        stop: CancellationToken::new(),
    };
    let told_to_stop = io.spawn(told_to_stop());
    actix::System::new().block_on(async {
        let actors = start(process, settings, &given, &io).await?;
        let server = serve(listener, &actors, &Metrics::new(move || metrics.render()))?;
        io.spawn(greet(process, actors.health.clone(), address.to_string()));
        told_to_stop.await.context("failed to wait for signals")??;
        stop(&given, &server).await;
        anyhow::Ok(())
    })?;
    io.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}

async fn start(
    process: Process,
    settings: &Settings,
    given: &Given,
    io: &tokio::runtime::Runtime,
) -> anyhow::Result<Actors> {
    let mut actors = Actors::default();
    let (bus, clock, stop) = (given.bus.clone(), given.clock.clone(), given.stop.clone());
    if process.runs(Process::Round) {
        let demonstration = round::rules::demonstration(
            &settings.vote_title,
            &settings.vote_options,
            settings.vote_closes_at,
        )
        .context("failed to understand the demonstration round")?;
        let pool = postgres(settings, io)?;
        let round =
            round::start(&round::Given { bus: bus.clone(), clock: clock.clone(), pool, stop: stop.clone() });
        let (ensure, until) = (round.clone(), stop.clone());
        bus.spawn(async move { until.run_until_cancelled(ensure.ensure(demonstration)).await });
        round.checks().into_iter().for_each(|check| actors.health.add(check));
        actors.round = Some(round);
    }
    if process.runs(Process::Vote) {
        let (cookies, waiting_max) = (settings.cookies()?, settings.waiting_max);
        let (bus, clock, stop) = (bus.clone(), clock.clone(), stop.clone());
        let arbiter = actix::Arbiter::new().handle();
        let vote = vote::start(vote::Given { bus, clock, cookies, waiting_max, stop }, arbiter);
        vote.checks().into_iter().for_each(|check| actors.health.add(check));
        actors.vote = Some(vote);
    }
    if process.runs(Process::Tally) {
        let pool = postgres(settings, io)?;
        let (bus, clock, stop) = (bus.clone(), clock.clone(), stop.clone());
        let tally = tally::start(tally::Given { bus, clock, pool, stop }, actix::Arbiter::new().handle());
        tally.checks().into_iter().for_each(|check| actors.health.add(check));
    }
    if process.runs(Process::Result) {
        let result = result::start(result::Given { bus, closing: given.closing.clone(), stop });
        result.checks().into_iter().for_each(|check| actors.health.add(check));
        actors.result = Some(result);
    }
    Ok(actors)
}

/// Connections to Postgres, made when they are needed: a process starts without it.
fn postgres(settings: &Settings, io: &tokio::runtime::Runtime) -> anyhow::Result<PgPool> {
    let _on_io = io.enter();
    postgres_pool(settings)
}

/// The same, on the current runtime.
pub(crate) fn postgres_pool(settings: &Settings) -> anyhow::Result<PgPool> {
    let url = settings.database_url()?;
    let options: PgConnectOptions =
        url.expose_secret().parse().map_err(|_| anyhow::anyhow!("failed to understand DATABASE_URL"))?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECTION_WITHIN);
    Ok(pool.connect_lazy_with(options.application_name("urna")))
}

fn serve(listener: TcpListener, actors: &Actors, metrics: &Metrics) -> anyhow::Result<ServerHandle> {
    let (actors, metrics) = (actors.clone(), metrics.clone());
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(web::guard))
            .wrap(from_fn(web::route_metrics))
            .configure(web::assets::routes)
            .configure(|config| actors.health.routes(&metrics, config))
            .configure(|config| actors.routes(config))
            .default_service(to(web::nothing_here))
    })
    .client_request_timeout(REQUEST_WITHIN)
    .shutdown_timeout(REQUESTS_END_WITHIN)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    actix::spawn(server);
    Ok(handle)
}

impl Actors {
    fn routes(&self, config: &mut ServiceConfig) {
        if let Some(round) = &self.round {
            round.routes(config);
        }
        if let Some(vote) = &self.vote {
            vote.routes(config);
        }
        if let Some(result) = &self.result {
            result.routes(config);
        }
    }
}

/// Declares the standing streams, and enters the process in the service registry, as soon as the bus is there.
async fn introduce(bus: Bus, process: Process) {
    bus.declare_standing(&Stream::standing()).await;
    match bus.register(process.name(), process.about()).await {
        // The entry lasts as long as it is held.
        Ok(_service) => std::future::pending().await,
        Err(fault) => warn!(%fault, "this process is not in the service registry"),
    }
}

/// Says where to look once everything is there.
async fn greet(process: Process, health: Health, address: String) {
    while !health.is_ok().await {
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
    info!(address, "ready");
    if process == Process::Urna {
        let links = format!(
            "\n  Urna is open.\n\n    Vote     http://{address}/vote/{demo}\n    Results  http://{address}/result/{demo}\n    \
             Rounds   http://{address}/\n    Health   http://{address}/health\n    Metrics  http://{address}/metrics\n\n",
            demo = round::rules::DEMONSTRATION
        );
        // Nobody may be reading any more, which is no reason to stop.
        let _ = std::io::stdout().write_all(links.as_bytes());
    }
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping");
    Ok(())
}

/// Takes no more work, finishes what is in hand, and hands it over.
async fn stop(given: &Given, server: &ServerHandle) {
    given.closing.cancel();
    server.stop(true).await;
    given.stop.cancel();
    if tokio::time::timeout(TASKS_END_WITHIN, given.bus.finished()).await.is_err() {
        warn!("stopped before every task had ended");
    }
    given.bus.flush().await;
    info!("stopped");
}
