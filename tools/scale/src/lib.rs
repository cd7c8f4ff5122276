//! How many machines a crowd takes: worked out, and simulated. Pure: facts in, a table out.
//!
//! - [`Args`] who comes, on what machines, and what each thing costs; [`Constants`] what Urna's code says
//! - [`Plan`] how many machines of each kind the busiest moment needs
//! - [`simulate`] the crowd on those machines, step by step; [`Outcome`] what came of it
//!
//! A round that is split has a log and a box for each of its shards. Without a split it has one.

mod args;
mod arrivals;
mod chance;
mod histogram;
mod outcome;
mod parts;
mod plan;
mod shard;
mod simulation;
mod table;

use std::time::Duration;

pub use args::{Args, Costs, Crowd, Machines, Shape};
pub use histogram::Histogram;
pub use outcome::{Busy, Outcome};
pub use plan::Plan;
pub use simulation::simulate;

/// What Urna's code and settings say.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    /// How many ballots a block holds at the most.
    pub block_max: u64,
    /// What a ballot weighs in a block, in bytes.
    pub ballot_bytes: u64,
    /// So many ballots in a block are a crowd's, behind which the next block waits.
    pub crowd: u64,
    /// The shortest time from the begin of a crowd's block to the begin of the next.
    pub crowd_every: Duration,
    /// What a voter takes in the memory of a box, in bytes.
    pub voter_bytes: u64,
    /// How many ballots wait at one box before further ones are turned away.
    pub waiting_max: u64,
    /// When whoever is turned away comes again.
    pub come_again_after: Duration,
    /// The shortest time between two runs of a tally, unless a full one lies ready.
    pub run_every: Duration,
    /// The same behind a run of this many bytes or more.
    pub large_run_every: Duration,
    /// From so many bytes on a run is large.
    pub large_run_bytes: u64,
    /// How many blocks a full run of a tally has.
    pub run_max: usize,
    /// The shortest time between two events for watchers.
    pub event_every: Duration,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The sync is a part of the append.
    #[error("--sync-ms is a part of --block-ms, and cannot be longer")]
    SyncLongerThanBlock,
    /// Every replica lies on a server of its own.
    #[error("--servers must be at least --replicas: each replica lies on a server of its own")]
    TooFewServers,
    /// A log has one box that writes it.
    #[error("--shards must be at least --vote-machines: a log is written by one box")]
    TooFewShards,
}

/// Works out the machines, simulates the crowd on them, and draws both.
///
/// # Errors
/// [`Mistake`].
pub fn answer(args: &Args, constants: &Constants) -> Result<String, Mistake> {
    let plan = Plan::new(args, constants)?;
    let outcome = simulate(args, constants, &plan);
    Ok(table::draw(args, constants, &plan, &outcome))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// What follows from a command line.
    pub fn args(line: &str) -> Args {
        Command::parse_from(["scale"].into_iter().chain(line.split_whitespace())).args
    }

    /// Round figures, for working out by hand.
    pub fn constants() -> Constants {
        Constants {
            block_max: 1_000,
            ballot_bytes: 200,
            crowd: 16,
            crowd_every: Duration::from_millis(4),
            voter_bytes: 100,
            waiting_max: 50_000,
            come_again_after: Duration::from_secs(2),
            run_every: Duration::from_millis(20),
            large_run_every: Duration::from_millis(50),
            large_run_bytes: 20_000,
            run_max: 500,
            event_every: Duration::from_millis(100),
        }
    }

    /// The plan and the outcome of a command line.
    pub fn outcome_of(line: &str) -> (Plan, Outcome) {
        let args = args(line);
        let plan = Plan::new(&args, &constants()).unwrap();
        let outcome = simulate(&args, &constants(), &plan);
        (plan, outcome)
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |line| Plan::new(&args(line), &constants()).unwrap_err();
        assert_eq!(refused("--sync-ms 3 --block-ms 2"), Mistake::SyncLongerThanBlock);
        assert_eq!(refused("--servers 2"), Mistake::TooFewServers);
        assert_eq!(refused("--vote-machines 4 --shards 3"), Mistake::TooFewShards);
    }

    #[test]
    fn the_same_question_has_the_same_answer_and_another_seed_nearly_the_same() {
        let ask = |line| answer(&args(line), &constants()).unwrap();
        let line = "--voters 20000 --seconds 2";
        assert_eq!(ask(line), ask(line));
        assert_ne!(ask(line), ask("--voters 20000 --seconds 2 --seed 8"));
    }
}
