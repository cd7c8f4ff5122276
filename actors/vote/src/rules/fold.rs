//! The fold of a round's log: who has voted and how. And the judgement of what comes next.

use foldhash::HashMap;
use subjects::{BallotId, BallotsCast, Choice, Place, Replaced, VoteMessage, Voter};
use urna_mutation::{Mutation, is_on};

use super::Refusal;
use super::block_builder::BlockBuilder;
use super::judgement::{Ballot, Standing, Verdict};

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
            VoteMessage::Sealed(_) if is_on(Mutation::PassOverSeal) => self.pass_over(sequence),
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
    pub fn judge(&self, builder: &mut BlockBuilder, ballot: &Ballot, allow_changes: bool) -> Verdict {
        // Before the seal: whoever asks again for a ballot that lies in the log is told so.
        if let Some(verdict) = self.repeated(builder, ballot) {
            return verdict;
        }
        if self.sealed {
            return Verdict::Refused(Refusal::Closed);
        }
        let in_block = builder.newest_of(ballot.voter).map(|(_, before)| before);
        let in_block = in_block.filter(|_| !is_on(Mutation::ReplaceTheOlder));
        let allow_changes = allow_changes || is_on(Mutation::ChangeWhereForbidden);
        let replaces = match (in_block, self.standing.get(&ballot.voter)) {
            (Some(_), _) if !allow_changes => return Verdict::RefusedByBlock(Refusal::AlreadyVoted),
            (None, Some(_)) if !allow_changes => return Verdict::Refused(Refusal::AlreadyVoted),
            (Some(before), _) => Some(Replaced { ballot: before.ballot, choice: before.choice.clone() }),
            (None, Some(before)) => {
                Some(Replaced { ballot: before.ballot, choice: self.choices.of(before.choice).clone() })
            }
            (None, None) => None,
        };
        let replaces = replaces.filter(|_| !is_on(Mutation::ForgetWhatIsReplaced));
        builder.add(ballot, replaces)
    }

    /// Whether this is a ballot that is there already, sent again: by its id, or, when its voter gave none, by having
    /// the choice of the voter's newest.
    fn repeated(&self, builder: &BlockBuilder, ballot: &Ballot) -> Option<Verdict> {
        let by_id = self.same_id_again(builder, ballot);
        if by_id.is_some() || ballot.has_given_id {
            return by_id;
        }
        self.same_choice_again(builder, ballot)
    }

    fn same_id_again(&self, builder: &BlockBuilder, ballot: &Ballot) -> Option<Verdict> {
        if !ballot.has_given_id && is_on(Mutation::ForgetIdsOfForms) {
            return None;
        }
        let (id, voter) = (ballot.id, ballot.voter);
        if let Some((index, before)) = builder.of_id(voter, id) {
            let same = before.choice == ballot.choice;
            return Some(if same {
                Verdict::InBlock(id, index)
            } else {
                Verdict::RefusedByBlock(Refusal::BallotIdReused)
            });
        }
        let standing = self.standing.get(&voter).filter(|known| known.ballot == id);
        let replaced = || self.replaced.get(&(voter, id)).filter(|_| !is_on(Mutation::ForgetReplacedIds));
        let known = standing.or_else(replaced)?;
        let same = is_on(Mutation::AcceptReusedId) || *self.choices.of(known.choice) == ballot.choice;
        Some(if same { Verdict::InLog(id, known.place()) } else { Verdict::Refused(Refusal::BallotIdReused) })
    }

    fn same_choice_again(&self, builder: &BlockBuilder, ballot: &Ballot) -> Option<Verdict> {
        if let Some((index, before)) = builder.newest_of(ballot.voter) {
            return (before.choice == ballot.choice).then_some(Verdict::InBlock(before.ballot, index));
        }
        let known = self.standing.get(&ballot.voter)?;
        let same = *self.choices.of(known.choice) == ballot.choice;
        same.then_some(Verdict::InLog(known.ballot, known.place()))
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

#[cfg(test)]
mod tests;
