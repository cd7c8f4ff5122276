//! The fold of a round's log: who has voted and how. And the judgement of what comes next.

use foldhash::HashMap;
use subjects::ballot::BLOCK_MAX;
use subjects::{BallotId, BallotsCast, CastBallot, Choice, Place, Replaced, VoteMessage, Voter};

use super::Refusal;

/// A block may weigh this much as JSON, well below the 1 MiB that a NATS server takes by default.
const BLOCK_BYTES_MAX: usize = 512 * 1024;
/// What a ballot weighs beside its choices: ids, voter, names of fields.
pub const BALLOT_BYTES: usize = 200;

/// A ballot as it reaches the box: valid, but not yet judged against what is in the box.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// The name its voter gave it. `None` when they gave none, as a plain form does.
    pub id: Option<BallotId>,
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

/// Everything a box knows: the fold of the log up to `sequence`.
///
/// About 100 bytes a voter. Choices are kept once, however many chose the same; 40 bytes for each of their options.
#[derive(Debug, Default)]
pub struct Fold {
    sequence: u64,
    sealed: bool,
    choices: Choices,
    standing: HashMap<Voter, Known>,
    /// Ballots that were replaced, so that a late retry of one is known for what it is.
    replaced: HashMap<(Voter, BallotId), Known>,
}

/// A block that is being put together on top of a fold.
#[derive(Debug, Default)]
pub struct Draft {
    ballots: Vec<CastBallot>,
    bytes: usize,
    standing: HashMap<Voter, u32>,
    by_id: HashMap<(Voter, BallotId), u32>,
}

/// A ballot in the fold. There is one for each voter, so its place is taken apart: together it would have four bytes of
/// padding, and with them eight.
#[derive(Clone, Copy, Debug)]
struct Known {
    ballot: BallotId,
    sequence: u64,
    index: u32,
    choice: u32,
}

impl Known {
    fn place(&self) -> Place {
        Place { sequence: self.sequence, index: self.index }
    }
}

/// Every choice that was ever made in the round, by number.
#[derive(Debug, Default)]
struct Choices {
    by_number: Vec<Choice>,
    numbers: HashMap<Choice, u32>,
}

impl Fold {
    /// The last sequence that is in the fold; 0 for an empty log.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the seal is in the fold.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// How many voters have a ballot in the box.
    pub fn voters(&self) -> usize {
        self.standing.len()
    }

    /// The ballot that counts for a voter.
    pub fn standing(&self, voter: Voter) -> Option<Standing> {
        let known = self.standing.get(&voter)?;
        Some(Standing {
            ballot: known.ballot,
            place: known.place(),
            choice: self.choices.of(known.choice).clone(),
        })
    }

    /// Takes in the message at the next sequence. One that is in the fold already changes nothing.
    pub fn take(&mut self, sequence: u64, message: &VoteMessage) {
        match message {
            VoteMessage::Cast(block) => self.take_block(sequence, block),
            VoteMessage::Sealed(_) => self.sealed |= self.moves_to(sequence),
        }
    }

    /// The same with a block.
    pub fn take_block(&mut self, sequence: u64, block: &BallotsCast) {
        if !self.moves_to(sequence) {
            return;
        }
        for (index, cast) in (0..).zip(&block.ballots) {
            let choice = self.choices.number(&cast.choice);
            let known = Known { ballot: cast.ballot, sequence, index, choice };
            if let Some(before) = self.standing.insert(cast.voter, known) {
                self.replaced.insert((cast.voter, before.ballot), before);
            }
        }
    }

    /// Moves on to a sequence, unless it is in the fold already.
    fn moves_to(&mut self, sequence: u64) -> bool {
        let moves = sequence > self.sequence;
        self.sequence = self.sequence.max(sequence);
        moves
    }

    /// Passes over a message that nobody can read.
    pub fn pass_over(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    /// Judges a ballot against the fold and the block that is being put together, and puts it into the block
    /// when it is new or a change that the round allows.
    pub fn judge(&self, draft: &mut Draft, ballot: &Ballot, changeable: bool) -> Verdict {
        // Before the seal: whoever asks again for a ballot that lies in the log is told so.
        if let Some(verdict) = self.repeated(draft, ballot) {
            return verdict;
        }
        if self.sealed {
            return Verdict::Refused(Refusal::Closed);
        }
        let in_block = draft.standing.get(&ballot.voter).map(|index| &draft.ballots[*index as usize]);
        let replaces = match (in_block, self.standing.get(&ballot.voter)) {
            (Some(_), _) if !changeable => return Verdict::RefusedByBlock(Refusal::AlreadyVoted),
            (None, Some(_)) if !changeable => return Verdict::Refused(Refusal::AlreadyVoted),
            (Some(before), _) => Some(Replaced { ballot: before.ballot, choice: before.choice.clone() }),
            (None, Some(before)) => {
                Some(Replaced { ballot: before.ballot, choice: self.choices.of(before.choice).clone() })
            }
            (None, None) => None,
        };
        draft.add(ballot, replaces)
    }

    /// Whether this is a ballot that is there already, sent again: by its id, or, when it has none, by having the
    /// choice of the voter's newest.
    fn repeated(&self, draft: &Draft, ballot: &Ballot) -> Option<Verdict> {
        let Some(id) = ballot.id else {
            return self.same_choice_again(draft, ballot);
        };
        if let Some(index) = draft.by_id.get(&(ballot.voter, id)) {
            let same = draft.ballots[*index as usize].choice == ballot.choice;
            return Some(if same {
                Verdict::InBlock(id, *index)
            } else {
                Verdict::RefusedByBlock(Refusal::BallotIdReused)
            });
        }
        let standing = self.standing.get(&ballot.voter).filter(|known| known.ballot == id);
        let known = standing.or_else(|| self.replaced.get(&(ballot.voter, id)))?;
        let same = *self.choices.of(known.choice) == ballot.choice;
        Some(if same { Verdict::InLog(id, known.place()) } else { Verdict::Refused(Refusal::BallotIdReused) })
    }

    fn same_choice_again(&self, draft: &Draft, ballot: &Ballot) -> Option<Verdict> {
        if let Some(index) = draft.standing.get(&ballot.voter) {
            let before = &draft.ballots[*index as usize];
            return (before.choice == ballot.choice).then_some(Verdict::InBlock(before.ballot, *index));
        }
        let known = self.standing.get(&ballot.voter)?;
        let same = *self.choices.of(known.choice) == ballot.choice;
        same.then_some(Verdict::InLog(known.ballot, known.place()))
    }
}

impl Draft {
    /// Whether nothing is in the block yet.
    pub fn is_empty(&self) -> bool {
        self.ballots.is_empty()
    }

    /// The ballots of the block, in the order they were judged.
    pub fn into_ballots(self) -> Vec<CastBallot> {
        self.ballots
    }

    fn add(&mut self, ballot: &Ballot, replaces: Option<Replaced>) -> Verdict {
        let weight = BALLOT_BYTES
            + weight_of(&ballot.choice)
            + replaces.as_ref().map_or(0, |it| weight_of(&it.choice));
        if self.ballots.len() == BLOCK_MAX || (!self.is_empty() && self.bytes + weight > BLOCK_BYTES_MAX) {
            return Verdict::NoRoom;
        }
        let index = u32::try_from(self.ballots.len()).expect("a block holds at most BLOCK_MAX ballots");
        let id = ballot.id.unwrap_or_else(BallotId::random);
        self.bytes += weight;
        self.standing.insert(ballot.voter, index);
        self.by_id.insert((ballot.voter, id), index);
        let choice = ballot.choice.clone();
        self.ballots.push(CastBallot { ballot: id, voter: ballot.voter, choice, replaces });
        Verdict::InBlock(id, index)
    }
}

impl Choices {
    fn number(&mut self, choice: &Choice) -> u32 {
        if let Some(number) = self.numbers.get(choice) {
            return *number;
        }
        let number = u32::try_from(self.by_number.len()).expect("fewer than 2^32 choices");
        self.by_number.push(choice.clone());
        self.numbers.insert(choice.clone(), number);
        number
    }

    fn of(&self, number: u32) -> &Choice {
        &self.by_number[number as usize]
    }
}

fn weight_of(choice: &Choice) -> usize {
    choice.0.iter().map(|option| option.as_str().len() + "\"\",".len()).sum()
}

#[cfg(test)]
mod tests;
