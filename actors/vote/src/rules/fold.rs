//! The fold of a round's log: who has voted and how. And the judgement of what comes next.

use std::collections::HashMap;

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

/// A ballot in the fold.
#[derive(Clone, Copy, Debug)]
struct Known {
    ballot: BallotId,
    place: Place,
    choice: u32,
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
            place: known.place,
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
            let place = Place { sequence, index };
            let known = Known { ballot: cast.ballot, place, choice: self.choices.number(&cast.choice) };
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
        Some(if same { Verdict::InLog(id, known.place) } else { Verdict::Refused(Refusal::BallotIdReused) })
    }

    fn same_choice_again(&self, draft: &Draft, ballot: &Ballot) -> Option<Verdict> {
        if let Some(index) = draft.standing.get(&ballot.voter) {
            let before = &draft.ballots[*index as usize];
            return (before.choice == ballot.choice).then_some(Verdict::InBlock(before.ballot, *index));
        }
        let known = self.standing.get(&ballot.voter)?;
        let same = *self.choices.of(known.choice) == ballot.choice;
        same.then_some(Verdict::InLog(known.ballot, known.place))
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
mod tests {
    use super::*;
    use subjects::{OptionId, RoundId, RoundSealed, Timestamp};

    fn ballot(id: Option<BallotId>, voter: u8, choice: &str) -> Ballot {
        let choice = Choice(vec![OptionId::parse(choice).unwrap()]);
        Ballot { id, voter: Voter::from_bytes([voter; 16]), choice }
    }

    /// Judges ballots together and appends the block, as a box does.
    fn append(fold: &mut Fold, ballots: &[Ballot], changeable: bool) -> Vec<Verdict> {
        let mut draft = Draft::default();
        let verdicts = ballots.iter().map(|ballot| fold.judge(&mut draft, ballot, changeable)).collect();
        if !draft.is_empty() {
            let round = RoundId::parse("demo").unwrap();
            let block = BallotsCast { at: now(), round, ballots: draft.into_ballots() };
            fold.take(fold.sequence() + 1, &VoteMessage::Cast(block));
        }
        verdicts
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_millis(0).unwrap()
    }

    fn choice_of(fold: &Fold, voter: u8) -> Option<String> {
        fold.standing(Voter::from_bytes([voter; 16])).map(|standing| standing.choice.to_string())
    }

    #[test]
    fn a_new_voter_is_accepted_and_a_change_names_what_it_replaces() {
        let mut fold = Fold::default();
        let (first, second) = (BallotId::random(), BallotId::random());
        let verdicts = append(&mut fold, &[ballot(Some(first), 1, "cats"), ballot(None, 2, "cats")], true);
        assert_eq!(verdicts[0], Verdict::InBlock(first, 0));
        assert!(matches!(verdicts[1], Verdict::InBlock(_, 1)));

        let mut draft = Draft::default();
        fold.judge(&mut draft, &ballot(Some(second), 1, "dogs"), true);
        let replaces = draft.into_ballots()[0].replaces.clone().unwrap();
        assert_eq!((replaces.ballot, replaces.choice.to_string()), (first, "cats".to_owned()));
    }

    #[test]
    fn a_ballot_sent_again_gets_the_answer_of_the_first_time() {
        let mut fold = Fold::default();
        let (first, second) = (BallotId::random(), BallotId::random());
        let at = |sequence, index| Place { sequence, index };
        append(&mut fold, &[ballot(Some(first), 1, "cats")], false);
        assert_eq!(
            append(&mut fold, &[ballot(Some(first), 1, "cats")], false),
            [Verdict::InLog(first, at(1, 0))]
        );

        append(&mut fold, &[ballot(Some(second), 1, "dogs")], true);
        let late = append(&mut fold, &[ballot(Some(first), 1, "cats")], true);
        assert_eq!(late, [Verdict::InLog(first, at(1, 0))], "a late retry does not change the ballot back");
        assert_eq!(choice_of(&fold, 1).as_deref(), Some("dogs"));
    }

    #[test]
    fn a_form_sent_twice_is_one_ballot() {
        for changeable in [true, false] {
            let mut fold = Fold::default();
            let twice = [ballot(None, 1, "cats"), ballot(None, 1, "cats")];
            let verdicts = append(&mut fold, &twice, changeable);
            assert_eq!(verdicts[0], verdicts[1]);
            let again = append(&mut fold, &twice[..1], changeable);
            assert!(matches!(again[0], Verdict::InLog(_, Place { sequence: 1, index: 0 })));
            assert_eq!(fold.sequence(), 1);
        }
    }

    #[test]
    fn a_second_ballot_is_refused_where_the_round_does_not_let_it_be_changed() {
        let mut fold = Fold::default();
        let together = append(&mut fold, &[ballot(None, 1, "cats"), ballot(None, 1, "dogs")], false);
        assert_eq!(together[1], Verdict::RefusedByBlock(Refusal::AlreadyVoted));
        let later = append(&mut fold, &[ballot(None, 1, "dogs")], false);
        assert_eq!(later, [Verdict::Refused(Refusal::AlreadyVoted)]);
        assert_eq!(choice_of(&fold, 1).as_deref(), Some("cats"));
    }

    #[test]
    fn a_ballot_id_cannot_be_used_for_another_choice() {
        let mut fold = Fold::default();
        let id = Some(BallotId::random());
        let together = append(&mut fold, &[ballot(id, 1, "cats"), ballot(id, 1, "dogs")], true);
        assert_eq!(together[1], Verdict::RefusedByBlock(Refusal::BallotIdReused));
        assert_eq!(
            append(&mut fold, &[ballot(id, 1, "dogs")], true),
            [Verdict::Refused(Refusal::BallotIdReused)]
        );
    }

    #[test]
    fn another_voters_ballot_id_is_no_retry() {
        let mut fold = Fold::default();
        let id = Some(BallotId::random());
        append(&mut fold, &[ballot(id, 1, "cats")], true);
        let other = append(&mut fold, &[ballot(id, 2, "cats")], true);
        assert!(matches!(other[0], Verdict::InBlock(_, 0)));
        assert_eq!(fold.voters(), 2);
    }

    #[test]
    fn nothing_follows_the_seal() {
        let mut fold = Fold::default();
        append(&mut fold, &[ballot(None, 1, "cats")], true);
        let seal = RoundSealed { at: now(), round: RoundId::parse("demo").unwrap(), why: "time".into() };
        fold.take(2, &VoteMessage::Sealed(seal));
        let again = append(&mut fold, &[ballot(None, 1, "cats")], true);
        assert!(
            matches!(again[0], Verdict::InLog(_, Place { sequence: 1, index: 0 })),
            "but a retry is answered"
        );
        assert_eq!(append(&mut fold, &[ballot(None, 2, "cats")], true), [Verdict::Refused(Refusal::Closed)]);
    }

    #[test]
    fn a_message_that_is_in_the_fold_changes_nothing() {
        let mut fold = Fold::default();
        append(&mut fold, &[ballot(None, 1, "cats")], true);
        append(&mut fold, &[ballot(None, 1, "dogs")], true);
        let seal = RoundSealed { at: now(), round: RoundId::parse("demo").unwrap(), why: "time".into() };
        fold.take(2, &VoteMessage::Sealed(seal));
        assert!(!fold.is_sealed());
        assert_eq!(choice_of(&fold, 1).as_deref(), Some("dogs"));
    }

    #[test]
    fn a_block_has_room_for_a_thousand_ballots_and_for_half_a_mebibyte() {
        let fold = Fold::default();
        let mut draft = Draft::default();
        let voter = |number: u32| Voter::from_bytes(u128::from(number).to_be_bytes());
        let long = Choice(vec![OptionId::parse(&"x".repeat(64)).unwrap(); 100]);
        let mut room = 0;
        let ballot =
            |number, choice: &Choice| Ballot { id: None, voter: voter(number), choice: choice.clone() };
        while fold.judge(&mut draft, &ballot(room, &long), true) != Verdict::NoRoom {
            room += 1;
        }
        assert_eq!(room, 75);

        let mut draft = Draft::default();
        let short = Choice(vec![OptionId::parse("cats").unwrap()]);
        let verdicts: Vec<_> =
            (0..1_001).map(|number| fold.judge(&mut draft, &ballot(number, &short), true)).collect();
        assert!(matches!(verdicts[999], Verdict::InBlock(_, 999)));
        assert_eq!(verdicts[1_000], Verdict::NoRoom);
    }
}
