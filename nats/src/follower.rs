//! The follower: carries out what the [ordered reader](crate::ordered_reader) requests.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use subjects::Stream;
use tracing::debug;

use crate::bus::Bus;
use crate::clock::Monotonic;
use crate::delivered::Delivered;
use crate::ordered_reader::{Action, Event, OpenAt, OrderedReader, Request, StartAt};
use crate::pull::{Incoming, Puller};
use crate::stored::StoredMessage;
use crate::unavailable::Unavailable;

/// How long the server keeps a consumer whose reader has gone silent.
const FORGET_AFTER: Duration = Duration::from_secs(30);

/// Messages in the order of the stream.
#[derive(Debug)]
pub struct Batch {
    /// The messages; none when a reader has just learnt that it is at the end.
    pub messages: Vec<StoredMessage>,
    /// Whether nothing was behind them when they were sent.
    pub at_end: bool,
}

/// Reads a stream in order, each message once, for as long as it is asked to.
///
/// It panics when the stream was rolled back to an older state: what was made of the messages that are gone is wrong
/// then, and the process, started again, reads what is there.
pub struct Follower {
    bus: Bus,
    stream: Stream,
    reader: OrderedReader,
    /// What is to be carried out now. It stays until it is answered, so dropping a future loses nothing.
    request: Request,
    puller: Option<Puller>,
    /// What was delivered and not returned yet.
    ready: Option<Batch>,
    /// Reading was interrupted, and nobody was told yet.
    is_interrupted: bool,
}

impl Follower {
    /// A reader of all of `stream`. Nothing is asked of the server yet.
    pub fn new(bus: Bus, stream: &Stream, start: StartAt) -> Self {
        let (reader, stream) = (OrderedReader::new(start), stream.clone());
        let request = Request::WakeAt { moment: Monotonic::default(), because: None };
        Self { bus, stream, reader, request, puller: None, ready: None, is_interrupted: false }
    }

    /// The next messages, as many as are ready; the first batch may be empty, to say that there are none yet.
    /// Faults of the connection are waited out. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Batch {
        loop {
            if let Some(batch) = self.next_or_interruption().await {
                return batch;
            }
        }
    }

    /// The same; `None` as soon as reading is interrupted. Until the next batch the stream may have changed in any way:
    /// nobody knows yet whether it still holds what was read of it.
    pub async fn next_or_interruption(&mut self) -> Option<Batch> {
        loop {
            if let Some(batch) = self.ready.take() {
                return Some(batch);
            }
            if std::mem::take(&mut self.is_interrupted) {
                return None;
            }
            let event = self.answer().await;
            self.take_in(event);
        }
    }

    /// The next messages up to `last`, which the stream must hold. Those behind it are kept for the next call.
    pub async fn next_until(&mut self, last: u64) -> Vec<StoredMessage> {
        let Batch { mut messages, at_end } = self.next().await;
        let behind = messages.split_off(messages.partition_point(|message| message.sequence <= last));
        if !behind.is_empty() {
            self.ready = Some(Batch { messages: behind, at_end });
        }
        messages
    }

    fn take_in(&mut self, event: Event<StoredMessage>) {
        for action in self.reader.on(event, self.bus.clock.moment()) {
            match action {
                Action::Deliver { messages, at_end } => self.ready = Some(Batch { messages, at_end }),
                Action::Request(request) => self.begin(request),
                Action::GiveUp(found) => panic!("{}: {found}", self.stream.name),
            }
        }
    }

    fn begin(&mut self, request: Request) {
        if let Request::WakeAt { because: Some(why), .. } = &request {
            debug!(stream = self.stream.name, %why, "reading along was interrupted");
        }
        if request != Request::Read {
            self.is_interrupted |= self.puller.take().is_some();
        }
        self.request = request;
    }

    /// Carries out what is requested.
    async fn answer(&mut self) -> Event<StoredMessage> {
        let answer = match self.request {
            Request::WakeAt { moment, .. } => {
                tokio::time::sleep(moment.since(self.bus.clock.monotonic())).await;
                Ok(Event::Wake)
            }
            Request::AskEnd => self.ask_end().await,
            Request::ReadPlace(sequence) => {
                self.bus.place(&self.stream.name, sequence).await.map(Event::PlaceTold)
            }
            Request::Open(at) => self.open(at).await,
            Request::Read => self.read().await,
        };
        answer.unwrap_or_else(|fault| Event::Failed(fault.to_string()))
    }

    async fn ask_end(&self) -> Result<Event<StoredMessage>, Unavailable> {
        self.bus.deployed().await;
        self.bus.last_sequence(&self.stream.name).await.map(Event::EndTold)
    }

    async fn open(&mut self, at: OpenAt) -> Result<Event<StoredMessage>, Unavailable> {
        self.bus.deployed().await;
        let deliver_policy = match at {
            OpenAt::Sequence(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
            OpenAt::NewestPerSubject => DeliverPolicy::LastPerSubject,
        };
        let config = pull::Config {
            name: Some(self.bus.consumer_name()),
            deliver_policy,
            // In the request's own subject, where a permission can tell one stream's readers from another's.
            filter_subject: self.stream.subject.clone(),
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGET_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let made = self.bus.jetstream.create_consumer_on_stream(config, &self.stream.name).await;
        let consumer = made.map_err(|cause| Unavailable::new(format!("read {}", self.stream.name), cause))?;
        self.puller = Some(Puller::open(&consumer).await?);
        Ok(Event::Opened { pending: consumer.cached_info().num_pending })
    }

    async fn read(&mut self) -> Result<Event<StoredMessage>, Unavailable> {
        let Some(puller) = &mut self.puller else {
            return Err(Unavailable::new(format!("read {}", self.stream.name), "no consumer is open"));
        };
        let mut connected = self.bus.connected();
        let delivered = tokio::select! {
            delivered = puller.next() => delivered?,
            _ = connected.wait_for(|up| !*up) => return Ok(Event::ConnectionLost),
        };
        let stored = |delivered: Delivered<Incoming>| delivered.map(|incoming| incoming.stored);
        Ok(Event::Delivered(delivered.into_iter().map(stored).collect()))
    }
}
