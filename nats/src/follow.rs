//! Reading along: a stream in order, whatever happens to the connection, with no place kept on the server.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use tracing::debug;

use crate::reader::Reader;
use crate::{BELIEVED_AFTER, Batch, Bus, LastRead, Letter, Unavailable};

/// How long the server keeps a reader that has gone silent.
const FORGET_AFTER: Duration = Duration::from_secs(30);
/// The pauses between two tries to read, doubled from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Where a follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At this sequence.
    Sequence(u64),
    /// With the newest message of every subject.
    NewestPerSubject,
    /// Behind whatever lies there when it first reaches the stream. Its first batch, which may be empty, says that
    /// from then on it misses nothing.
    New,
}

/// Reads a stream in order, each message once, for as long as it is asked to.
///
/// It panics when the stream was put back to an older state: what was made of the messages that are gone is wrong then,
/// and whoever starts the process again lets it read what is there.
pub struct Follower {
    bus: Bus,
    stream: String,
    start: StartAt,
    last: LastRead,
    /// Since when the stream has looked as if it had been put back.
    in_doubt_since: Option<Instant>,
    reader: Option<Reader>,
    consumer_sequence: u64,
    pause: Duration,
}

impl Follower {
    /// A reader of all of `stream`. Nothing is asked of the server yet.
    pub fn new(bus: Bus, stream: &str, start: StartAt) -> Self {
        Self {
            bus,
            stream: stream.to_owned(),
            start,
            last: LastRead::default(),
            in_doubt_since: None,
            reader: None,
            consumer_sequence: 0,
            pause: PAUSES[0],
        }
    }

    /// The next messages, as many as are ready; the first batch may be empty, to say that there are none yet.
    /// Faults of the connection are waited out. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Batch {
        loop {
            let doubt = match self.try_next().await {
                Ok(batch) => {
                    self.pause = PAUSES[0];
                    return batch;
                }
                Err(doubt) => doubt,
            };
            debug!(stream = self.stream, %doubt, "reading along was interrupted");
            self.reader = None;
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSES[1]);
        }
    }

    /// The next messages up to `last`, which the stream must hold. What is ready behind it is passed on to the next
    /// call by reading it again.
    pub async fn next_until(&mut self, last: u64) -> Vec<Letter> {
        let mut letters = self.next().await.letters;
        let whole = letters.len();
        letters.retain(|letter| letter.sequence <= last);
        if letters.len() < whole {
            self.start = StartAt::Sequence(last + 1);
            self.reader = None;
        }
        letters
    }

    async fn try_next(&mut self) -> Result<Batch, Unavailable> {
        let Some(reader) = &mut self.reader else {
            let nothing_behind = self.open().await?;
            if nothing_behind {
                return Ok(Batch { letters: Vec::new(), at_end: true });
            }
            return Box::pin(self.try_next()).await;
        };
        let mut letters = Vec::new();
        let mut at_end = false;
        let mut connected = self.bus.connected();
        let read = tokio::select! {
            read = reader.next() => read?,
            // The server forgets a reader of this kind when it dies: no use waiting for it.
            _ = connected.wait_for(|up| !*up) => return Err(Unavailable::new("read along", "NATS is away")),
        };
        for delivered in read {
            let told = delivered.raw.info().map_err(|cause| Unavailable::new("read a delivery", cause))?;
            self.consumer_sequence += 1;
            if told.consumer_sequence != self.consumer_sequence {
                if letters.is_empty() {
                    return Err(Unavailable::new("read along", "a message was lost on its way"));
                }
                self.reader = None;
                break;
            }
            at_end = delivered.behind == 0;
            letters.push(delivered.letter);
        }
        if let Some(Letter { sequence, stored_at, .. }) = letters.last() {
            self.start = StartAt::Sequence(sequence + 1);
            self.last = LastRead { sequence: *sequence, stored_at: *stored_at };
        }
        Ok(Batch { letters, at_end })
    }

    /// Begins to read at `self.start`; says whether nothing lies there yet.
    async fn open(&mut self) -> Result<bool, Unavailable> {
        self.bus.declared().await;
        self.check_last().await?;
        let deliver_policy = match self.start {
            StartAt::Sequence(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
            StartAt::NewestPerSubject => DeliverPolicy::LastPerSubject,
            StartAt::New => {
                let end = self.bus.last_sequence(&self.stream).await?;
                let start_sequence = end + 1;
                // Kept, so that nothing is passed over when the connection breaks before the first message.
                self.start = StartAt::Sequence(start_sequence);
                self.last = LastRead { sequence: end, stored_at: None };
                DeliverPolicy::ByStartSequence { start_sequence }
            }
        };
        let config = pull::Config {
            deliver_policy,
            // The server wants a filter where it is to deliver the newest per subject.
            filter_subject: ">".to_owned(),
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGET_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let made = self.bus.jetstream.create_consumer_on_stream(config, &self.stream).await;
        let consumer = made.map_err(|cause| Unavailable::new(format!("read {}", self.stream), cause))?;
        let nothing_behind = consumer.cached_info().num_pending == 0;
        self.reader = Some(Reader::open(&consumer).await?);
        self.consumer_sequence = 0;
        Ok(nothing_behind)
    }

    /// Whether the stream still holds what was read last. A server would wait in silence for the message behind it.
    async fn check_last(&mut self) -> Result<(), Unavailable> {
        // Only what is found without a break is believed.
        let since = self.in_doubt_since.take();
        let Some(found) = self.bus.put_back(&self.stream, self.last).await? else { return Ok(()) };
        let since = *self.in_doubt_since.insert(since.unwrap_or_else(Instant::now));
        assert!(since.elapsed() < BELIEVED_AFTER, "{}: {found}", self.stream);
        Err(Unavailable::new(format!("read {}", self.stream), found))
    }
}
