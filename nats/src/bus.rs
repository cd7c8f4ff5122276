//! The connection: whether the server is there, and the runtime that carries all traffic.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::service::ServiceExt;
use async_nats::{Event, ServerAddr};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::unavailable::Unavailable;

/// How long an acknowledgement or an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How often the server is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(5);
/// The longest pause between two tries to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long a process may take to hand over its last messages when it stops.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Where the bus is and who connects.
#[derive(Clone, Debug)]
pub struct BusSettings {
    /// One or more server addresses, separated by commas.
    pub url: String,
    /// As whom, where the server asks.
    pub credentials: Option<Credentials>,
    /// The process's name, as `nats server report connections` shows it.
    pub name: String,
    /// How many servers keep a copy of each stream: 1 on a single server, 3 in a cluster.
    pub replicas: usize,
    /// The present moment.
    pub clock: Clock,
}

/// A user of NATS.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: SecretString,
}

/// A connection to NATS JetStream. Cheap to clone; reconnects by itself.
#[derive(Clone, Debug)]
pub struct Bus {
    client: async_nats::Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) replicas: usize,
    pub(crate) clock: Clock,
    runtime: Handle,
    tasks: TaskTracker,
    connected: watch::Receiver<bool>,
    name: String,
    pub(crate) is_deployed: watch::Sender<bool>,
    pub(crate) missing: watch::Sender<Vec<String>>,
}

/// A process's entry in the service registry (`nats micro ls`); gone when dropped.
#[derive(Debug)]
pub struct Service(
    #[expect(dead_code, reason = "held for as long as the process runs")] async_nats::service::Service,
);

impl Bus {
    /// Begins to connect, and tries until the server is there.
    ///
    /// Call it on the runtime that is to carry all traffic: it must outlive every arbiter.
    ///
    /// # Errors
    /// [`Unavailable`] when the address cannot be understood.
    pub async fn connect(settings: &BusSettings) -> Result<Self, Unavailable> {
        let doing = || "connect to NATS".to_owned();
        let addresses: Result<Vec<ServerAddr>, _> =
            settings.url.split(',').map(|address| address.trim().parse()).collect();
        let addresses = addresses.map_err(|cause| Unavailable::new(doing(), cause))?;
        let (tell, connected) = watch::channel(false);
        let tell = Arc::new(tell);
        let options = match &settings.credentials {
            Some(Credentials { user, password }) => async_nats::ConnectOptions::with_user_and_password(
                user.clone(),
                password.expose_secret().to_owned(),
            ),
            None => async_nats::ConnectOptions::new(),
        };
        let client = options
            .name(&settings.name)
            .ping_interval(PING_EVERY)
            .request_timeout(Some(ANSWER_WITHIN))
            .max_reconnects(None)
            .reconnect_delay_callback(|tries| {
                Duration::from_millis(20 * u64::try_from(tries).unwrap_or(u64::MAX).min(100))
                    .min(RECONNECT_PAUSE_MAX)
            })
            .retry_on_initial_connect()
            .event_callback(move |event| {
                let tell = Arc::clone(&tell);
                async move { note(&event, &tell) }
            })
            .connect(addresses)
            .await
            .map_err(|cause| Unavailable::new(doing(), cause))?;
        let jetstream = jetstream::ContextBuilder::new().timeout(ANSWER_WITHIN).build(client.clone());
        let (replicas, clock) = (settings.replicas, settings.clock.clone());
        let (runtime, tasks) = (Handle::current(), TaskTracker::new());
        let (is_deployed, missing) = (watch::channel(false).0, watch::channel(Vec::new()).0);
        let name = settings.name.clone();
        Ok(Self { client, jetstream, replicas, clock, runtime, tasks, connected, name, is_deployed, missing })
    }

    /// A name for a consumer that only this reader knows: so nobody can take its messages away.
    pub(crate) fn consumer_name(&self) -> String {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the system has random numbers");
        format!("{}-{:032x}", self.name, u128::from_be_bytes(bits))
    }

    /// Whether the server is there right now, as far as this process knows.
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Waits until the server is there.
    pub async fn wait_until_connected(&self) {
        // The client, which this bus holds, holds the sending end.
        let _ = self.connected.clone().wait_for(|is_connected| *is_connected).await;
    }

    /// Whether the server is there, to wait for a change of it.
    pub(crate) fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Runs a task on the runtime that carries all traffic, whoever calls.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn_on(task, &self.runtime)
    }

    /// Runs work that keeps a core busy, on a thread that nobody else waits for.
    pub(crate) fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn_blocking_on(work, &self.runtime)
    }

    /// Waits until every task that was begun here has ended.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Enters this process in the service registry, as `nats micro ls` shows it.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn register(&self, name: &str, description: &str) -> Result<Service, Unavailable> {
        let builder = self.client.service_builder().description(description);
        let service = builder.start(name, env!("CARGO_PKG_VERSION")).await;
        service.map(Service).map_err(|cause| Unavailable::new(format!("register the service {name}"), cause))
    }

    /// Hands over everything that was said and acknowledged, before the process ends.
    pub async fn flush(&self) {
        if tokio::time::timeout(FLUSH_WITHIN, self.client.flush()).await.is_err() {
            warn!("stopped before everything was handed to NATS");
        }
    }
}

fn note(event: &Event, tell: &watch::Sender<bool>) {
    match event {
        Event::Connected => {
            info!("connected to NATS");
            tell.send_replace(true);
        }
        Event::Disconnected => {
            warn!("NATS is away");
            tell.send_replace(false);
        }
        Event::Closed => {
            tell.send_replace(false);
        }
        // The only place where a missing permission shows: the call itself just times out.
        Event::ServerError(fault) => error!(%fault, "NATS refused something"),
        Event::ClientError(fault) => debug!(%fault, "NATS connection"),
        other => info!(event = %other, "NATS connection"),
    }
}
