//! Counting. Pure: blocks in, counts and ledger out.

use std::collections::BTreeMap;

use nats::intake::InOrder;
use subjects::{Choice, Ledger, OptionId, VoteMessage};

/// The counts of one round after everything up to `sequence`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scoreboard {
    /// The last sequence that is counted; 0 for none.
    pub sequence: u64,
    /// Votes per option. Signed: a log that contradicts itself must show, not wrap around.
    pub votes: BTreeMap<OptionId, i64>,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
    /// Whether the seal was passed.
    pub is_final: bool,
    /// How often somebody put other counts in place of these.
    pub generation: i64,
}

impl Scoreboard {
    /// Counts a run of messages. Those that are counted already change nothing.
    pub fn count(&mut self, messages: &[InOrder<VoteMessage>]) {
        for message in messages {
            if message.sequence > self.sequence {
                self.sequence = message.sequence;
                self.count_one(message);
            }
        }
    }

    fn count_one(&mut self, message: &InOrder<VoteMessage>) {
        match &message.message {
            Ok(VoteMessage::Cast(block)) => {
                for cast in &block.ballots {
                    self.ledger.accepted += 1;
                    self.add(&cast.choice, 1);
                    match &cast.replaces {
                        Some(replaced) => {
                            self.ledger.replaced += 1;
                            self.add(&replaced.choice, -1);
                        }
                        None => self.ledger.counted += 1,
                    }
                }
            }
            Ok(VoteMessage::Sealed(_)) => self.is_final = true,
            Err(_) => self.ledger.unreadable += 1,
        }
    }

    fn add(&mut self, choice: &Choice, votes: i64) {
        for option in &choice.0 {
            match self.votes.get_mut(option) {
                Some(count) => *count += votes,
                None => {
                    self.votes.insert(option.clone(), votes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{BallotId, BallotsCast, CastBallot, Replaced, RoundId, Timestamp, Unreadable, Voter};

    fn choice(option: &str) -> Choice {
        Choice([OptionId::parse(option).unwrap()].into())
    }

    fn block(sequence: u64, ballots: &[(&str, Option<&str>)]) -> InOrder<VoteMessage> {
        let cast = |(option, replaces): &(&str, Option<&str>)| CastBallot {
            ballot: BallotId::random(),
            voter: Voter::from_bytes([7; 16]),
            choice: choice(option),
            replaces: replaces.map(|option| Replaced { ballot: BallotId::random(), choice: choice(option) }),
        };
        let round = RoundId::parse("demo").unwrap();
        let at = Timestamp::from_unix_millis(0).unwrap();
        let block = BallotsCast { at, round, ballots: ballots.iter().map(cast).collect() };
        InOrder { sequence, trace: None, stored_at: None, message: Ok(VoteMessage::Cast(block)) }
    }

    fn votes(scoreboard: &Scoreboard, option: &str) -> i64 {
        scoreboard.votes[&OptionId::parse(option).unwrap()]
    }

    #[test]
    fn a_changed_ballot_moves_one_count_down_and_one_up_and_never_loses_the_voter() {
        let mut scoreboard = Scoreboard::default();
        scoreboard.count(&[block(1, &[("cats", None), ("cats", None)]), block(2, &[("dogs", Some("cats"))])]);
        assert_eq!((votes(&scoreboard, "cats"), votes(&scoreboard, "dogs")), (1, 1));
        assert_eq!(scoreboard.ledger, Ledger { accepted: 3, counted: 2, replaced: 1, unreadable: 0 });
        assert!(scoreboard.ledger.balances());
    }

    #[test]
    fn a_message_that_is_counted_changes_nothing() {
        let mut scoreboard = Scoreboard::default();
        let run = [block(1, &[("cats", None)]), block(2, &[("dogs", None)])];
        scoreboard.count(&run);
        let once = scoreboard.clone();
        scoreboard.count(&run);
        scoreboard.count(&run[1..]);
        assert_eq!(scoreboard, once);
    }

    #[test]
    fn a_message_that_nobody_can_read_is_passed_and_shows_in_the_ledger() {
        let mut scoreboard = Scoreboard::default();
        let message = Err(Unreadable::because("no JSON"));
        scoreboard.count(&[InOrder { sequence: 1, trace: None, stored_at: None, message }]);
        assert_eq!((scoreboard.sequence, scoreboard.ledger.unreadable), (1, 1));
    }
}
