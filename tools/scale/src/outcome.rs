//! What came of a simulation.

use crate::Histogram;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Voters who came, and those who came again because they were turned away.
    pub came: u64,
    /// Ballots that were accepted.
    pub accepted: u64,
    /// Ballots that were counted.
    pub counted: u64,
    /// How often somebody was turned away because a box was full.
    pub turned_away: u64,
    /// From a voter's coming to the answer that the ballot is accepted.
    pub answers: Histogram,
    /// How many ballots the blocks held: one entry for each, a thousandth of a second for each ballot.
    pub blocks: Histogram,
    /// From a block's place in the log to its commit.
    pub lag: Histogram,
    /// Transactions of the tallies.
    pub commits: u64,
    /// The most ballots that waited at one box.
    pub waiting_most: u64,
    /// When the last ballot was accepted, in seconds.
    pub accepted_at: f64,
    /// When the last ballot was counted.
    pub counted_at: f64,
    /// How busy the busiest of each was in its busiest second.
    pub busy: Busy,
}

/// Parts of a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Busy {
    /// The cores of a vote machine.
    pub vote: f64,
    /// The thread of its boxes.
    pub boxes: f64,
    /// The disk of a NATS server.
    pub disks: f64,
    /// Postgres.
    pub postgres: f64,
}
