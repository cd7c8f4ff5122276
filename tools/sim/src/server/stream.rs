//! One stream in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use subjects::{BallotsCast, RoundChanged, RoundSealed, TallyCounted, Timestamp};

/// The streams of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamName {
    /// The round's log.
    Votes,
    /// The versions of the round.
    Rounds,
    /// The voter key of the round.
    Keys,
    /// The announced counts of the round.
    Tallies,
    /// What cannot be decoded.
    Dead,
}

/// The subjects of an election: there is one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `vote.<round>.cast`.
    Cast,
    /// `vote.<round>.sealed`.
    Sealed,
    /// `round.<round>`.
    Round,
    /// `key.<round>`.
    Key,
    /// `tally.<round>.counted`.
    Counted,
    /// `dead_letter.tally.VOTES-<round>`.
    Dead,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content {
    /// A block of ballots.
    Block(Arc<BallotsCast>),
    /// The seal.
    Seal(RoundSealed),
    /// A version of the round.
    Round(Arc<RoundChanged>),
    /// The voter key.
    Key,
    /// Announced counts.
    Counts(Arc<TallyCounted>),
    /// Something that cannot be decoded.
    Garbage,
}

/// A message as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its sequence.
    pub sequence: u64,
    /// Its subject.
    pub subject: Subject,
    /// Its id.
    pub id: String,
    /// When it was stored, by the server's clock.
    pub stored_at: Timestamp,
    /// What it says.
    pub content: Content,
}

/// What must hold for a message to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Nothing,
    /// This is the stream's last sequence.
    LastOfStream(u64),
    /// This is the last sequence of the message's subject; 0 for none.
    LastOfSubject(u64),
}

/// Why a message was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The expectation does not hold.
    Conflict,
    /// The stream is sealed.
    Sealed,
    /// The disk is full.
    Full,
}

/// Messages in order; one that was deleted leaves its place empty.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    messages: Vec<Option<Stored>>,
    /// Where each message was stored, by its id: one that comes again is known, though the first may be deleted.
    ids: BTreeMap<String, u64>,
    /// Whether it refuses every further message.
    pub is_sealed: bool,
}

impl Stream {
    /// The last sequence; 0 when it is empty.
    pub fn end(&self) -> u64 {
        self.messages.len() as u64
    }

    /// The message at a sequence.
    pub fn at(&self, sequence: u64) -> Option<&Stored> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.messages.get(index)?.as_ref()
    }

    /// The messages from a sequence on.
    pub fn from(&self, sequence: u64) -> impl DoubleEndedIterator<Item = &Stored> {
        let index = usize::try_from(sequence.saturating_sub(1)).unwrap_or(usize::MAX);
        self.messages.iter().skip(index).flatten()
    }

    /// The newest message of a subject up to a sequence.
    pub fn newest_until(&self, subject: Subject, end: u64) -> Option<&Stored> {
        self.from(1).rfind(|stored| stored.subject == subject && stored.sequence <= end)
    }

    /// Where a message with this id was stored.
    pub fn of_id(&self, id: &str) -> Option<u64> {
        self.ids.get(id).copied()
    }

    /// The newest message of a subject.
    pub fn newest_of(&self, subject: Subject) -> Option<&Stored> {
        self.from(1).rfind(|stored| stored.subject == subject)
    }

    /// Whether a message may be stored now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check(&self, subject: Subject, expect: Expect) -> Result<(), Refusal> {
        if self.is_sealed {
            return Err(Refusal::Sealed);
        }
        let last = match expect {
            Expect::Nothing => return Ok(()),
            Expect::LastOfStream(expected) => (self.end(), expected),
            Expect::LastOfSubject(expected) => {
                (self.newest_of(subject).map_or(0, |stored| stored.sequence), expected)
            }
        };
        if last.0 == last.1 { Ok(()) } else { Err(Refusal::Conflict) }
    }

    /// Stores a message at the end.
    pub fn push(&mut self, subject: Subject, id: String, stored_at: Timestamp, content: Content) -> u64 {
        let sequence = self.end() + 1;
        self.ids.insert(id.clone(), sequence);
        self.messages.push(Some(Stored { sequence, subject, id, stored_at, content }));
        sequence
    }

    /// Deletes the message at a sequence.
    pub fn delete(&mut self, sequence: u64) {
        if let Some(index) = sequence.checked_sub(1).and_then(|index| usize::try_from(index).ok())
            && let Some(message) = self.messages.get_mut(index)
        {
            *message = None;
        }
    }

    /// Goes back to an older state.
    pub fn roll_back(&mut self, end: u64) {
        self.messages.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        self.ids.retain(|_, sequence| *sequence <= end);
        self.is_sealed = false;
    }
}
