//! The connection: whether the server is there, and the runtime that carries all traffic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::service::ServiceExt;
use async_nats::{Event, ServerError};
use metrics::counter;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::connection::{BusSettings, Reason, Violations, explain};
use crate::unavailable::Unavailable;

/// How long an acknowledgement or an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How often the server is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(5);
/// The longest pause between two tries to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long a process may take to hand over its last messages when it stops.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

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
    because: watch::Receiver<Option<Reason>>,
    violations: Arc<Mutex<Violations>>,
    pub(crate) name: String,
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
    /// [`Unavailable`] when the settings cannot be used.
    pub async fn connect(settings: &BusSettings) -> Result<Self, Unavailable> {
        let doing = || "connect to NATS".to_owned();
        let options = settings.options().map_err(|cause| Unavailable::new(doing(), cause))?;
        let (tell, connected) = watch::channel(false);
        let violations = Arc::default();
        let (name, clock) = (settings.name.clone(), settings.clock.clone());
        let notes = Arc::new(Notes { name, tell, violations: Arc::clone(&violations), clock });
        let client = options
            .ping_interval(PING_EVERY)
            .request_timeout(Some(ANSWER_WITHIN))
            .max_reconnects(None)
            .reconnect_delay_callback(|tries| {
                Duration::from_millis(20 * u64::try_from(tries).unwrap_or(u64::MAX).min(100))
                    .min(RECONNECT_PAUSE_MAX)
            })
            .retry_on_initial_connect()
            .event_callback(move |event| {
                let notes = Arc::clone(&notes);
                async move { notes.note(&event) }
            })
            .connect(settings.url.each())
            .await
            .map_err(|cause| Unavailable::new(doing(), cause))?;
        let (because_of, because) = watch::channel(None);
        // Not one of the tasks that are waited for at the end: it ends with the client.
        tokio::spawn(explain(settings.clone(), connected.clone(), because_of));
        let jetstream = jetstream::ContextBuilder::new().timeout(ANSWER_WITHIN).build(client.clone());
        let (replicas, clock) = (settings.replicas, settings.clock.clone());
        let (runtime, tasks) = (Handle::current(), TaskTracker::new());
        let (is_deployed, missing) = (watch::channel(false).0, watch::channel(Vec::new()).0);
        let name = settings.name.clone();
        Ok(Self {
            client,
            jetstream,
            replicas,
            clock,
            runtime,
            tasks,
            connected,
            because,
            violations,
            name,
            is_deployed,
            missing,
        })
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

    /// Why NATS cannot be used: because there is no connection, or because the server has refused something to this
    /// process's user on this connection. `None` when nothing is known against it.
    pub fn unavailable_because(&self) -> Option<Reason> {
        if !self.is_connected() {
            return Some(self.because.borrow().clone().unwrap_or(Reason::Connecting));
        }
        lock(&self.violations).reason(self.clock.monotonic())
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

/// What the client reports about the connection.
struct Notes {
    /// The bus's name.
    name: String,
    tell: watch::Sender<bool>,
    violations: Arc<Mutex<Violations>>,
    clock: Clock,
}

impl Notes {
    fn note(&self, event: &Event) {
        match event {
            Event::Connected => {
                info!(bus = self.name, "connected to NATS");
                lock(&self.violations).connected();
                self.tell.send_replace(true);
            }
            // `explain` logs the reason, unless the connection is back by then.
            Event::Disconnected => {
                debug!(bus = self.name, "disconnected from NATS");
                self.tell.send_replace(false);
            }
            Event::Closed => {
                self.tell.send_replace(false);
            }
            Event::ServerError(fault) => self.note_refusal(fault),
            Event::ClientError(fault) => debug!(%fault, "NATS connection"),
            other => info!(event = %other, "NATS connection"),
        }
    }

    /// The only place where a missing permission shows: the call itself just times out.
    fn note_refusal(&self, fault: &ServerError) {
        let Some((action, subject)) = Reason::of_refusal(fault) else {
            warn!(bus = self.name, %fault, "NATS reports an error");
            return;
        };
        counter!("urna_nats_permission_violations_total").increment(1);
        let is_new = lock(&self.violations).note(action, &subject, self.clock.monotonic());
        if is_new {
            let reason = Reason::PermissionMissing { action, subject };
            error!(bus = self.name, %reason, "NATS refused something");
        }
    }
}

fn lock(violations: &Mutex<Violations>) -> MutexGuard<'_, Violations> {
    violations.lock().unwrap_or_else(PoisonError::into_inner)
}
