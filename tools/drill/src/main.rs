//! `make drill`: parts die, hang and come back at random under load, and nothing is lost, doubled or answered wrongly.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use urna_drill::Settings;

/// Seeds that are chosen here are short enough to be told to somebody.
const SEEDS: u64 = 100_000;

/// Starts servers and processes of its own, lets voters vote, kills, pauses and restarts parts at random, and
/// compares what voters were told with the log. Its status is 0 when nothing was lost, doubled or answered wrongly
#[derive(Parser)]
#[command(name = "urna-drill", version)]
struct Arguments {
    /// How long parts fail
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(3..=86_400))]
    seconds: u64,

    /// Brings the same plan again [default: any]
    #[arg(long)]
    seed: Option<u64>,

    /// Keep every log and all data even when all is well
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { seconds, seed, keep } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() % SEEDS);
    let length = Duration::from_secs(seconds);
    let verdict = urna_drill::run(Settings { seed, length, keep }).await;
    println!("{verdict}");
    if verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
