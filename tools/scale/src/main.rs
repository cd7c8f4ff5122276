//! `urna-scale`: how many machines a crowd takes, with the constants of today's code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use urna_scale::{Args, Constants, answer};

/// What a voter takes in the memory of a box: `make bench` measures a box of a million.
const VOTER_BYTES: u64 = 100;

/// Work out how many machines a crowd takes, and simulate the crowd on them
///
/// Asks no server and measures nothing: it calculates with the numbers it is given, and prints how long voters wait
/// and which part reaches its limit first. docs/scale.md says how.
#[derive(Parser)]
#[command(name = "urna-scale", version)]
struct Command {
    #[command(flatten)]
    args: Args,

    /// How many ballots may wait in one box before further voters are told to come back: Urna's setting
    #[arg(long, env = "URNA_BALLOT_QUEUE_MAX", default_value_t = vote::WAITING_MAX)]
    ballot_queue_max: usize,

    /// How many events a second a watcher gets at most: Urna's setting
    #[arg(long, env = "URNA_EVENTS_PER_SECOND", default_value_t = result::EVENTS_PER_SECOND,
        value_parser = clap::value_parser!(u32).range(1..=20))]
    events_per_second: u32,
}

fn main() -> ExitCode {
    let Command { args, ballot_queue_max, events_per_second } = Command::parse();
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let constants = Constants {
        block_max: number(subjects::ballot::BLOCK_MAX),
        ballot_bytes: number(vote::rules::BALLOT_BYTES),
        crowd: number(vote::CROWD),
        crowd_every: vote::CROWD_EVERY,
        voter_bytes: VOTER_BYTES,
        waiting_max: number(ballot_queue_max),
        come_again_after: Duration::from_secs(web::problem::RETRY_AFTER),
        run_every: nats::intake::RUN_EVERY,
        large_run_every: nats::intake::LARGE_RUN_EVERY,
        large_run_bytes: number(nats::intake::LARGE_RUN_BYTES),
        run_max: nats::intake::RUN_MAX,
        event_every: Duration::from_secs(1) / events_per_second,
    };
    match answer(&args, &constants) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(mistake) => {
            eprintln!("urna-scale: {mistake}");
            ExitCode::from(2)
        }
    }
}
