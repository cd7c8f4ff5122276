//! What can be asked of the book of rounds, and what comes of it.

use subjects::{Round, RoundId};

use crate::rules::{By, Deed, Refusal};

/// A round as it stands in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its sequence in ROUNDS.
    pub version: u64,
    /// The round.
    pub round: Round,
}

/// What somebody wants done with a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub deed: Deed,
    /// Who.
    pub by: By,
    /// The version they have seen, if they do not want it done with another.
    pub version: Option<u64>,
}

/// Why a round was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// There is one of this name, and it is as it is.
    #[error("a round with the id {} already exists", .0.id)]
    Exists(Box<Round>),
    /// No acknowledgement came. It may be there or not.
    #[error("the bus has not confirmed the round")]
    Unconfirmed,
    /// The bus did not do its part. Trying again is safe.
    #[error("failed to make the round: {0}")]
    Later(String),
}

/// Why a round was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
