//! A process from its start to its stop.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::to;
use actix_web::{App, HttpServer};
use anyhow::Context;
use futures_util::future::join_all;
use nats::{Bus, BusSettings, Clock};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use web::Metrics;
use web::api::Document;

use crate::actors::{self, Actors, Buses, Given};
use crate::api::document;
use crate::greeting::greet;
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

/// Runs `process` until SIGTERM or SIGINT.
pub fn run(process: Process, settings: &Settings) -> anyhow::Result<()> {
    telemetry::log(&settings.logging.log, settings.logging.log_format)?;
    #[cfg(debug_assertions)]
    if let Some(folder) = settings.dev.templates()? {
        warn!(folder = %folder.display(), "development: pages and static files are read from a folder");
        web::dev::read_from(folder);
    }
    let metrics = telemetry::collect()?;
    let address = settings.http_addr(process);
    let listener = TcpListener::bind(address).with_context(|| {
        format!(
            "failed to listen on {address}; set URNA_HTTP_ADDR (or --http-addr) to an address that is free"
        )
    })?;
    // NATS, Postgres and all waiting live on a runtime of their own, which no arbiter can starve.
    let io = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("io").build()?;
    let clock = Clock::system();
    let buses = io.block_on(connect(process, settings, &clock))?;
    io.spawn(telemetry::upkeep(metrics.clone()));

    let (closing, stop) = (CancellationToken::new(), CancellationToken::new());
    let given = Given { buses, clock, closing, stop };
    let told_to_stop = io.spawn(told_to_stop());
    actix::System::new().block_on(async {
        let actors = actors::start(process, settings, &given, &io)?;
        let metrics = Metrics::new(move || metrics.render());
        let server = serve(listener, &actors, &metrics, &document(process), &given.clock)?;
        io.spawn(greet(process, actors.health.clone(), address.to_string()));
        told_to_stop.await.context("failed to wait for signals")??;
        end(&given, &server).await;
        anyhow::Ok(())
    })?;
    io.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}

/// How a process connects to NATS under this name.
pub(crate) fn bus_settings(settings: &Settings, name: &str, clock: &Clock) -> anyhow::Result<BusSettings> {
    settings.servers.bus(name, clock)
}

/// Connections to Postgres as `role` on the current runtime, made when they are needed.
pub(crate) fn postgres_pool(settings: &Settings, role: &str) -> anyhow::Result<PgPool> {
    let options = settings.servers.postgres(role)?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECTION_WITHIN);
    Ok(pool.connect_lazy_with(options))
}

fn serve(
    listener: TcpListener,
    actors: &Actors,
    metrics: &Metrics,
    document: &Arc<Document>,
    clock: &Clock,
) -> anyhow::Result<ServerHandle> {
    let (actors, metrics, document) = (actors.clone(), metrics.clone(), Arc::clone(document));
    let clock = clock.clone();
    let server = HttpServer::new(move || {
        let clock = clock.clone();
        App::new()
            .wrap(from_fn(web::guard))
            .wrap(from_fn(move |request, next| web::route_metrics(clock.clone(), request, next)))
            .configure(|config| actors.health.routes(&metrics, config))
            .configure(|config| actors.routes(config))
            .configure(|config| document.routes(actors.callers.as_ref(), config))
            .configure(web::assets::routes)
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

/// Connects to NATS once for each actor of the process: each is another user there. Every actor's streams are looked for, and
/// the actor is entered in the service registry, as soon as the server answers.
async fn connect(process: Process, settings: &Settings, clock: &Clock) -> anyhow::Result<Buses> {
    let mut buses = Buses::new();
    for actor in process.actors() {
        let bus = Bus::connect(&bus_settings(settings, actor.name(), clock)?).await?;
        tokio::spawn(introduce(bus.clone(), *actor));
        buses.push((*actor, bus));
    }
    Ok(buses)
}

async fn introduce(bus: Bus, actor: Process) {
    let (streams, buckets) = actor.needs();
    bus.check_deployed(&streams, &buckets).await;
    match bus.register(actor.name(), actor.about()).await {
        // The entry lasts as long as it is held.
        Ok(_service) => std::future::pending().await,
        Err(fault) => warn!(actor = actor.name(), %fault, "not in the service registry"),
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
async fn end(given: &Given, server: &ServerHandle) {
    given.closing.cancel();
    server.stop(true).await;
    given.stop.cancel();
    let all_finished = join_all(given.buses.iter().map(|(_, bus)| bus.finished()));
    if tokio::time::timeout(TASKS_END_WITHIN, all_finished).await.is_err() {
        warn!("stopped before every task had ended");
    }
    join_all(given.buses.iter().map(|(_, bus)| bus.flush())).await;
    info!("stopped");
}
