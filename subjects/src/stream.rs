//! Where messages are kept, and under which durable names they are read. Declared as data; `nats` applies it.

use crate::RoundId;

/// A JetStream stream. All are file storage with limits retention and no age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The one subject, with wildcards, whose messages it keeps.
    pub subject: String,
    /// What it forgets.
    pub retention: Retention,
}

/// What a stream forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Nothing: no message can be deleted or purged, and a full disk refuses rather than forgets.
    Everything,
    /// All but the newest so many messages of each subject.
    PerSubject(i64),
}

/// A durable consumer: a reader whose place the server remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    /// Its name: that of the actor.
    pub name: &'static str,
    /// The stream it reads.
    pub stream: String,
}

/// How many versions of each round are kept.
const ROUND_VERSIONS: i64 = 64;

impl Stream {
    /// Every round's versions: `round.<round>`.
    pub fn rounds() -> Self {
        Self::keep("ROUNDS", "round.*", Retention::PerSubject(ROUND_VERSIONS))
    }

    /// Every open round's voter key: `key.<round>`. Apart from the rounds so that a key can be destroyed
    /// and so that who may read a round need not be able to read its key.
    pub fn keys() -> Self {
        Self::keep("KEYS", "key.*", Retention::PerSubject(1))
    }

    /// One round's ballots: `vote.<round>.>`.
    pub fn votes(round: &RoundId) -> Self {
        Self {
            name: format!("VOTES-{round}"),
            subject: format!("vote.{round}.>"),
            retention: Retention::Everything,
        }
    }

    /// Every round's newest counts: `tally.<round>.counted`.
    pub fn tallies() -> Self {
        Self::keep("TALLIES", "tally.*.counted", Retention::PerSubject(1))
    }

    /// What could not be handled: `dead.<durable>.<stream>`.
    pub fn dead() -> Self {
        Self::keep("DEAD", "dead.>", Retention::Everything)
    }

    /// The streams that are there from the first start on. Those of rounds come with their rounds.
    pub fn standing() -> [Self; 4] {
        [Self::rounds(), Self::keys(), Self::tallies(), Self::dead()]
    }

    fn keep(name: &str, subject: &str, retention: Retention) -> Self {
        Self { name: name.to_owned(), subject: subject.to_owned(), retention }
    }
}

impl Durable {
    /// The reader that counts one round.
    pub fn tally(round: &RoundId) -> Self {
        Self { name: "tally", stream: Stream::votes(round).name }
    }

    /// The reader that keeps the rounds' copy in Postgres.
    pub fn round() -> Self {
        Self { name: "round", stream: Stream::rounds().name }
    }
}
