//! An in-memory JetStream: streams, calls and consumers, with every fault that a server has.

mod stream;

use std::collections::BTreeMap;

use subjects::Timestamp;

pub use stream::{Content, Expect, Refusal, Stored, Stream, StreamName, Subject};

/// A message that is to be stored.
#[derive(Clone, Debug)]
pub struct Publish {
    /// In which stream.
    pub stream: StreamName,
    /// Under which subject.
    pub subject: Subject,
    /// Its id.
    pub id: String,
    /// What it says.
    pub content: Content,
    /// What must hold.
    pub expect: Expect,
}

/// What a process asks of the server.
#[derive(Clone, Debug)]
pub enum Call {
    /// To store a message.
    Publish(Publish),
    /// The message at a sequence.
    MessageAt(StreamName, u64),
    /// The newest message of a subject.
    NewestOf(StreamName, Subject),
    /// The last sequence.
    LastSequence(StreamName),
    /// A consumer from a sequence on; `None` for the newest of each subject.
    Open(StreamName, Option<u64>),
    /// The durable of the tally, made anew from a sequence on.
    OpenDurable(u64),
    /// To delete the durable of the tally.
    DeleteDurable,
    /// Whether the log refuses every further message.
    IsSealed,
    /// To make the log refuse every further message.
    Seal,
    /// To destroy a message.
    Destroy(StreamName, u64),
}

/// What the server answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Stored at this sequence.
    Published(u64),
    /// Not stored.
    Refused(Refusal),
    /// What was asked for, if it is there.
    Message(Option<Stored>),
    /// A sequence.
    Sequence(u64),
    /// A consumer is open, with this many messages for it.
    Opened(u64, u64),
    /// Whether the log is sealed.
    Sealed(bool),
    /// It is done.
    Done,
    /// Nobody was there.
    Away,
    /// No answer came in time.
    Unanswered,
}

/// A reader of a stream that the server knows.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Of which stream.
    pub stream: StreamName,
    /// What it delivers next.
    pub next: u64,
    /// It delivers the newest of each subject up to this sequence, and everything behind it.
    pub newest_until: u64,
    /// How many messages it has delivered.
    pub delivered: u64,
    /// Whether its owner has asked for messages that were not sent yet.
    pub is_asked: bool,
    /// Who reads.
    pub owner: Owner,
}

/// A part of a process, in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Which process.
    pub process: usize,
    /// How often it was started.
    pub life: u32,
    /// Which part of it.
    pub part: Part,
}

/// A part of a process that asks things of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The box, about this block.
    Box(u64),
    /// What reads the log along for the box.
    BoxReader,
    /// What follows the rounds.
    RoundsReader,
    /// What follows the counts.
    TalliesReader,
    /// What feeds the count; what was asked under another number is void.
    Intake(u64),
    /// What decodes this batch for the intake.
    Decoder(u64, u64),
    /// What dead-letters messages of this batch.
    DeadLetters(u64, u64),
    /// The count; what was asked under another number is void.
    Count(u64),
    /// What shares the rounds.
    Share,
    /// What takes a round through its life.
    Lifecycle,
    /// Nobody waits for the answer.
    Nobody,
}

/// A message of a cluster that is not stored by most of its servers yet.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The message.
    pub publish: Publish,
    /// The call that brought it.
    pub call: usize,
}

/// The server, or the cluster.
#[derive(Debug, Default)]
pub struct Server {
    streams: BTreeMap<StreamName, Stream>,
    /// Those that are open, by number.
    pub consumers: BTreeMap<u64, Consumer>,
    opened: u64,
    /// The number of the tally's durable.
    pub durable: Option<u64>,
    /// Whether nobody answers.
    pub is_down: bool,
    /// Whether the disk is full.
    pub is_full: bool,
    /// In a cluster: a message that the others do not hold yet.
    pub proposed: Option<Proposed>,
    /// A leader that was cut off answers questions from a log that ends here,
    pub stale_end: Option<u64>,
    /// and from ROUNDS as it was when it ended here.
    pub stale_rounds_end: Option<u64>,
}

impl Server {
    /// A stream.
    pub fn stream(&self, name: StreamName) -> &Stream {
        static EMPTY: std::sync::LazyLock<Stream> = std::sync::LazyLock::new(Stream::default);
        self.streams.get(&name).unwrap_or(&EMPTY)
    }

    /// A stream, to change it.
    pub fn stream_mut(&mut self, name: StreamName) -> &mut Stream {
        self.streams.entry(name).or_default()
    }

    /// Whether a message may be stored now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check(&self, publish: &Publish) -> Result<(), Refusal> {
        let in_flight = self.proposed.as_ref().filter(|proposed| proposed.publish.stream == publish.stream);
        if in_flight.is_some() && publish.expect != Expect::Nothing {
            return Err(Refusal::Conflict);
        }
        self.stream(publish.stream).check(publish.subject, publish.expect)?;
        if self.is_full { Err(Refusal::Full) } else { Ok(()) }
    }

    /// Stores a message.
    pub fn store(&mut self, publish: Publish, now: Timestamp) -> u64 {
        let Publish { stream, subject, id, content, .. } = publish;
        let keeps_one = matches!(stream, StreamName::Keys | StreamName::Tallies);
        let stream = self.stream_mut(stream);
        if keeps_one && let Some(before) = stream.newest_of(subject).map(|before| before.sequence) {
            stream.delete(before);
        }
        stream.push(subject, id, now, content)
    }

    /// Answers a question; from the past, when a leader that was cut off is asked.
    pub fn answer(&self, call: &Call, from_the_past: bool) -> Answer {
        let past = self.stale_end.filter(|_| from_the_past);
        match call {
            Call::MessageAt(stream, sequence) => {
                let is_known = *stream != StreamName::Votes || past.is_none_or(|end| *sequence <= end);
                Answer::Message(self.stream(*stream).at(*sequence).filter(|_| is_known).cloned())
            }
            Call::NewestOf(StreamName::Rounds, subject) => {
                let end = self.stale_rounds_end.filter(|_| from_the_past).unwrap_or(u64::MAX);
                Answer::Message(self.stream(StreamName::Rounds).newest_until(*subject, end).cloned())
            }
            Call::NewestOf(stream, subject) => {
                Answer::Message(self.stream(*stream).newest_of(*subject).cloned())
            }
            Call::LastSequence(stream) => {
                let end = self.stream(*stream).end();
                let is_past = *stream == StreamName::Votes;
                Answer::Sequence(past.filter(|_| is_past).map_or(end, |past| past.min(end)))
            }
            Call::IsSealed => Answer::Sealed(self.stream(StreamName::Votes).is_sealed),
            _ => Answer::Done,
        }
    }

    /// Opens a consumer. Returns its number and how many messages wait for it.
    pub fn open(&mut self, stream: StreamName, from: Option<u64>, owner: Owner) -> (u64, u64) {
        let end = self.stream(stream).end();
        let newest_until = if from.is_some() { 0 } else { end };
        let next = from.unwrap_or(1);
        self.opened += 1;
        let consumer = Consumer { stream, next, newest_until, delivered: 0, is_asked: false, owner };
        let pending = self.ready(&consumer).count() as u64;
        self.consumers.insert(self.opened, consumer);
        (self.opened, pending)
    }

    /// The messages that a consumer delivers next.
    pub fn ready<'a>(&'a self, consumer: &'a Consumer) -> impl Iterator<Item = &'a Stored> {
        let stream = self.stream(consumer.stream);
        stream.from(consumer.next).filter(move |stored| {
            stored.sequence > consumer.newest_until
                || stream.newest_of(stored.subject).is_some_and(|newest| newest.sequence == stored.sequence)
        })
    }

    /// Takes up to this many messages of a consumer, and how many wait behind each.
    pub fn take(&mut self, number: u64, most: usize) -> Vec<(Stored, u64, u64)> {
        let Some(consumer) = self.consumers.get(&number) else { return Vec::new() };
        let all = self.ready(consumer).count() as u64;
        let taken: Vec<Stored> = self.ready(consumer).take(most).cloned().collect();
        let Some(consumer) = self.consumers.get_mut(&number) else { return Vec::new() };
        let mut messages = Vec::with_capacity(taken.len());
        for (place, stored) in (1..).zip(taken) {
            consumer.next = stored.sequence + 1;
            consumer.delivered += 1;
            messages.push((stored, consumer.delivered, all - place));
        }
        messages
    }

    /// Forgets every consumer of these streams, as when they are restored or the server dies.
    pub fn forget_consumers(&mut self, is_gone: impl Fn(&Consumer) -> bool) {
        self.consumers.retain(|_, consumer| !is_gone(consumer));
        if self.durable.is_some_and(|durable| !self.consumers.contains_key(&durable)) {
            self.durable = None;
        }
    }
}
