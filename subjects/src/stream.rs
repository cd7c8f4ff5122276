//! Where messages are kept, and under which durable names they are read. Declared as data; `nats` applies it.

use std::time::Duration;

use crate::{Bucket, RoundId};

/// A JetStream stream. All are file storage with limits retention.
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
    /// Nothing, and takes one message of each subject: a second one is refused until the first is deleted.
    OncePerSubject,
    /// What is older than this.
    Age(Duration),
}

/// Which account of the server streams and their processes are in. No message of a stream passes from one account to the
/// other; only questions to the service registry do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// Rounds, keys, ballots, counts, pictures.
    Elections,
    /// Accounts of people and their sessions.
    People,
}

/// A durable consumer: a reader whose place the server remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    /// Its name: that of the actor.
    pub name: &'static str,
    /// The stream it reads.
    pub stream: Stream,
}

/// How many versions of each round are kept.
const ROUND_VERSIONS: i64 = 64;

/// How long it is known who registered, proved who they are, and failed to.
const ACCOUNTS_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long it is known which sessions were opened and have ended: longer than any of them lasts.
const SESSIONS_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Stream {
    /// What is said of accounts: `account.<user>.…`.
    pub fn accounts() -> Self {
        Self::keep("ACCOUNTS", "account.*.*", Retention::Age(ACCOUNTS_AGE))
    }

    /// Where people are and were signed in: `session.<session>.…`.
    pub fn sessions() -> Self {
        Self::keep("SESSIONS", "session.*.*", Retention::Age(SESSIONS_AGE))
    }

    /// Every round's versions: `round.<round>`.
    pub fn rounds() -> Self {
        Self::keep("ROUNDS", "round.*", Retention::PerSubject(ROUND_VERSIONS))
    }

    /// Every open round's voter key: `key.<round>`. Apart from the rounds so that a key can be destroyed
    /// and so that who may read a round need not be able to read its key.
    pub fn keys() -> Self {
        Self::keep("KEYS", "key.*", Retention::OncePerSubject)
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

    /// What could not be handled: `dead_letter.<durable>.<stream>`.
    pub fn dead_letters() -> Self {
        Self::keep("DEAD_LETTERS", "dead_letter.>", Retention::Everything)
    }

    fn keep(name: &str, subject: &str, retention: Retention) -> Self {
        Self { name: name.to_owned(), subject: subject.to_owned(), retention }
    }
}

impl Account {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Elections, Self::People];

    /// The streams that exist before any process starts. Those of rounds come with their rounds.
    pub fn streams(self) -> Vec<Stream> {
        match self {
            Self::Elections => {
                vec![Stream::rounds(), Stream::keys(), Stream::tallies(), Stream::dead_letters()]
            }
            Self::People => vec![Stream::accounts(), Stream::sessions(), Stream::dead_letters()],
        }
    }

    /// The buckets that exist before any process starts.
    pub fn buckets(self) -> Vec<Bucket> {
        match self {
            Self::Elections => vec![Bucket::pictures()],
            Self::People => Vec::new(),
        }
    }
}

impl Durable {
    /// The reader that counts one round.
    pub fn tally(round: &RoundId) -> Self {
        Self { name: "tally", stream: Stream::votes(round) }
    }

    /// The reader that opens and ends sessions.
    pub fn session() -> Self {
        Self { name: "session", stream: Stream::accounts() }
    }

    /// The reader that keeps the rounds' copy in Postgres.
    pub fn round() -> Self {
        Self { name: "round", stream: Stream::rounds() }
    }
}
