//! Counting. Pure: blocks in, counts and ledger out.

use std::collections::BTreeMap;

use nats::intake::InOrder;
use subjects::{Choice, Heard, Ledger, OptionId, Timestamp, Unreadable, VoteMessage};
use urna_mutation::{Mutation, is_on};

/// The counts of one round after everything up to `sequence`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scoreboard {
    /// The last sequence that is counted; 0 for none.
    pub sequence: u64,
    /// When the message there was stored, if that is known.
    pub stored_at: Option<Timestamp>,
    /// Votes per option. Signed: a log that contradicts itself must show, not wrap around.
    pub votes: BTreeMap<OptionId, i64>,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
    /// Whether the seal was passed.
    pub is_final: bool,
    /// How often somebody has put other counts in place.
    pub generation: i64,
}

/// What one message of a log adds up to. It is worked out where the message is decoded, beside whoever commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    votes: BTreeMap<OptionId, i64>,
    ledger: Ledger,
    is_seal: bool,
}

impl Scoreboard {
    /// Counts a run of messages. Those that are counted already change nothing.
    pub fn count(&mut self, messages: &[InOrder<Totals>]) {
        for message in messages {
            if message.sequence > self.sequence {
                if is_on(Mutation::MoveCursorFirst) {
                    self.sequence = message.sequence;
                    continue;
                }
                if !is_on(Mutation::CountWithoutCursor) {
                    self.sequence = message.sequence;
                }
                self.stored_at = message.stored_at;
                match &message.message {
                    Ok(totals) => self.add(totals),
                    Err(_) if is_on(Mutation::PassOverUndecodable) => {}
                    Err(_) => self.ledger.unreadable += 1,
                }
            }
        }
    }

    fn add(&mut self, totals: &Totals) {
        for (option, votes) in &totals.votes {
            add(&mut self.votes, option, *votes);
        }
        self.ledger.accepted += totals.ledger.accepted;
        self.ledger.counted += totals.ledger.counted;
        self.ledger.replaced += totals.ledger.replaced;
        self.is_final |= totals.is_seal;
    }
}

impl Totals {
    /// Adds a message up.
    pub fn of(message: &VoteMessage) -> Self {
        let VoteMessage::Cast(block) = message else { return Self { is_seal: true, ..Self::default() } };
        let mut totals = Self::default();
        for cast in &block.ballots {
            totals.ledger.accepted += 1;
            totals.move_votes(&cast.choice, 1);
            match &cast.replaces {
                Some(replaced) => {
                    totals.ledger.replaced += 1;
                    if !is_on(Mutation::KeepReplacedVotes) {
                        totals.move_votes(&replaced.choice, -1);
                    }
                }
                None => totals.ledger.counted += 1,
            }
        }
        totals
    }

    fn move_votes(&mut self, choice: &Choice, votes: i64) {
        for option in &choice.0 {
            add(&mut self.votes, option, votes);
        }
    }
}

impl Heard for Totals {
    fn hear(subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        VoteMessage::hear(subject, payload).map(|message| Self::of(&message))
    }
}

/// Options are few and ballots many, so an option's name is copied only when it is new.
fn add(to: &mut BTreeMap<OptionId, i64>, option: &OptionId, votes: i64) {
    match to.get_mut(option) {
        Some(count) => *count += votes,
        None => {
            to.insert(option.clone(), votes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{BallotId, BallotsCast, CastBallot, Replaced, RoundId, Voter};

    fn choice(option: &str) -> Choice {
        Choice([OptionId::parse(option).unwrap()].into())
    }

    fn block(sequence: u64, ballots: &[(&str, Option<&str>)]) -> InOrder<Totals> {
        let cast = |(option, replaces): &(&str, Option<&str>)| CastBallot {
            ballot: BallotId::random(),
            voter: Voter::from_bytes([7; 16]),
            choice: choice(option),
            replaces: replaces.map(|option| Replaced { ballot: BallotId::random(), choice: choice(option) }),
        };
        let round = RoundId::parse("demo").unwrap();
        let at = Timestamp::from_unix_millis(0).unwrap();
        let block = BallotsCast { at, round, ballots: ballots.iter().map(cast).collect() };
        InOrder { sequence, trace: None, stored_at: None, message: Ok(Totals::of(&VoteMessage::Cast(block))) }
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
