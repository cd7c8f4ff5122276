//! The ordered reader: a stream in order, each message once, however often the connection breaks.
//!
//! A state machine without I/O. [`Follower`](crate::Follower) carries its requests out. It keeps no place on the server:
//! its consumer dies with the connection, and the next one is opened behind the last message that was delivered.
//!
//! Contract: it begins with the first [`Event::Wake`]. From then on one [`Request`] is open at any time, and the next
//! event answers it; an event that answers no open request changes nothing. The follower drops its
//! consumer as soon as anything but [`Request::Read`] is requested.
//!
//! Promise: messages are delivered in the order of the stream, each once.
//!
//! Promise: a rolled-back stream is given up after 12 seconds of doubt.
//!
//! Not before, and a doubt that is interrupted begins anew.

use std::time::Duration;

use urna_mutation::{Mutation, is_on};

use crate::backoff::Backoff;
use crate::clock::{Monotonic, Now};
use crate::delivered::Delivered;
use crate::interrupted::Interrupted;
use crate::rollback::{AtPlace, BELIEVED_AFTER, ByEnd, LastRead, RolledBack};

/// The pauses between two tries to read.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At this sequence of a stream that keeps everything.
    Sequence(u64),
    /// With the newest message of every subject.
    NewestPerSubject,
    /// Behind whatever is stored when it first reaches the stream. Its first batch, which may be empty, says that from
    /// then on it misses nothing.
    New,
}

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenAt {
    /// At this sequence.
    Sequence(u64),
    /// With the newest message of every subject.
    NewestPerSubject,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<M> {
    /// The stream's last sequence; 0 when it is empty.
    EndTold(u64),
    /// What is stored at the place that was asked for.
    PlaceTold(AtPlace),
    /// A new consumer is open, with so many messages for it in the stream.
    Opened {
        /// How many.
        pending: u64,
    },
    /// The consumer delivered messages, in the order in which they arrived.
    Delivered(Vec<Delivered<M>>),
    /// What was requested failed.
    Failed(String),
    /// The connection broke.
    ConnectionLost,
    /// The moment of [`Request::WakeAt`] has come.
    Wake,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<M> {
    /// Hand these to who reads: a batch, or nothing and the news that the reader is at the end.
    Deliver {
        /// The messages, in the order of the stream.
        messages: Vec<M>,
        /// Whether nothing was behind them when they were sent.
        at_end: bool,
    },
    /// Carry this out, in the place of the request before it.
    Request(Request),
    /// Stop for good: what was made of messages that are gone is wrong.
    GiveUp(RolledBack),
}

/// What the reader waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The stream's last sequence.
    AskEnd,
    /// What is stored at this sequence.
    ReadPlace(u64),
    /// A new consumer, whose deliveries are numbered from 1.
    Open(OpenAt),
    /// The next messages of the open consumer.
    Read,
    /// A pause.
    WakeAt {
        /// When it ends.
        moment: Monotonic,
        /// What it is for; nothing before the first try.
        because: Option<Interrupted>,
    },
}

/// Reads one stream.
#[derive(Clone, Debug)]
pub struct OrderedReader {
    start: StartAt,
    /// Only a stream that keeps everything is read from a sequence on.
    keeps_everything: bool,
    last: LastRead,
    /// Since when the stream has looked rolled back without a break.
    in_doubt_since: Option<Monotonic>,
    backoff: Backoff,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pausing {
        until: Monotonic,
    },
    /// Asked for the end, to begin behind it.
    FindingEnd,
    /// Asked for the end, to compare it with what was read last.
    ComparingEnd,
    /// Asked for the message at the place of the last one that was read.
    ComparingPlace,
    Opening,
    /// So many messages of the open consumer have arrived.
    Reading {
        arrived: u64,
    },
    GivenUp,
}

impl OrderedReader {
    /// A reader that begins at `start`, with the first [`Event::Wake`].
    pub fn new(start: StartAt) -> Self {
        let state = State::Pausing { until: Monotonic::default() };
        let keeps_everything = matches!(start, StartAt::Sequence(_));
        Self {
            start,
            keeps_everything,
            last: LastRead::default(),
            in_doubt_since: None,
            backoff: PAUSES,
            state,
        }
    }

    /// Takes in what happened, and says what is to be done.
    pub fn on<M>(&mut self, event: Event<M>, now: Now) -> Vec<Action<M>> {
        match (self.state, event) {
            (State::Pausing { until }, Event::Wake) if now.monotonic >= until => vec![self.begin()],
            (State::FindingEnd, Event::EndTold(end)) => {
                // Kept, so that nothing is passed over when the connection breaks before the first message.
                self.start = StartAt::Sequence(end + 1);
                self.last = LastRead { sequence: end, stored_at: None };
                vec![self.open(OpenAt::Sequence(end + 1))]
            }
            (State::ComparingEnd, Event::EndTold(end)) => match self.last.compare_end(end) {
                ByEnd::Same => vec![self.resume()],
                ByEnd::ReadPlace(place) => {
                    vec![self.request(State::ComparingPlace, Request::ReadPlace(place))]
                }
                ByEnd::RolledBack(_) if is_on(Mutation::ReadShorterLog) => vec![self.resume()],
                ByEnd::RolledBack(found) => vec![self.doubt(found, now)],
            },
            (State::ComparingPlace, Event::PlaceTold(there)) => match self.compare_place(there) {
                None => vec![self.resume()],
                Some(found) => vec![self.doubt(found, now)],
            },
            (State::Opening, Event::Opened { pending }) => {
                let read = self.request(State::Reading { arrived: 0 }, Request::Read);
                if pending > 0 { vec![read] } else { vec![self.deliver(Vec::new(), true), read] }
            }
            (State::Reading { arrived }, Event::Delivered(messages)) => self.take(messages, arrived, now),
            (State::Pausing { .. } | State::GivenUp, _) => Vec::new(),
            (_, Event::Failed(why)) => vec![self.pause(Interrupted::Failed(why), now)],
            (_, Event::ConnectionLost) => vec![self.pause(Interrupted::ConnectionLost, now)],
            _ => Vec::new(),
        }
    }

    /// Begins a try. A server would wait in silence for the message behind one that is gone, so the last one that was
    /// read is compared first.
    fn begin<M>(&mut self) -> Action<M> {
        match self.start {
            _ if self.last.sequence > 0 => self.request(State::ComparingEnd, Request::AskEnd),
            StartAt::Sequence(sequence) => self.open(OpenAt::Sequence(sequence)),
            StartAt::NewestPerSubject => self.open(OpenAt::NewestPerSubject),
            StartAt::New => self.request(State::FindingEnd, Request::AskEnd),
        }
    }

    fn compare_place(&self, there: AtPlace) -> Option<RolledBack> {
        if self.keeps_everything {
            self.last.compare_kept_place(there)
        } else {
            self.last.compare_place(there)
        }
    }

    /// The stream holds what was read last: goes on behind it.
    fn resume<M>(&mut self) -> Action<M> {
        self.in_doubt_since = None;
        self.open(OpenAt::Sequence(self.last.sequence + 1))
    }

    fn open<M>(&mut self, at: OpenAt) -> Action<M> {
        self.request(State::Opening, Request::Open(at))
    }

    fn request<M>(&mut self, state: State, request: Request) -> Action<M> {
        self.state = state;
        Action::Request(request)
    }

    /// Delivers what arrived without a gap.
    fn take<M>(&mut self, delivered: Vec<Delivered<M>>, arrived: u64, now: Now) -> Vec<Action<M>> {
        let (all, mut at_end) = (delivered.len(), false);
        let mut messages = Vec::with_capacity(all);
        for (number, delivered) in (arrived + 1..).zip(delivered) {
            if delivered.consumer_sequence != number && !is_on(Mutation::ReadOverGaps) {
                break;
            }
            self.last = LastRead { sequence: delivered.sequence, stored_at: delivered.stored_at };
            at_end = delivered.behind == 0;
            messages.push(delivered.message);
        }
        let (taken, has_gap) = (messages.len() as u64, messages.len() < all);
        if has_gap && taken == 0 {
            return vec![self.pause(Interrupted::MessageLost, now)];
        }
        let next = if has_gap {
            self.begin()
        } else {
            self.request(State::Reading { arrived: arrived + taken }, Request::Read)
        };
        if taken == 0 { vec![next] } else { vec![self.deliver(messages, at_end), next] }
    }

    fn deliver<M>(&mut self, messages: Vec<M>, at_end: bool) -> Action<M> {
        self.backoff.reset();
        Action::Deliver { messages, at_end }
    }

    /// Believes that the stream was rolled back when it has looked so for long enough.
    fn doubt<M>(&mut self, found: RolledBack, now: Now) -> Action<M> {
        let since = *self.in_doubt_since.get_or_insert(now.monotonic);
        if now.monotonic.since(since) >= BELIEVED_AFTER {
            self.state = State::GivenUp;
            return Action::GiveUp(found);
        }
        self.wait(found.into(), now)
    }

    /// Waits after a failure. A doubt that was not confirmed right away begins anew.
    fn pause<M>(&mut self, because: Interrupted, now: Now) -> Action<M> {
        self.in_doubt_since = None;
        self.wait(because, now)
    }

    fn wait<M>(&mut self, because: Interrupted, now: Now) -> Action<M> {
        let moment = now.monotonic + self.backoff.next();
        self.request(State::Pausing { until: moment }, Request::WakeAt { moment, because: Some(because) })
    }
}

#[cfg(test)]
mod tests;
