//! A ballot that is judged, and what can become of it.

use subjects::{BallotId, Choice, Place, Voter};

use super::Refusal;

/// A ballot as it reaches the box: valid, but not yet judged against what is in the box.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// Its id: the one that its voter gave it, or a new one.
    pub id: BallotId,
    /// Whether its voter gave the id. A plain form has none, and one that is sent twice is known by its choice.
    pub has_given_id: bool,
    /// Whose it is.
    pub voter: Voter,
    /// What was chosen.
    pub choice: Choice,
}

/// The ballot that counts for a voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub ballot: BallotId,
    /// Where it lies.
    pub place: Place,
    /// What was chosen.
    pub choice: Choice,
}

/// What becomes of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the log already: a retry gets the answer of the first time.
    InLog(BallotId, Place),
    /// It is in the block at this index, and accepted when the block is.
    InBlock(BallotId, u32),
    /// It cannot be accepted.
    Refused(Refusal),
    /// It cannot be accepted once the block is, because of another ballot there.
    RefusedByBlock(Refusal),
    /// The block has no room for it; it belongs into the next.
    NoRoom,
}
