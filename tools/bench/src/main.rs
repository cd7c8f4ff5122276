//! `make bench`: how fast Urna is on this machine.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use urna_bench::Args;

/// As in the measured program, so that the load does not wait for memory either.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measure how fast Urna is on this machine, each figure beside what limits it
///
/// Starts servers and an Urna of its own in the system's temporary folder (TMPDIR chooses another disk), votes,
/// prints a table, and stops all of it. Exits with 1 when the votes do not add up. `make bench` finds the servers'
/// programs.
#[derive(Parser)]
#[command(name = "urna-bench", version)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    urna_bench::run(&Command::parse().args).unwrap_or_else(|fault| {
        eprintln!("urna-bench: {fault:#}");
        // 1 says that the votes do not add up.
        ExitCode::from(2)
    })
}
