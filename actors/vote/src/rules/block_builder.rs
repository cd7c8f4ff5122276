//! A block that is being put together.

use foldhash::HashMap;
use subjects::ballot::BLOCK_MAX;
use subjects::{BallotId, CastBallot, Choice, Replaced, Voter};

use super::judgement::{Ballot, Verdict};

/// A block may weigh this much as JSON, well below the 1 MiB that a NATS server takes by default.
const BLOCK_BYTES_MAX: usize = 512 * 1024;
/// What a ballot weighs beside its choices: ids, voter, names of fields.
pub const BALLOT_BYTES: usize = 200;

/// A block that is being put together on top of a fold.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    ballots: Vec<CastBallot>,
    bytes: usize,
    standing: HashMap<Voter, u32>,
    by_id: HashMap<(Voter, BallotId), u32>,
}

impl BlockBuilder {
    /// Whether nothing is in the block yet.
    pub fn is_empty(&self) -> bool {
        self.ballots.is_empty()
    }

    /// The ballots of the block, in the order they were judged.
    pub fn into_ballots(self) -> Vec<CastBallot> {
        self.ballots
    }

    /// The newest ballot of a voter in the block, and its index.
    pub(super) fn newest_of(&self, voter: Voter) -> Option<(u32, &CastBallot)> {
        self.at(*self.standing.get(&voter)?)
    }

    /// A voter's ballot of this id in the block, and its index.
    pub(super) fn of_id(&self, voter: Voter, id: BallotId) -> Option<(u32, &CastBallot)> {
        self.at(*self.by_id.get(&(voter, id))?)
    }

    /// Puts a ballot into the block, if there is room.
    pub(super) fn add(&mut self, ballot: &Ballot, replaces: Option<Replaced>) -> Verdict {
        let weight = BALLOT_BYTES
            + weight_of(&ballot.choice)
            + replaces.as_ref().map_or(0, |it| weight_of(&it.choice));
        if self.ballots.len() == BLOCK_MAX || (!self.is_empty() && self.bytes + weight > BLOCK_BYTES_MAX) {
            return Verdict::NoRoom;
        }
        let index = u32::try_from(self.ballots.len()).expect("a block holds at most BLOCK_MAX ballots");
        let Ballot { id, voter, .. } = *ballot;
        self.bytes += weight;
        self.standing.insert(voter, index);
        self.by_id.insert((voter, id), index);
        self.ballots.push(CastBallot { ballot: id, voter, choice: ballot.choice.clone(), replaces });
        Verdict::InBlock(id, index)
    }

    fn at(&self, index: u32) -> Option<(u32, &CastBallot)> {
        Some((index, self.ballots.get(index as usize)?))
    }
}

fn weight_of(choice: &Choice) -> usize {
    choice.0.iter().map(|option| option.as_str().len() + "\"\",".len()).sum()
}
