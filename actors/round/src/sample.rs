//! What the tests of the state machines begin with.

use std::time::Duration;

use nats::{Monotonic, Now};
use subjects::RoundState;

use crate::order::Entry;
use crate::rules::sample;
use crate::writing::Stored;

/// Both clocks, at so many milliseconds.
pub fn at(millis: i64) -> Now {
    let monotonic = Monotonic::from_duration(Duration::from_millis(u64::try_from(millis).unwrap()));
    Now { wall: sample::at(millis), monotonic }
}

/// A version of the sample round.
pub fn stored(version: u64, id: Option<&str>, state: RoundState) -> Box<Stored> {
    let entry = Entry { version, round: sample::round(state) };
    Box::new(Stored { entry, id: id.map(str::to_owned) })
}
