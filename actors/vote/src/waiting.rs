//! A ballot that waits for its answer, and the answers that there are.

use nats::Monotonic;
use subjects::{BallotId, Place};

use crate::rules::{Ballot, Refusal};

/// A ballot that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub ballot: BallotId,
    /// Where it is stored.
    pub place: Place,
}

/// Why a ballot was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// A rule forbids it. This request has put nothing into the log.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log cannot be written to now. This request has put nothing into the log.
    #[error("the log cannot take it now")]
    LogAway,
    /// Too many wait already. This request has put nothing into the log.
    #[error("too many ballots are waiting")]
    Full,
    /// No acknowledgement came in time. The ballot may be in the log, now or later.
    #[error("the log has not confirmed it")]
    Unconfirmed,
}

/// What became of a ballot, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The voter's first ballot is in the log.
    Accepted,
    /// A ballot that replaces an earlier one is in the log.
    Changed,
    /// It was in the log already.
    Repeated,
    /// A rule forbids it.
    Refused,
    /// Nobody knows yet whether it is in the log.
    Unconfirmed,
    /// The log cannot be written to.
    LogAway,
    /// Too many wait already.
    Full,
}

/// A ballot that waits for its answer. `R` is what the answer is sent with.
#[derive(Debug)]
pub struct Waiting<R> {
    /// The ballot.
    pub ballot: Ballot,
    /// When it was cast.
    pub since: Monotonic,
    /// It was in a block that may still be stored, though it was not found in the log.
    pub is_in_doubt: bool,
    /// What the answer is sent with.
    pub reply: R,
}

impl<R> Waiting<R> {
    /// A ballot that was cast at this moment.
    pub fn new(ballot: Ballot, since: Monotonic, reply: R) -> Self {
        Self { ballot, since, is_in_doubt: false, reply }
    }

    /// Why it is turned away when the log cannot take it: nothing was stored, unless that is in doubt.
    pub(crate) fn turned_away(&self) -> (NotAccepted, Outcome) {
        if self.is_in_doubt {
            (NotAccepted::Unconfirmed, Outcome::Unconfirmed)
        } else {
            (NotAccepted::LogAway, Outcome::LogAway)
        }
    }
}
