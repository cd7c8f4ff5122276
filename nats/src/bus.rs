//! The connection: say a message, look one up, know whether anybody listens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::{GetStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind, RawMessageErrorKind, Stream};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::service::ServiceExt;
use async_nats::{Event, ServerAddr};
use metrics::{counter, histogram};
use secrecy::{ExposeSecret, SecretString};
use subjects::{MessageId, Said};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::{Letter, TraceContext, trace};

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
    runtime: Handle,
    tasks: TaskTracker,
    connected: watch::Receiver<bool>,
    pub(crate) declared: watch::Sender<bool>,
}

/// What the log must look like for a message to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Nothing,
    /// This is the stream's last sequence.
    LastOfStream(u64),
    /// This is the last sequence of the message's own subject; 0 when it has none.
    LastOfSubject(u64),
}

/// Why a message was not said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// Nobody was there to receive it: it is not stored. Try again later.
    #[error("the bus is away")]
    Away,
    /// The expectation did not hold: it is not stored. Read on and decide again.
    #[error("somebody else wrote first")]
    Conflict,
    /// The stream takes no more messages, and never will: it is not stored.
    #[error("the stream is sealed")]
    Sealed,
    /// No answer came: it may be stored or not. Look it up by its id.
    #[error("no acknowledgement came")]
    Unanswered,
    /// The server refused it: it is not stored.
    #[error("the server refused it: {0}")]
    Refused(String),
}

/// A question to the server that got no usable answer. It can be asked again.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}: {cause}")]
pub struct Unavailable {
    doing: String,
    cause: String,
}

impl Unavailable {
    pub(crate) fn new(doing: impl Into<String>, cause: impl std::fmt::Display) -> Self {
        Self { doing: doing.into(), cause: cause.to_string() }
    }
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
        let (replicas, runtime, tasks) = (settings.replicas, Handle::current(), TaskTracker::new());
        let (declared, _) = watch::channel(false);
        Ok(Self { client, jetstream, replicas, runtime, tasks, connected, declared })
    }

    /// Whether the server is there right now, as far as this process knows.
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
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

    /// Says `message` and waits until it is stored. Returns its sequence.
    ///
    /// Saying the same `id` again within the stream's duplicate window stores nothing new.
    ///
    /// # Errors
    /// [`SayError`]; only after [`SayError::Unanswered`] may the message be stored all the same.
    pub async fn say<M: Said>(
        &self,
        message: &M,
        id: &MessageId,
        expect: Expect,
        trace: TraceContext,
    ) -> Result<u64, SayError> {
        let started = Instant::now();
        let outcome = self.publish(message, id, expect, trace).await;
        histogram!("urna_nats_publish_seconds", "message" => M::KIND).record(started.elapsed());
        let told = match &outcome {
            Ok(_) => "stored",
            Err(SayError::Away) => "away",
            Err(SayError::Conflict) => "conflict",
            Err(SayError::Sealed) => "sealed",
            Err(SayError::Unanswered) => "unanswered",
            Err(SayError::Refused(_)) => "refused",
        };
        counter!("urna_nats_published_total", "message" => M::KIND, "outcome" => told).increment(1);
        outcome
    }

    async fn publish<M: Said>(
        &self,
        message: &M,
        id: &MessageId,
        expect: Expect,
        trace: TraceContext,
    ) -> Result<u64, SayError> {
        // While the connection is down the client would keep the message and send it later, long after
        // whoever said it was told that it is not stored.
        if !self.is_connected() {
            return Err(SayError::Away);
        }
        let payload = serde_json::to_vec(message).map_err(|fault| SayError::Refused(fault.to_string()))?;
        let mut publish = PublishMessage::build()
            .payload(payload.into())
            .message_id(id.as_str())
            .header(trace::HEADER, trace.to_string().as_str());
        match expect {
            Expect::Nothing => {}
            Expect::LastOfStream(sequence) => publish = publish.expected_last_sequence(sequence),
            Expect::LastOfSubject(sequence) => publish = publish.expected_last_subject_sequence(sequence),
        }
        let mut connected = self.connected.clone();
        let stored = async {
            let acknowledgement = self.jetstream.send_publish(message.subject(), publish).await?;
            acknowledgement.await
        };
        tokio::select! {
            stored = stored => match stored {
                Ok(acknowledgement) => Ok(acknowledgement.sequence),
                Err(fault) => Err(say_error(&fault, self.replicas)),
            },
            // An answer that was on its way is lost with the connection: no use waiting for it.
            _ = connected.wait_for(|up| !*up) => Err(SayError::Unanswered),
        }
    }

    /// The message at `sequence` of `stream`, from the stream's leader; `None` when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn message_at(&self, stream: &str, sequence: u64) -> Result<Option<Letter>, Unavailable> {
        let doing = || format!("read message {sequence} of {stream}");
        let handle = self.handle(stream, doing).await?;
        match handle.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(Letter::from_stored(message))),
            Err(fault) if fault.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(fault) => Err(Unavailable::new(doing(), fault)),
        }
    }

    /// The newest message of one subject of `stream`; `None` when it has none.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn newest_of(&self, stream: &str, subject: &str) -> Result<Option<Letter>, Unavailable> {
        let doing = || format!("read the newest {subject} of {stream}");
        let handle = self.handle(stream, doing).await?;
        match handle.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(Letter::from_stored(message))),
            Err(fault) if fault.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(fault) => Err(Unavailable::new(doing(), fault)),
        }
    }

    /// Overwrites and deletes the newest message of one subject of `stream`, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn destroy_newest(&self, stream: &str, subject: &str) -> Result<(), Unavailable> {
        let Some(letter) = self.newest_of(stream, subject).await? else {
            return Ok(());
        };
        let doing = || format!("destroy the newest {subject} of {stream}");
        let handle = self.handle(stream, doing).await?;
        // Unless told otherwise, the server overwrites what it deletes.
        let deleted = handle.delete_message(letter.sequence).await;
        deleted.map(|_| ()).map_err(|cause| Unavailable::new(doing(), cause))
    }

    /// Whether the server refuses every further message of `stream`; `None` when there is no such stream.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn is_sealed(&self, stream: &str) -> Result<Option<bool>, Unavailable> {
        match self.jetstream.get_stream(stream).await {
            Ok(told) => Ok(Some(told.cached_info().config.sealed)),
            Err(cause) if is_missing(&cause.kind()) => Ok(None),
            Err(cause) => Err(Unavailable::new(format!("ask about {stream}"), cause)),
        }
    }

    /// Makes the server refuse every further message of `stream`. Nobody can undo it.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or turns it down.
    pub async fn seal(&self, stream: &str) -> Result<(), Unavailable> {
        let doing = || format!("seal {stream}");
        let config = Config { sealed: true, ..self.info(stream, doing).await?.config };
        let sealed = self.jetstream.update_stream(config).await;
        sealed.map(|_| ()).map_err(|cause| Unavailable::new(doing(), cause))
    }

    /// The last sequence of `stream`; 0 when it is empty.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or there is no such stream.
    pub async fn last_sequence(&self, stream: &str) -> Result<u64, Unavailable> {
        Ok(self.info(stream, || format!("ask for the end of {stream}")).await?.state.last_sequence)
    }

    /// A stream, to ask things of. Nothing is asked of the server yet.
    pub(crate) async fn handle(
        &self,
        stream: &str,
        doing: impl Fn() -> String,
    ) -> Result<Stream<()>, Unavailable> {
        self.jetstream.get_stream_no_info(stream).await.map_err(|cause| Unavailable::new(doing(), cause))
    }

    async fn info(&self, stream: &str, doing: impl Fn() -> String) -> Result<Info, Unavailable> {
        let told = self.jetstream.get_stream(stream).await;
        told.map(|told| told.cached_info().clone()).map_err(|cause| Unavailable::new(doing(), cause))
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

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(fault) if fault.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn say_error(fault: &PublishError, replicas: usize) -> SayError {
    use std::error::Error as _;
    let answer = fault.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    match (fault.kind(), answer.map(jetstream::Error::error_code)) {
        // Of its own disk: those of the others may have taken it.
        (_, Some(ErrorCode::STREAM_STORE_FAILED | ErrorCode::INSUFFICIENT_RESOURCES)) if replicas > 1 => {
            SayError::Unanswered
        }
        (PublishErrorKind::WrongLastSequence, _) => SayError::Conflict,
        // A cluster says so in words of its own while another message is under way.
        (_, Some(ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)) => SayError::Conflict,
        (_, Some(ErrorCode::STREAM_SEALED)) => SayError::Sealed,
        // No responder: during an election, or before the stream is there. Nobody received it.
        (PublishErrorKind::StreamNotFound | PublishErrorKind::MaxAckPending, _) => SayError::Away,
        (PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe, _) => SayError::Unanswered,
        (_, Some(_)) | (PublishErrorKind::MaxPayloadExceeded, _) => SayError::Refused(fault.to_string()),
        _ => SayError::Unanswered,
    }
}
