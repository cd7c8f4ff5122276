//! Counts, as they are announced.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::{Heard, Keyed, Said, Unreadable, from_json, round_of};
use crate::{OptionId, RoundId, Timestamp};

/// `tally.<round>.counted`: the counts after everything up to `sequence`. Absolute, so the newest is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TallyCounted {
    /// When it was counted.
    pub at: Timestamp,
    /// Which round.
    pub round: RoundId,
    /// The last sequence of the round's log that is in these counts.
    pub sequence: u64,
    /// The last sequence of the round's log when these were counted.
    #[serde(default)]
    pub head: u64,
    /// Votes per option. An option that nobody chose may be missing.
    pub counts: BTreeMap<OptionId, u64>,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
    /// Whether the seal was passed: these counts will never change.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// How often an operator has put other counts in place, as `urna recount --repair` does. If it is greater than it
    /// was, a smaller `sequence` is newer all the same.
    #[serde(default, skip_serializing_if = "is_never")]
    pub generation: u64,
}

/// The conservation law of a round: accepted = counted + replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Ballots in the log.
    pub accepted: u64,
    /// Ballots that count.
    pub counted: u64,
    /// Ballots whose voter cast another later.
    pub replaced: u64,
    /// Messages of the log that nobody could read; they are in DEAD_LETTERS with the reason.
    #[serde(default)]
    pub unreadable: u64,
}

fn is_never(times: &u64) -> bool {
    *times == 0
}

impl Ledger {
    /// Whether no accepted ballot is missing and none counts twice.
    pub fn balances(&self) -> bool {
        self.counted.checked_add(self.replaced) == Some(self.accepted)
    }
}

impl Said for TallyCounted {
    const KIND: &'static str = "tally_counted";
    const SUBJECT: &'static str = "tally.*.counted";

    fn subject(&self) -> String {
        TallyCounted::subject_of(&self.round)
    }
}

impl TallyCounted {
    /// The subject of one round's counts.
    pub fn subject_of(round: &RoundId) -> String {
        format!("tally.{round}.counted")
    }
}

impl Keyed for TallyCounted {
    type Key = RoundId;

    fn key_of(subject: &str) -> Result<RoundId, Unreadable> {
        round_of(subject, "tally.", ".counted")
    }
}

impl Heard for TallyCounted {
    fn hear(_subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        from_json(payload)
    }
}
