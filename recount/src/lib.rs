//! The recount: counts a round again from its log alone, and compares it with a scoreboard that it is given.
//!
//! It shares nothing with the tally. The tally believes what a block says about the ballots it replaces; the recount
//! remembers each voter's last ballot and checks it. Reading the log is all it needs to be allowed.
//!
//! Promise: whoever can read the log can recount it.

mod compare;
mod comparison;

use std::collections::BTreeMap;
use std::fmt;

use foldhash::HashMap;
use subjects::{BallotId, CastBallot, Choice, Heard, OptionId, VoteMessage, Voter};

pub use compare::{Progress, compare};
pub use comparison::{Comparison, Counts};

/// How many faults are remembered with their words. All are counted.
const FAULTS_TOLD: usize = 100;

/// The counts of one round, as its log says.
#[derive(Debug, Default)]
pub struct Recount {
    /// The last sequence that is in these counts.
    pub sequence: u64,
    /// Ballots in the log.
    pub accepted: u64,
    /// Ballots whose voter cast another later.
    pub replaced: u64,
    /// Messages that nobody can read.
    pub unreadable: u64,
    /// Where the seal lies.
    pub sealed_at: Option<u64>,
    /// What the log says that cannot be true; the first hundred.
    pub faults: Vec<Fault>,
    /// How many such things it says.
    pub fault_count: u64,
    /// Every choice that was ever made, and how many voters' last one it is, by its number.
    choices: Vec<(Choice, i64)>,
    numbers: HashMap<Choice, u32>,
    /// Each voter's last ballot, and the number of its choice.
    last: HashMap<Voter, (BallotId, u32)>,
}

/// Something that an honest log does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The message that says it.
    pub sequence: u64,
    /// What is wrong with it.
    pub what: Falsehood,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Falsehood {
    /// The ballot at this index does not tell the truth about what it replaces.
    Replaces(usize),
    /// It lies behind the seal.
    BehindTheSeal,
}

impl Recount {
    /// Ballots that count: one a voter.
    pub fn counted(&self) -> u64 {
        self.last.len() as u64
    }

    /// Votes per option.
    pub fn votes(&self) -> BTreeMap<OptionId, i64> {
        let mut votes = BTreeMap::new();
        for (choice, voters) in &self.choices {
            for option in &choice.0 {
                *votes.entry(option.clone()).or_default() += voters;
            }
        }
        votes
    }

    /// Takes in the message at the next sequence, as it lies in the log.
    pub fn take(&mut self, sequence: u64, subject: &str, payload: &[u8]) {
        self.sequence = sequence;
        if self.sealed_at.is_some() {
            self.tell(sequence, Falsehood::BehindTheSeal);
        }
        match VoteMessage::hear(subject, payload) {
            Ok(VoteMessage::Cast(block)) => {
                for (index, cast) in block.ballots.into_iter().enumerate() {
                    self.take_ballot(sequence, index, cast);
                }
            }
            Ok(VoteMessage::Sealed(_)) => self.sealed_at = self.sealed_at.or(Some(sequence)),
            Err(_) => self.unreadable += 1,
        }
    }

    fn take_ballot(&mut self, sequence: u64, index: usize, cast: CastBallot) {
        self.accepted += 1;
        let number = self.number(cast.choice);
        self.choices[number as usize].1 += 1;
        let before = self.last.insert(cast.voter, (cast.ballot, number));
        let truth = before.map(|(ballot, number)| {
            self.replaced += 1;
            let (choice, voters) = &mut self.choices[number as usize];
            *voters -= 1;
            (ballot, &*choice)
        });
        if cast.replaces.as_ref().map(|said| (said.ballot, &said.choice)) != truth {
            self.tell(sequence, Falsehood::Replaces(index));
        }
    }

    fn number(&mut self, choice: Choice) -> u32 {
        if let Some(number) = self.numbers.get(&choice) {
            return *number;
        }
        let number = u32::try_from(self.choices.len()).expect("fewer than 2^32 choices");
        self.choices.push((choice.clone(), 0));
        self.numbers.insert(choice, number);
        number
    }

    fn tell(&mut self, sequence: u64, what: Falsehood) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_TOLD {
            self.faults.push(Fault { sequence, what });
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Falsehood::Replaces(index) => {
                write!(f, "message {}: ballot {index} does not say truly what it replaces", self.sequence)
            }
            Falsehood::BehindTheSeal => write!(f, "message {} lies behind the seal", self.sequence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAST: &str = "vote.demo.cast";
    const ONE: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    const TWO: &str = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";

    fn block(ballots: &str) -> Vec<u8> {
        format!(r#"{{"at":"2026-11-21T09:30:00Z","round":"demo","ballots":[{ballots}]}}"#).into_bytes()
    }

    fn ballot(id: &str, voter: u8, choice: &str, replaces: Option<(&str, &str)>) -> String {
        let voter = format!("{voter:02x}").repeat(16);
        let replaces =
            replaces.map(|(id, choice)| format!(r#","replaces":{{"ballot":"{id}","choice":["{choice}"]}}"#));
        format!(
            r#"{{"ballot":"{id}","voter":"{voter}","choice":["{choice}"]{}}}"#,
            replaces.unwrap_or_default()
        )
    }

    fn votes(recount: &Recount, option: &str) -> i64 {
        recount.votes()[&OptionId::parse(option).unwrap()]
    }

    #[test]
    fn a_voters_last_ballot_counts() {
        let mut recount = Recount::default();
        recount.take(1, CAST, &block(&ballot(ONE, 1, "cats", None)));
        recount.take(2, CAST, &block(&ballot(TWO, 1, "dogs", Some((ONE, "cats")))));
        assert_eq!((votes(&recount, "cats"), votes(&recount, "dogs")), (0, 1));
        assert_eq!((recount.accepted, recount.counted(), recount.replaced), (2, 1, 1));
        assert_eq!(recount.fault_count, 0);
    }

    #[test]
    fn a_block_that_does_not_say_truly_what_it_replaces_is_found() {
        for replaces in [None, Some((TWO, "cats")), Some((ONE, "dogs"))] {
            let mut recount = Recount::default();
            recount.take(1, CAST, &block(&ballot(ONE, 1, "cats", None)));
            recount.take(2, CAST, &block(&ballot(TWO, 1, "dogs", replaces)));
            assert_eq!(recount.faults, [Fault { sequence: 2, what: Falsehood::Replaces(0) }], "{replaces:?}");
            assert_eq!(
                (votes(&recount, "cats"), votes(&recount, "dogs")),
                (0, 1),
                "the log's lie is not believed"
            );
        }
    }

    #[test]
    fn a_message_behind_the_seal_is_found() {
        let mut recount = Recount::default();
        let seal = br#"{"at":"2026-11-21T09:30:00Z","round":"demo","reason":"it was closed"}"#;
        recount.take(1, "vote.demo.sealed", seal);
        recount.take(2, CAST, &block(&ballot(ONE, 1, "cats", None)));
        assert_eq!(recount.sealed_at, Some(1));
        assert_eq!(recount.faults, [Fault { sequence: 2, what: Falsehood::BehindTheSeal }]);
    }

    #[test]
    fn what_nobody_can_read_is_counted_as_that() {
        let mut recount = Recount::default();
        recount.take(1, CAST, b"?");
        assert_eq!((recount.sequence, recount.unreadable), (1, 1));
    }
}
