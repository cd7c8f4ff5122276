//! The auditor: recounts from the log alone, by code that shares nothing with the tally or the box.
//!
//! It reads the JSON as it lies in the stream, remembers each voter's last ballot, and checks that every block
//! says the truth about what it replaces, that no ballot lies there twice, and that nothing follows the seal.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, ensure};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;
use sqlx::{PgPool, Row};

use crate::{World, eventually};

/// The demonstration round.
const DEMO: &str = "demo";
/// How long the next message of a log may take.
const MESSAGE_WITHIN: Duration = Duration::from_secs(10);

/// What the log says.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// The round.
    pub round: String,
    /// Votes per option.
    pub votes: BTreeMap<String, i64>,
    /// Ballots in the log.
    pub accepted: i64,
    /// Ballots whose voter cast another later.
    pub replaced: i64,
    /// The last sequence.
    pub sequence: u64,
    /// Every ballot by id, with its place: sequence and index.
    pub ballots: HashMap<String, (u64, usize)>,
    /// Each voter's last ballot and choice, as in [`Logged`].
    pub voters: HashMap<String, (String, String)>,
    /// Every ballot, in the order of the log.
    pub log: Vec<Logged>,
    /// Messages that nobody can read.
    pub unreadable: i64,
    /// Where the seal lies.
    pub sealed: Option<u64>,
    /// What must not be.
    pub faults: Vec<String>,
}

/// A ballot in the log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its id.
    pub ballot: String,
    /// Whose it is.
    pub voter: String,
    /// What was chosen: the options with commas between them.
    pub choice: String,
}

/// What Postgres says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scoreboard {
    /// The last sequence that is counted.
    pub sequence: i64,
    /// Ballots in the log.
    pub accepted: i64,
    /// Ballots that count.
    pub counted: i64,
    /// Ballots whose voter cast another later.
    pub replaced: i64,
    /// Messages that nobody can read.
    pub unreadable: i64,
    /// Votes per option.
    pub votes: BTreeMap<String, i64>,
}

/// Reads the log of the demonstration round from its start, and finds nothing that must not be.
pub async fn audit(world: &World) -> Audit {
    audit_of(world, DEMO).await
}

/// Reads the log of a round from its start, and finds nothing that must not be.
pub async fn audit_of(world: &World, round: &str) -> Audit {
    let audit = eventually("the log is read to its end", || async { recount(world, round).await.ok() }).await;
    assert!(audit.faults.is_empty(), "{:#?}", audit.faults);
    audit
}

/// The rounds that have a log.
///
/// # Errors
/// When the nats-server does not answer.
pub async fn rounds(world: &World) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = world.jetstream().await?.stream_names().try_collect().await?;
    Ok(names.iter().filter_map(|name| name.strip_prefix("VOTES-")).map(str::to_owned).collect())
}

/// Reads the log of a round from its start.
///
/// # Errors
/// When the log cannot be read to its end.
pub async fn recount(world: &World, round: &str) -> anyhow::Result<Audit> {
    let jetstream = world.jetstream().await.context("failed to reach the nats-server")?;
    let stream = jetstream.get_stream(format!("VOTES-{round}")).await.context("failed to find the log")?;
    let last = stream.cached_info().state.last_sequence;
    let config = pull::Config { ack_policy: AckPolicy::None, ..Default::default() };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    let mut audit = Audit { round: round.to_owned(), ..Audit::default() };
    while audit.sequence < last {
        let message = tokio::time::timeout(MESSAGE_WITHIN, messages.next()).await;
        let message =
            message.context("failed to read the log to its end")?.context("the log ended early")??;
        let sequence = message.info().map_err(|fault| anyhow::anyhow!(fault))?.stream_sequence;
        ensure!(sequence == audit.sequence + 1, "the log has a gap before {sequence}");
        audit.take(sequence, &message.subject, &message.payload);
    }
    Ok(audit)
}

impl Audit {
    fn take(&mut self, sequence: u64, subject: &str, payload: &[u8]) {
        self.sequence = sequence;
        if let Some(seal) = self.sealed {
            self.faults.push(format!("message {sequence} follows the seal at {seal}"));
        }
        if subject.ends_with(".sealed") {
            self.sealed = Some(sequence);
            return;
        }
        let block = serde_json::from_slice::<Value>(payload).unwrap_or_default();
        let casts = block["ballots"].as_array().filter(|_| block["round"] == *self.round);
        let read = casts.and_then(|casts| casts.iter().map(Cast::of).collect::<Option<Vec<_>>>());
        let Some(casts) = read else {
            self.unreadable += 1;
            return;
        };
        for (index, cast) in casts.into_iter().enumerate() {
            self.take_ballot((sequence, index), cast);
        }
    }

    fn take_ballot(&mut self, place: (u64, usize), Cast { logged, replaces }: Cast) {
        let Logged { ballot, voter, choice } = logged.clone();
        let before = self.voters.insert(voter, (ballot.clone(), choice.clone()));
        if before != replaces {
            let fault =
                format!("ballot {ballot} at {place:?} says that it replaces {replaces:?}, not {before:?}");
            self.faults.push(fault);
        }
        if let Some((_, choice)) = before {
            self.replaced += 1;
            self.add(&choice, -1);
        }
        self.accepted += 1;
        self.add(&choice, 1);
        self.log.push(logged);
        if let Some(first) = self.ballots.insert(ballot.clone(), place) {
            self.faults.push(format!("ballot {ballot} lies in the log twice: at {first:?} and at {place:?}"));
        }
    }

    fn add(&mut self, choice: &str, votes: i64) {
        for option in choice.split(',') {
            *self.votes.entry(option.to_owned()).or_default() += votes;
        }
    }

    /// What the scoreboard must say when all of this log is counted.
    pub fn scoreboard(&self) -> Scoreboard {
        Scoreboard {
            sequence: signed(self.sequence),
            accepted: self.accepted,
            counted: i64::try_from(self.voters.len()).expect("few voters"),
            replaced: self.replaced,
            unreadable: self.unreadable,
            votes: self.votes.clone(),
        }
    }

    /// Compares with the scoreboard.
    pub async fn agrees(&self, world: &World) {
        let database = world.database().await;
        if self.sequence == 0 {
            return;
        }
        let counted = eventually("the whole log is counted", || async {
            let scoreboard = Scoreboard::read(&database, &self.round).await.ok()?;
            (scoreboard.sequence == signed(self.sequence)).then_some(scoreboard)
        })
        .await;
        assert_eq!(counted, self.scoreboard());
    }

    /// Checks that every ballot of which somebody was told that it is accepted lies where they were told.
    pub fn holds(&self, accepted: &[crate::Answer]) {
        for answer in accepted {
            let ballot = answer.body["ballot"].as_str().expect("an accepted ballot has an id");
            let place = self
                .ballots
                .get(ballot)
                .unwrap_or_else(|| panic!("accepted ballot {ballot} is not in the log"));
            assert_eq!(answer.body["sequence"], place.0);
            assert_eq!(answer.body["index"], place.1);
        }
    }
}

impl Scoreboard {
    /// Reads what Postgres says of a round.
    ///
    /// # Errors
    /// When Postgres does not answer, or has nothing about the round.
    pub async fn read(database: &PgPool, round: &str) -> Result<Self, sqlx::Error> {
        let cursor = sqlx::query("select * from tally.cursor where round = $1").bind(round);
        let cursor = cursor.fetch_one(database).await?;
        let votes = sqlx::query("select option, votes from tally.count where round = $1").bind(round);
        let votes = votes.fetch_all(database).await?;
        Ok(Self {
            sequence: cursor.try_get("sequence")?,
            accepted: cursor.try_get("accepted")?,
            counted: cursor.try_get("counted")?,
            replaced: cursor.try_get("replaced")?,
            unreadable: cursor.try_get("unreadable")?,
            votes: votes.iter().map(|row| (row.get("option"), row.get("votes"))).collect(),
        })
    }
}

/// A ballot as its block has it: with the ballot and the choice that it says it replaces.
struct Cast {
    logged: Logged,
    replaces: Option<(String, String)>,
}

impl Cast {
    fn of(cast: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let replaces = match cast.get("replaces") {
            Some(replaced) => Some((text(&replaced["ballot"])?, choice_of(replaced)?)),
            None => None,
        };
        let (ballot, voter, choice) = (text(&cast["ballot"])?, text(&cast["voter"])?, choice_of(cast)?);
        Some(Self { logged: Logged { ballot, voter, choice }, replaces })
    }
}

fn choice_of(cast: &Value) -> Option<String> {
    let options: Vec<&str> = cast["choice"].as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    (!options.is_empty()).then(|| options.join(","))
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).expect("a small sequence")
}
