//! How often each outcome came, for metrics.

use std::sync::LazyLock;

use metrics::{Counter, counter};

use crate::waiting::Outcome;

/// The counters of all outcomes, looked up once: this is counted for every ballot.
static OUTCOMES: LazyLock<[Counter; 7]> = LazyLock::new(|| {
    ["accepted", "changed", "repeated", "refused", "unconfirmed", "log_away", "full"]
        .map(|outcome| counter!("urna_vote_cast_total", "outcome" => outcome))
});

/// Counts what became of a ballot.
pub(crate) fn count(outcome: Outcome) {
    OUTCOMES[outcome as usize].increment(1);
}
