//! Ballots: the log of a round, which is its ballot box.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::block;
use crate::message::{Heard, Said, Unreadable, from_json};
use crate::{BallotId, OptionId, RoundId, Timestamp, Voter};

/// How many ballots one block may hold.
pub const BLOCK_MAX: usize = 1_000;

/// `vote.<round>.cast`: a block of accepted ballots, in the order they were judged.
///
/// It was appended expecting the sequence before its own, so it was judged on exactly that prefix of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BallotsCast {
    /// When the block was judged.
    pub at: Timestamp,
    /// In which round.
    pub round: RoundId,
    /// 1 to [`BLOCK_MAX`] ballots.
    pub ballots: Vec<CastBallot>,
}

/// One accepted ballot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CastBallot {
    /// Its name.
    pub ballot: BallotId,
    /// Whose it is, in a form that names nobody.
    pub voter: Voter,
    /// What was chosen.
    pub choice: Choice,
    /// The ballot of the same voter that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

/// The ballot that a changed one takes the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its name.
    pub ballot: BallotId,
    /// What was chosen there, so that a count can be moved without looking anything up.
    pub choice: Choice,
}

/// The options of one ballot: one for plurality, one or several for approval, in the round's order. A single one lies in
/// place.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choice(pub SmallVec<[OptionId; 1]>);

/// `vote.<round>.sealed`: the last message of a round's log. Nothing follows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundSealed {
    /// When.
    pub at: Timestamp,
    /// Which round.
    pub round: RoundId,
    /// The reason, for people.
    pub reason: String,
}

/// Everything a round's log can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoteMessage {
    /// A block of ballots.
    Cast(BallotsCast),
    /// The seal.
    Sealed(RoundSealed),
}

/// Where a ballot lies in its round's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The stream sequence of its block.
    pub sequence: u64,
    /// Its index within the block, from 0.
    pub index: u32,
}

impl Place {
    /// What the voter keeps: `<round>.<sequence>.<index>`.
    pub fn receipt(self, round: &RoundId) -> String {
        format!("{round}.{}.{}", self.sequence, self.index)
    }

    /// Reads a receipt: the round and the place it names. There may be nothing there.
    pub fn of_receipt(receipt: &str) -> Option<(RoundId, Self)> {
        let (round, place) = receipt.split_once('.')?;
        let (sequence, index) = place.split_once('.')?;
        let place = Self { sequence: number(sequence)?, index: number(index)? };
        Some((RoundId::parse(round).ok()?, place))
    }
}

/// A number as it is written in a receipt, and in no other way: one receipt is one text.
fn number<N: FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, option) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{option}")?;
        }
        Ok(())
    }
}

impl Said for BallotsCast {
    const KIND: &'static str = "ballots_cast";
    const SUBJECT: &'static str = "vote.*.cast";

    fn subject(&self) -> String {
        format!("vote.{}.cast", self.round)
    }
}

impl Said for RoundSealed {
    const KIND: &'static str = "round_sealed";
    const SUBJECT: &'static str = "vote.*.sealed";

    fn subject(&self) -> String {
        RoundSealed::subject_of(&self.round)
    }
}

impl RoundSealed {
    /// The subject of one round's seal.
    pub fn subject_of(round: &RoundId) -> String {
        format!("vote.{round}.sealed")
    }
}

impl Heard for VoteMessage {
    fn hear(subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        let mut tokens = subject.split('.').skip(1);
        let round = tokens.next().unwrap_or_default();
        let (said_of, message) = match tokens.next() {
            Some("cast") => {
                let block = block::as_written(payload).map_or_else(|| from_json(payload), Ok)?;
                if block.ballots.is_empty() || block.ballots.len() > BLOCK_MAX {
                    return Err(Unreadable::because(format!("a block of {} ballots", block.ballots.len())));
                }
                (block.round.clone(), VoteMessage::Cast(block))
            }
            Some("sealed") => {
                let seal: RoundSealed = from_json(payload)?;
                (seal.round.clone(), VoteMessage::Sealed(seal))
            }
            _ => return Err(Unreadable::because("neither a block of ballots nor a seal")),
        };
        if said_of.as_str() != round {
            return Err(Unreadable::because(format!("a message of round {said_of}")));
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_a_round_and_a_place_and_is_written_in_one_way() {
        let round = RoundId::parse("cats-or-dogs").unwrap();
        let place = Place { sequence: 12, index: 0 };
        assert_eq!(place.receipt(&round), "cats-or-dogs.12.0");
        assert_eq!(Place::of_receipt("cats-or-dogs.12.0"), Some((round, place)));
        for wrong in
            ["", "demo", "demo.1", "demo.1.0.0", "demo.01.0", "demo.+1.0", "demo.-1.0", "Demo.1.0", "demo.1."]
        {
            assert_eq!(Place::of_receipt(wrong), None, "{wrong}");
        }
        assert_eq!(Place::of_receipt(&format!("demo.{}0.0", u64::MAX)), None);
    }
}
