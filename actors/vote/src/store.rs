//! The log of one round, as its box writes and reads it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nats::{BELIEVED_AFTER, Bus, Expect, Follower, SayError, StartAt, TraceContext, Unavailable};
use subjects::{
    BallotId, BallotsCast, Heard, MessageId, Place, RoundId, Stream, Unreadable, VoteMessage, Voter,
};
use tracing::{debug, warn};

/// The pauses between two looks for a block whose acknowledgement never came, doubled from the first to the last.
const LOOK_PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

/// The log of one round.
#[derive(Clone, Debug)]
pub struct Log {
    bus: Bus,
    round: RoundId,
    stream: String,
}

/// What became of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, at the sequence after the expected one.
    Stored,
    /// Something else lies where it should have gone, or a first copy of itself: what is read there will tell.
    Conflict,
    /// It was not in the log when last looked for, though it may still be on its way there. Whatever is appended
    /// next expects the same sequence, so at most one of the two is ever stored.
    NotStored,
    /// The log does not hold what was folded: it was put back to an older state.
    LogIsShorter,
    /// It is not in the log and cannot be now.
    Refused(SayError),
}

/// Messages of the log, in order.
#[derive(Debug)]
pub struct Read {
    /// The messages; one that nobody can read is here too, so that its place is passed.
    pub messages: Vec<Logged>,
    /// Whether nothing lay behind them.
    pub at_end: bool,
}

/// A message of the log.
#[derive(Debug)]
pub struct Logged {
    /// Where it lies.
    pub sequence: u64,
    /// Its name, if it has one.
    pub id: Option<String>,
    /// What it says.
    pub message: Result<VoteMessage, Unreadable>,
}

impl Log {
    /// The log of `round`.
    pub fn of(bus: Bus, round: RoundId) -> Self {
        let stream = Stream::votes(&round).name;
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

    /// Appends a block directly behind `expected`, under a name that no other has. Takes as long as it must to know
    /// what became of it.
    pub async fn append(self, id: &MessageId, block: Arc<BallotsCast>, expected: u64) -> Appended {
        let trace = TraceContext::start();
        let trace_id = trace.trace_id();
        debug!(trace.id = trace_id, round.id = %self.round, ballots = block.ballots.len(), "appending a block");
        let said = self.bus.say(&*block, id, Expect::LastOfStream(expected), trace).await;
        debug!(trace.id = trace_id, round.id = %self.round, ?said, "appended a block");
        match said {
            Ok(sequence) if sequence == expected + 1 => Appended::Stored,
            Ok(_) | Err(SayError::Unanswered) => self.look_for(id, expected + 1).await,
            // In a sealed log what lies there is the seal, or something before it.
            Err(SayError::Conflict | SayError::Sealed) => Appended::Conflict,
            Err(refused) => Appended::Refused(refused),
        }
    }

    /// Looks where a block must lie if it lies anywhere.
    pub async fn look_for(&self, id: &MessageId, sequence: u64) -> Appended {
        let mut pause = LOOK_PAUSES[0];
        loop {
            match self.bus.message_at(&self.stream, sequence).await {
                Ok(None) => return self.not_there(sequence).await,
                Ok(Some(letter)) if letter.id.as_deref() == Some(id.as_str()) => return Appended::Stored,
                Ok(Some(_)) => return Appended::Conflict,
                Err(doubt) => warn!(round.id = %self.round, %doubt, "cannot tell yet what became of a block"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSES[1]);
        }
    }

    /// Nothing lies where the block should: it is not stored, or the log has lost what lay before it.
    async fn not_there(&self, sequence: u64) -> Appended {
        // In a cluster the place may be held by a message that is still under way.
        tokio::time::sleep(LOOK_PAUSES[0]).await;
        let begin = Instant::now();
        while matches!(self.bus.last_sequence(&self.stream).await, Ok(last) if last + 1 < sequence) {
            if begin.elapsed() > BELIEVED_AFTER {
                return Appended::LogIsShorter;
            }
            tokio::time::sleep(LOOK_PAUSES[1]).await;
        }
        Appended::NotStored
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
        let Some(letter) = self.bus.message_at(&self.stream, place.sequence).await? else { return Ok(None) };
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
        Reading(Follower::new(self.bus.clone(), &self.stream, StartAt::Sequence(1)))
    }
}

/// Reads a log along, in order.
pub struct Reading(Follower);

impl Reading {
    /// The next messages, as many as are ready. `folded` tells up to where they are known already: those need not
    /// be decoded again.
    pub async fn next(&mut self, folded: impl Fn() -> u64) -> Read {
        let batch = self.0.next().await;
        let folded = folded();
        let mut messages = Vec::with_capacity(batch.messages.len());
        for letter in batch.messages.into_iter().filter(|letter| letter.sequence > folded) {
            let message = VoteMessage::hear(&letter.subject, &letter.payload);
            messages.push(Logged { sequence: letter.sequence, id: letter.id, message });
        }
        Read { messages, at_end: batch.at_end }
    }
}
