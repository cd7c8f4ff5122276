//! `make sim`: elections from one seed on, for as long as there is time.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use urna_sim::{Mutation, Plan, find, find_mutation, run};

/// How many elections may pass before a mutation is found.
const SEEDS: u64 = 20_000;

/// Simulates elections of the shipped state machines, each with its faults decided by its seed. Its status is 0 when
/// nothing was lost, doubled or answered wrongly
#[derive(Parser)]
#[command(name = "urna-sim", version)]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Only the election of this seed, with its trace
    #[arg(long)]
    seed: Option<u64>,

    /// Put each mutation into the machines, and say which seed finds it
    #[arg(long)]
    mutations: bool,

    /// The seed of the first election
    #[arg(long, default_value_t = 1)]
    from: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return show(seed);
    }
    if arguments.mutations {
        return show_mutations();
    }
    let (begin, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let (next, steps, has_failed) =
        (AtomicU64::new(arguments.from), AtomicU64::new(0), AtomicBool::new(false));
    let fewest = AtomicU64::new(u64::MAX);
    let work = || {
        while begin.elapsed() < length && !has_failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match find(seed) {
                Ok(outcome) => {
                    steps.fetch_add(outcome.steps as u64, Ordering::Relaxed);
                    fewest.fetch_min(outcome.steps as u64, Ordering::Relaxed);
                }
                Err(failure) => {
                    has_failed.store(true, Ordering::Relaxed);
                    println!("{failure}");
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| {
            scope.spawn(work);
        });
    });
    let elections = next.load(Ordering::Relaxed) - arguments.from;
    let (steps, seconds) = (steps.load(Ordering::Relaxed), begin.elapsed().as_secs_f64());
    let fewest = fewest.into_inner();
    let rate = elections as f64 / seconds;
    println!(
        "{elections} elections of {fewest} events or more, {steps} events in {seconds:.1} s: {rate:.0} elections/s"
    );
    if has_failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn show_mutations() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let mut outcome = ExitCode::SUCCESS;
    for mutation in Mutation::ALL {
        match find_mutation(*mutation, SEEDS) {
            Some(seed) => println!("{mutation:?}: {seed}"),
            None => {
                println!("{mutation:?}: NOT FOUND in {SEEDS} seeds");
                outcome = ExitCode::FAILURE;
            }
        }
    }
    outcome
}

fn show(seed: u64) -> ExitCode {
    match find(seed) {
        Ok(_) => {
            println!("{}", run(&Plan::of(seed), true).trace);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}
