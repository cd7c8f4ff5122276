//! The parts that every ballot passes, each by itself: what they cost without a network, a disk or a server.
//! `cargo bench -p tests`, or `cargo bench -p tests -- judge` for one of them.
//!
//! All blocks hold [`BLOCK_MAX`] ballots, so that the figures are per ballot: elements are ballots.

mod blocks;
mod boxes;
mod counts;
mod voters;

use criterion::{criterion_group, criterion_main};
use subjects::ballot::BLOCK_MAX;
use subjects::{BallotId, BallotsCast, CastBallot, Choice, OptionId, RoundId, Timestamp, Voter};

criterion_group!(
    parts,
    voters::cookie,
    voters::voter,
    boxes::judge,
    boxes::judge_changes,
    boxes::fold,
    blocks::write,
    blocks::read,
    counts::tally,
    counts::recount
);
criterion_main!(parts);

/// The voter with this number.
fn voter(number: usize) -> Voter {
    // Spread as the real ones are, which are the beginning of a hash.
    let bits = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Voter::from_bytes(bits.to_be_bytes())
}

/// What the voter with this number chooses.
fn choice(number: usize) -> Choice {
    let option = ["cats", "dogs", "birds"][number % 3];
    Choice([OptionId::parse(option).expect("a name")].into())
}

/// The block of so many voters that begins with this one.
fn block(first: usize) -> BallotsCast {
    let ballots = (first..first + BLOCK_MAX).map(|number| CastBallot {
        ballot: BallotId::random(),
        voter: voter(number),
        choice: choice(number),
        replaces: None,
    });
    BallotsCast {
        at: Timestamp::from_unix_millis(1_000).expect("a moment"),
        round: RoundId::parse("demo").expect("a name"),
        ballots: ballots.collect(),
    }
}

/// `len` blocks of voters who all differ.
fn blocks(len: usize) -> Vec<BallotsCast> {
    (0..len).map(|place| block(place * BLOCK_MAX)).collect()
}
