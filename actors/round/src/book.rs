//! The book of rounds: the stream ROUNDS, written by compare-and-set, so that nobody overwrites what they have not
//! read.

use metrics::counter;
use nats::{Bus, Clock, Expect, SayError, StoredMessage, TraceContext, Unavailable};
use subjects::{
    Change, Heard, MessageId, Round, RoundChanged, RoundId, RoundState, Stream, VoterKey, VoterKeyMade,
};

use crate::rules::{self, By, Deed, Refusal};

/// How often a change is decided anew because somebody else wrote first. Each time one of those who write at once has
/// its way, so this is how many may.
const TRIES: usize = 100;

/// Reads and writes rounds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub bus: Bus,
    pub clock: Clock,
}

/// A round as it stands in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its sequence in ROUNDS.
    pub version: u64,
    /// The round.
    pub round: Round,
}

/// What somebody wants done with a round.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub deed: Deed,
    /// Who.
    pub by: By,
    /// The version they have seen, if they do not want it done with another.
    pub version: Option<u64>,
}

/// Why a round was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// There is one of this name, and it is as it is.
    #[error("there is a round {} already", .0.id)]
    Exists(Box<Round>),
    /// No acknowledgement came. It may be there or not.
    #[error("the bus has not confirmed the round")]
    Unconfirmed,
    /// The bus did not do its part. Trying again is safe.
    #[error("failed to make the round: {0}")]
    Later(String),
}

/// Why a round was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// There is no such round.
    #[error("there is no round {0}")]
    NoSuchRound(RoundId),
    /// A rule forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is not what it was when it was read. This is its version now.
    #[error("somebody else has changed the round: its version is now {0}")]
    Meanwhile(u64),
    /// No acknowledgement came. It may be changed or not.
    #[error("the bus has not confirmed the change")]
    Unconfirmed,
    /// The bus did not do its part. Trying again is safe.
    #[error("failed to change the round: {0}")]
    Later(String),
}

/// Why nothing was written.
enum NotWritten {
    /// Somebody else wrote first.
    Conflict,
    Unconfirmed,
    Later(String),
}

/// Closes a round: writes its new state. The seal follows from that.
///
/// # Errors
/// [`NotChanged`].
pub async fn close(bus: &Bus, clock: &Clock, id: &RoundId) -> Result<(), NotChanged> {
    let book = Book { bus: bus.clone(), clock: clock.clone() };
    let order = Order { deed: Deed::Close, by: By::Operator, version: None };
    book.change(id, &order).await.map(|_| ())
}

impl Book {
    /// Makes a round that is not there yet.
    pub async fn make(&self, round: Round) -> Result<Entry, NotMade> {
        if let Some(there) = self.read(&round.id).await? {
            return Err(NotMade::Exists(Box::new(there.round)));
        }
        let id = round.id.clone();
        match self.write(Change::Made, round, 0).await {
            Ok(entry) => Ok(entry),
            Err(NotWritten::Conflict) => match self.read(&id).await? {
                Some(there) => Err(NotMade::Exists(Box::new(there.round))),
                None => Err(NotMade::Later(SayError::Conflict.to_string())),
            },
            Err(NotWritten::Unconfirmed) => Err(NotMade::Unconfirmed),
            Err(NotWritten::Later(why)) => Err(NotMade::Later(why)),
        }
    }

    /// Changes a round. When somebody else writes first, it is decided anew about what they have written.
    pub async fn change(&self, id: &RoundId, order: &Order) -> Result<Entry, NotChanged> {
        for _ in 0..TRIES {
            let there = self.read(id).await?.ok_or_else(|| NotChanged::NoSuchRound(id.clone()))?;
            rules::may_organise(&there.round, order.by)?;
            if order.version.is_some_and(|seen| seen != there.version) {
                return Err(NotChanged::Meanwhile(there.version));
            }
            let (change, round) = rules::decide(&there.round, &order.deed, order.by, self.clock.now())?;
            if round == there.round {
                return Ok(there);
            }
            match self.write(change, round, there.version).await {
                Ok(entry) => return Ok(entry),
                Err(NotWritten::Conflict) => {}
                Err(NotWritten::Unconfirmed) => return Err(NotChanged::Unconfirmed),
                Err(NotWritten::Later(why)) => return Err(NotChanged::Later(why)),
            }
        }
        Err(NotChanged::Later(SayError::Conflict.to_string()))
    }

    /// The round as it now is.
    async fn read(&self, id: &RoundId) -> Result<Option<Entry>, Unread> {
        let Some(letter) = self.newest(id).await? else { return Ok(None) };
        let there = RoundChanged::hear(&letter.subject, &letter.payload);
        let there = there.map_err(|why| Unread(why.to_string()))?;
        Ok(Some(Entry { version: letter.sequence, round: there.round }))
    }

    async fn newest(&self, id: &RoundId) -> Result<Option<StoredMessage>, Unavailable> {
        self.bus.newest_of(&Stream::rounds().name, &RoundChanged::subject_of(id)).await
    }

    /// Writes a round over version `expected`, 0 for none. Every step can be taken again: dying between any two leaves
    /// nothing that the next try trips over.
    async fn write(&self, change: Change, round: Round, expected: u64) -> Result<Entry, NotWritten> {
        let trace = TraceContext::start();
        if round.state == RoundState::Open && change != Change::Edited {
            self.lay_log(&round.id, trace).await?;
        }
        let id = MessageId::random();
        let said = RoundChanged { at: self.clock.now(), change, round };
        let outcome = self.bus.say(&said, &id, Expect::LastOfSubject(expected), trace.next()).await;
        let version = match outcome {
            Ok(version) => version,
            Err(SayError::Conflict) => return Err(NotWritten::Conflict),
            Err(SayError::Unanswered) => self.find(&said.round.id, &id, expected).await?,
            Err(fault @ (SayError::Away | SayError::Sealed | SayError::Refused(_))) => {
                return Err(NotWritten::Later(fault.to_string()));
            }
        };
        counter!("urna_round_changes_total", "change" => name(change)).increment(1);
        Ok(Entry { version, round: said.round })
    }

    /// The key and the log of a round that is about to open: they are there before anyone is told of it.
    async fn lay_log(&self, round: &RoundId, trace: TraceContext) -> Result<(), NotWritten> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).expect("the system has random numbers");
        let key =
            VoterKeyMade { at: self.clock.now(), round: round.clone(), key: VoterKey::from_bytes(bits) };
        match self.bus.say(&key, &MessageId::random(), Expect::LastOfSubject(0), trace).await {
            Ok(_) => {}
            // Somebody else made the key, or we did before we died. There must only ever be one.
            Err(SayError::Conflict) => self.find_key(round).await?,
            Err(fault) => return Err(NotWritten::Later(fault.to_string())),
        }
        let declared = self.bus.declare(&Stream::votes(round)).await;
        declared.map_err(|away| NotWritten::Later(away.to_string()))
    }

    /// Makes sure that the key of a round is there. A cluster says that somebody was first while theirs is under way, too,
    /// and it may never be stored.
    async fn find_key(&self, round: &RoundId) -> Result<(), NotWritten> {
        match self.bus.newest_of(&Stream::keys().name, &VoterKeyMade::subject_of(round)).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(NotWritten::Later("its key is not stored yet".to_owned())),
            Err(away) => Err(NotWritten::Later(away.to_string())),
        }
    }

    /// Where the message lies that was not acknowledged. When nothing lies there, it may still be on its way.
    async fn find(&self, round: &RoundId, id: &MessageId, expected: u64) -> Result<u64, NotWritten> {
        match self.newest(round).await {
            Ok(Some(letter)) if letter.id.as_deref() == Some(id.as_str()) => Ok(letter.sequence),
            Ok(Some(letter)) if letter.sequence != expected => Err(NotWritten::Conflict),
            Ok(_) | Err(_) => Err(NotWritten::Unconfirmed),
        }
    }
}

/// Why the book could not be read.
struct Unread(String);

impl From<Unavailable> for Unread {
    fn from(cause: Unavailable) -> Self {
        Self(cause.to_string())
    }
}

impl From<Unread> for NotMade {
    fn from(Unread(why): Unread) -> Self {
        Self::Later(why)
    }
}

impl From<Unread> for NotChanged {
    fn from(Unread(why): Unread) -> Self {
        Self::Later(why)
    }
}

fn name(change: Change) -> &'static str {
    match change {
        Change::Made => "made",
        Change::Edited => "edited",
        Change::Opened => "opened",
        Change::Closed => "closed",
    }
}
