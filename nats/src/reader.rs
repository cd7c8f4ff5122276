//! Messages as they lie in a stream, taken from a pull consumer as many as are ready.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::message::StreamMessage;
use async_nats::{header, jetstream};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use subjects::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::{TraceContext, Unavailable, trace};

/// How many messages are handled at one go.
const BATCH_MAX: usize = 500;
/// How many messages are in a run at the most.
pub const RUN_MAX: usize = 2_000;
/// A run is full, too, when its messages are so many bytes together: at first few, so that work begins soon, then twice as
/// many from run to run while there is more to be read. A million ballots of a crowd are some thirty runs.
const RUN_BYTES: [usize; 2] = [256 * 1024, 4 * 1024 * 1024];
/// How many bytes of messages one request asks for; the next is sent when half of them have come.
const AHEAD_BYTES: usize = 8 * 1024 * 1024;
/// How long one request for messages stays with the server.
const PULL_FOR: Duration = Duration::from_secs(30);
/// How long silence from the server lasts before it is taken for gone.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// One message of a stream, as it lies there.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// Its `Nats-Msg-Id`, if it has one.
    pub id: Option<String>,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// When the server stored it.
    pub stored_at: Option<Timestamp>,
    /// What it says.
    pub payload: Bytes,
}

/// Messages in the order of the stream.
#[derive(Debug)]
pub struct Batch {
    /// The messages; none when a reader has just learnt that it is at the end.
    pub letters: Vec<Letter>,
    /// Whether nothing lay behind them when they were sent.
    pub at_end: bool,
}

/// A message with what the server told about its delivery.
pub(crate) struct Delivered {
    pub letter: Letter,
    /// How often it was delivered, this time included.
    pub deliveries: i64,
    /// How many messages of the stream lay behind it.
    pub behind: u64,
    pub raw: jetstream::Message,
}

/// Messages for an actor that keeps its own place.
pub(crate) struct Taken {
    /// One or more.
    pub delivered: Vec<Delivered>,
    /// How many bytes they say together.
    pub bytes: usize,
    /// Whether there was no room for more. What is not full has waited for what there was to wait for.
    pub is_full: bool,
}

/// Takes what a pull consumer offers, in batches of what is ready: a lone message is never kept waiting.
pub(crate) struct Reader {
    messages: pull::Stream,
    /// At how many bytes the next run is full.
    run_bytes: usize,
    /// What ended the last batch; told when the next one is asked for.
    fault: Option<Unavailable>,
}

impl Reader {
    pub async fn open(consumer: &Consumer<pull::Config>) -> Result<Self, Unavailable> {
        let messages = consumer
            .stream()
            .max_messages_per_batch(RUN_MAX)
            .max_bytes_per_batch(AHEAD_BYTES)
            .expires(PULL_FOR)
            .heartbeat(HEARTBEAT)
            .messages()
            .await;
        let messages = messages.map_err(|cause| Unavailable::new("ask for messages", cause))?;
        Ok(Self { messages, run_bytes: RUN_BYTES[0], fault: None })
    }

    /// Waits for one message and takes all that are ready behind it.
    pub async fn next(&mut self) -> Result<Vec<Delivered>, Unavailable> {
        let mut taken = vec![self.one().await?];
        while taken.len() < BATCH_MAX
            && let Some(next) = self.one().now_or_never()
            && let Some(delivered) = self.keep_fault(next)
        {
            taken.push(delivered);
        }
        Ok(taken)
    }

    /// The same, and waits for those that lie behind it in the stream, too, until the run is full, or for so long. They
    /// are on their way: what is paid for each run is paid for many messages while there is much to be read.
    pub async fn next_run(&mut self, patience: Duration) -> Result<Taken, Unavailable> {
        let first = self.one().await?;
        let until = Instant::now() + patience;
        let (mut bytes, mut behind) = (first.letter.payload.len(), first.behind);
        let mut delivered = vec![first];
        let is_full = loop {
            if delivered.len() == RUN_MAX || bytes >= self.run_bytes {
                break true;
            }
            let next = match self.one().now_or_never() {
                None if behind > 0 => timeout_at(until, self.one()).await.ok(),
                ready => ready,
            };
            let Some(next) = next.and_then(|next| self.keep_fault(next)) else { break false };
            bytes += next.letter.payload.len();
            behind = next.behind;
            delivered.push(next);
        };
        self.run_bytes = if is_full { (self.run_bytes * 2).min(RUN_BYTES[1]) } else { RUN_BYTES[0] };
        Ok(Taken { delivered, bytes, is_full })
    }

    fn keep_fault(&mut self, next: Result<Delivered, Unavailable>) -> Option<Delivered> {
        next.map_err(|fault| self.fault = Some(fault)).ok()
    }

    async fn one(&mut self) -> Result<Delivered, Unavailable> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match self.messages.next().await {
            Some(Ok(message)) => Delivered::of(message),
            Some(Err(cause)) => Err(Unavailable::new("take messages", cause)),
            None => Err(Unavailable::new("take messages", "the subscription ended")),
        }
    }
}

impl Delivered {
    fn of(raw: jetstream::Message) -> Result<Self, Unavailable> {
        let told = raw.info().map_err(|cause| Unavailable::new("read a message's delivery", cause))?;
        let (deliveries, behind) = (told.delivered, told.pending);
        let letter = Letter {
            sequence: told.stream_sequence,
            subject: raw.subject.to_string(),
            id: raw.headers.as_ref().and_then(id_of),
            trace: raw.headers.as_ref().and_then(trace_of),
            stored_at: moment(told.published),
            payload: raw.payload.clone(),
        };
        Ok(Self { letter, deliveries, behind, raw })
    }
}

impl Letter {
    pub(crate) fn from_stored(message: StreamMessage) -> Self {
        Self {
            sequence: message.sequence,
            subject: message.subject.to_string(),
            id: id_of(&message.headers),
            trace: trace_of(&message.headers),
            stored_at: moment(message.time),
            payload: message.payload,
        }
    }
}

fn moment(stored_at: DateTime) -> Option<Timestamp> {
    Timestamp::from_unix_millis(i64::try_from(stored_at.unix_timestamp_nanos() / 1_000_000).ok()?)
}

fn id_of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::NATS_MESSAGE_ID).map(|id| id.as_str().to_owned())
}

fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get(trace::HEADER).and_then(|header| TraceContext::parse(header.as_str()))
}
