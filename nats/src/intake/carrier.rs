//! What an intake has begun and waits for, whatever of it happens first.

use std::sync::Arc;

use async_nats::jetstream::consumer::{Consumer, pull};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tracing::{error, warn};

use super::source::Intake;
use crate::clock::Monotonic;
use crate::delivered::Delivered;
use crate::interrupted::Interrupted;
use crate::pull::{Incoming, Puller};
use crate::unavailable::Unavailable;

/// Carries out what an intake decides. `E` is the kind of its events.
pub(super) struct Carrier<E> {
    pub source: Arc<Intake>,
    puller: Option<Box<Puller>>,
    is_reading: bool,
    wake_at: Option<Monotonic>,
    is_stopping: bool,
    tasks: FuturesUnordered<BoxFuture<'static, Ended<E>>>,
}

/// How a task ended.
enum Ended<E> {
    Event(E),
    Opened(Result<Box<Puller>, Unavailable>),
}

/// What happened.
pub(super) enum Happened<E> {
    Event(E),
    Opened,
    Read(Vec<Delivered<Incoming>>),
    Failed(String),
    Wake,
    Stop,
}

impl<E: 'static> Carrier<E> {
    pub fn new(source: Intake) -> Self {
        let (source, tasks) = (Arc::new(source), FuturesUnordered::new());
        Self { source, puller: None, is_reading: false, wake_at: None, is_stopping: false, tasks }
    }

    /// Begins a task, which ends with an event.
    pub fn spawn(&mut self, task: impl Future<Output = E> + Send + 'static) {
        self.tasks.push(Box::pin(async { Ended::Event(task.await) }));
    }

    /// Begins to open a consumer.
    pub fn open(
        &mut self,
        consumer: impl Future<Output = Result<Consumer<pull::Config>, Unavailable>> + Send + 'static,
    ) {
        let open = async { Puller::open(&consumer.await?).await.map(Box::new) };
        self.tasks.push(Box::pin(async { Ended::Opened(open.await) }));
    }

    /// Begins to take the next messages.
    pub fn read(&mut self) {
        self.is_reading = true;
    }

    /// Begins to wait for a moment, in the place of the one before.
    pub fn wake_at(&mut self, moment: Monotonic) {
        self.wake_at = Some(moment);
    }

    /// Drops everything that was begun, and begins to wait for a moment.
    pub fn pause(&mut self, until: Monotonic, because: &Interrupted) {
        let (durable, stream) = (self.source.durable.name, &self.source.durable.stream.name);
        match because {
            Interrupted::RolledBack(found) => error!(durable, stream, %found, "reading was interrupted"),
            why => warn!(durable, stream, %why, "reading was interrupted"),
        }
        self.tasks.clear();
        (self.puller, self.is_reading, self.wake_at) = (None, false, Some(until));
    }

    /// Waits for whatever happens first. Something must have been begun.
    pub async fn next(&mut self) -> Happened<E> {
        let wait = self.wake_at.map(|moment| moment.since(self.source.clock.monotonic()));
        tokio::select! {
            biased;
            () = self.source.stop.cancelled(), if !self.is_stopping => {
                self.is_stopping = true;
                Happened::Stop
            }
            Some(ended) = self.tasks.next() => self.ended(ended),
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                // A timer that is early has to be waited for again.
                self.wake_at = self.wake_at.filter(|moment| self.source.clock.monotonic() < *moment);
                Happened::Wake
            }
            read = read(&mut self.puller), if self.is_reading => {
                self.is_reading = false;
                read.map_or_else(|fault| Happened::Failed(fault.to_string()), Happened::Read)
            }
            else => panic!("an intake waits for nothing"),
        }
    }

    fn ended(&mut self, ended: Ended<E>) -> Happened<E> {
        match ended {
            Ended::Event(event) => Happened::Event(event),
            Ended::Opened(Ok(puller)) => {
                self.puller = Some(puller);
                Happened::Opened
            }
            Ended::Opened(Err(fault)) => Happened::Failed(fault.to_string()),
        }
    }
}

async fn read(puller: &mut Option<Box<Puller>>) -> Result<Vec<Delivered<Incoming>>, Unavailable> {
    match puller {
        Some(puller) => puller.next().await,
        None => Err(Unavailable::new("take messages", "no consumer is open")),
    }
}
