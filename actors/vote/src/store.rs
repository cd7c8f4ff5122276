//! The log of one round, as its box writes and reads it.

use nats::{Bus, Expect, Follower, SayError, StartAt, StoredMessage, TraceContext, Unavailable};
use subjects::{BallotId, BallotsCast, Heard, MessageId, Place, RoundId, Stream, VoteMessage, Voter};
use tracing::{debug, warn};

use crate::event::{Appended, Logged, PlaceRead, Read};

/// The log of one round.
#[derive(Clone, Debug)]
pub struct Log {
    bus: Bus,
    round: RoundId,
    stream: Stream,
}

impl Log {
    /// The log of `round`.
    pub fn of(bus: Bus, round: RoundId) -> Self {
        let stream = Stream::votes(&round);
        Self { bus, round, stream }
    }

    /// The round whose log this is.
    pub fn round(&self) -> &RoundId {
        &self.round
    }

    /// Whether the log can be written to right now, as far as this process knows.
    pub fn is_there(&self) -> bool {
        self.bus.is_connected()
    }

    /// Appends a block directly behind `expected`, under an id that no other message has.
    pub async fn append(&self, id: &MessageId, block: &BallotsCast, expected: u64) -> Appended {
        let trace = TraceContext::start();
        let trace_id = trace.trace_id();
        debug!(trace.id = trace_id, round.id = %self.round, ballots = block.ballots.len(), "appending a block");
        let said = self.bus.say(block, id, Expect::LastOfStream(expected), trace).await;
        debug!(trace.id = trace_id, round.id = %self.round, ?said, "appended a block");
        match said {
            Ok(sequence) => Appended::Stored(sequence),
            Err(SayError::Conflict) => Appended::Conflict,
            Err(SayError::Sealed) => Appended::Sealed,
            Err(SayError::Unanswered) => Appended::Unanswered,
            Err(SayError::Away) => Appended::Away,
            Err(refused @ SayError::Refused(_)) => Appended::Refused(refused.to_string()),
        }
    }

    /// The message at `sequence`, as far as a box must know it.
    pub async fn read_place(&self, sequence: u64) -> PlaceRead {
        match self.bus.message_at(&self.stream.name, sequence).await {
            Ok(None) => PlaceRead::Nothing,
            Ok(Some(letter)) => PlaceRead::Message(letter.id),
            Err(unavailable) => {
                warn!(round.id = %self.round, %unavailable, "nobody can tell yet what became of a block");
                PlaceRead::Unavailable
            }
        }
    }

    /// The last sequence; `None` when the server does not answer.
    pub async fn end(&self) -> Option<u64> {
        self.bus.last_sequence(&self.stream.name).await.ok()
    }

    /// Whose ballot lies at `place`, and its name; `None` when none lies there.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn ballot_at(&self, place: Place) -> Result<Option<(Voter, BallotId)>, Unavailable> {
        // The first message has the sequence 1; the server answers 0 with a fault.
        if place.sequence == 0 {
            return Ok(None);
        }
        let Some(letter) = self.bus.message_at(&self.stream.name, place.sequence).await? else {
            return Ok(None);
        };
        let Ok(VoteMessage::Cast(block)) = VoteMessage::hear(&letter.subject, &letter.payload) else {
            return Ok(None);
        };
        let cast = block.ballots.get(place.index as usize);
        Ok(cast.map(|cast| (cast.voter, cast.ballot)))
    }

    /// Runs a task where all traffic of the bus runs.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.bus.spawn(task);
    }

    /// Reads along from the first message.
    pub fn read(&self) -> Reading {
        let follower = Follower::new(self.bus.clone(), &self.stream, StartAt::Sequence(1));
        Reading { follower, read_to: 0 }
    }
}

/// Reads a log along, in order.
pub struct Reading {
    follower: Follower,
    read_to: u64,
}

impl Reading {
    /// The next messages, as many as are ready; `None` as soon as reading is interrupted. `skips` tells which need not be
    /// decoded.
    pub async fn next(&mut self, skips: impl Fn(&StoredMessage) -> bool) -> Option<Read> {
        let batch = self.follower.next_or_interruption().await?;
        self.read_to = batch.messages.last().map_or(self.read_to, |stored| stored.sequence);
        let mut messages = Vec::with_capacity(batch.messages.len());
        for stored in batch.messages.into_iter().filter(|stored| !skips(stored)) {
            let message = VoteMessage::hear(&stored.subject, &stored.payload);
            messages.push(Logged { sequence: stored.sequence, id: stored.id, message });
        }
        Some(Read { messages, read_to: self.read_to, at_end: batch.at_end })
    }
}
