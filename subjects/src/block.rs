//! Reads a block of ballots in the form in which blocks are written: compact, and in the order of its fields.
//!
//! Whoever counts a log reads millions of ballots, and all of them have this form; looking for it takes less than half of
//! the time that JSON of any form takes. What has another form is left to serde, and serde alone decides what is no
//! block: a text that is read here is read there as the same block.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::hex::parse_hex;
use crate::{BallotId, BallotsCast, CastBallot, Choice, OptionId, Replaced, Voter};

/// How many bytes a ballot of one short choice is written in: so many ballots are made room for.
const BALLOT_BYTES: usize = 108;
/// The digits of a voter, and the characters of a UUID.
const VOTER: usize = 32;
const UUID: usize = 36;

/// What is left of a text. Only what could hold anything but ASCII is asked whether it is UTF-8.
struct Rest<'a>(&'a [u8]);

/// Reads a block; `None` when it has another form.
pub(crate) fn as_written(payload: &[u8]) -> Option<BallotsCast> {
    let mut rest = Rest(payload);
    let at = rest.pass(b"{\"at\":\"")?.value()?;
    let round = rest.pass(b",\"round\":\"")?.value()?;
    rest.pass(b",\"ballots\":[")?;
    let mut ballots = Vec::with_capacity(payload.len() / BALLOT_BYTES);
    loop {
        ballots.push(rest.ballot()?);
        if !rest.has(b",") {
            break;
        }
    }
    (rest.0 == b"]}").then_some(BallotsCast { at, round, ballots })
}

impl<'a> Rest<'a> {
    /// Passes over what must come next.
    fn pass<const N: usize>(&mut self, expected: &[u8; N]) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(self)
    }

    /// Passes over what may come next, if it does.
    fn has<const N: usize>(&mut self, expected: &[u8; N]) -> bool {
        self.pass(expected).is_some()
    }

    /// What comes before the next quotation mark. Whoever calls refuses backslashes and control characters, which JSON
    /// does not let a text hold as they are.
    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == b'"')?;
        let text = std::str::from_utf8(&self.0[..end]).ok()?;
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    /// The same when it is known how long it must be.
    fn text_of(&mut self, length: usize) -> Option<&'a [u8]> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// A value that is read from a text.
    fn value<V: Deserialize<'a>>(&mut self) -> Option<V> {
        let text = self.text()?;
        let is_plain = text.bytes().all(|byte| byte >= b' ' && byte != b'\\');
        let text: StrDeserializer<'a, Error> = is_plain.then_some(text)?.into_deserializer();
        V::deserialize(text).ok()
    }

    fn ballot(&mut self) -> Option<CastBallot> {
        let ballot = self.pass(b"{\"ballot\":\"")?.text_of(UUID)?;
        let voter = self.pass(b",\"voter\":\"")?.text_of(VOTER)?;
        let choice = self.pass(b",\"choice\":[\"")?.choice()?;
        let replaces = if self.has(b",\"replaces\":{\"ballot\":\"") { Some(self.replaced()?) } else { None };
        self.pass(b"}")?;
        let ballot = BallotId::parse_ascii(ballot).ok()?;
        Some(CastBallot { ballot, voter: parse_hex(voter).map(Voter::from_bytes).ok()?, choice, replaces })
    }

    fn replaced(&mut self) -> Option<Replaced> {
        let ballot = BallotId::parse_ascii(self.text_of(UUID)?).ok()?;
        let choice = self.pass(b",\"choice\":[\"")?.choice()?;
        self.pass(b"}")?;
        Some(Replaced { ballot, choice })
    }

    fn choice(&mut self) -> Option<Choice> {
        let mut choice = Choice::default();
        loop {
            choice.0.push(OptionId::parse(self.text()?).ok()?);
            if !self.has(b",\"") {
                break;
            }
        }
        self.pass(b"]")?;
        Some(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RoundId, Timestamp};

    fn choice(options: &[&str]) -> Choice {
        Choice(options.iter().map(|option| OptionId::parse(option).unwrap()).collect())
    }

    fn block() -> BallotsCast {
        let cast = |voter, options, replaces: Option<&[&str]>| CastBallot {
            ballot: BallotId::random(),
            voter: Voter::from_bytes([voter; 16]),
            choice: choice(options),
            replaces: replaces
                .map(|options| Replaced { ballot: BallotId::random(), choice: choice(options) }),
        };
        BallotsCast {
            at: Timestamp::from_unix_millis(1_795_253_400_250).unwrap(),
            round: RoundId::parse("demo").unwrap(),
            ballots: vec![
                cast(0x01, &["cats"], None),
                cast(0xfe, &["cats", "dogs-3"], Some(&["a-name-that-does-not-lie-in-place"])),
                cast(0x7a, &["dogs-3"], Some(&["cats", "dogs-3"])),
            ],
        }
    }

    #[test]
    fn a_block_is_read_as_it_is_written() {
        let block = block();
        assert_eq!(as_written(&serde_json::to_vec(&block).unwrap()), Some(block));
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_serde() {
        let block = block();
        let pretty = serde_json::to_vec_pretty(&block).unwrap();
        assert_eq!(as_written(&pretty), None);
        assert_eq!(serde_json::from_slice::<BallotsCast>(&pretty).unwrap(), block);
    }

    /// A block that differs from a good one in one place is either no block here, or for serde the same one.
    #[test]
    fn what_is_read_here_is_read_by_serde_as_the_same_block() {
        let json = serde_json::to_vec(&block()).unwrap();
        let mut read = 0;
        let mut compare = |changed: &[u8]| {
            if let Some(block) = as_written(changed) {
                let by_serde = serde_json::from_slice::<BallotsCast>(changed).ok();
                assert_eq!(by_serde, Some(block), "{}", String::from_utf8_lossy(changed));
                read += 1;
            }
        };
        for place in 0..json.len() {
            for byte in 0..=0xff {
                let mut changed = json.clone();
                changed[place] = byte;
                compare(&changed);
                changed[place] = json[place];
                changed.insert(place, byte);
                compare(&changed);
            }
            compare(&json[..place]);
            compare(&[&json[..place], &json[place + 1..]].concat());
            compare(&[&json[..place], "é".as_bytes(), &json[place..]].concat());
        }
        let elsewhere = String::from_utf8(json).unwrap().replace("09:30:00.25Z", "10:30:00.25+01:00");
        compare(elsewhere.as_bytes());
        assert!(read > 1_000, "digits can be changed for others: {read}");
    }
}
