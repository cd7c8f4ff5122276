//! Whole elections of the shipped state machines, over an in-memory log that loses, delays, duplicates, fails over and
//! rolls back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use urna_sim::{Mutation, Outcome, Plan, find, find_mutation, run};

/// How many elections every run of the tests holds.
const ELECTIONS: u64 = 2_000;
/// At least so many things happen in each.
const EVENTS: usize = 500;
/// How many elections may pass before a mutation is found.
const SEEDS: u64 = 20_000;

/// Shares numbers from 1 to `last` among all cores.
fn on_all_cores(last: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let take = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > last {
                return;
            }
            work(number);
        }
    };
    std::thread::scope(|scope| {
        (0..cores).for_each(|_| {
            scope.spawn(take);
        });
    });
}

#[test]
fn whatever_goes_wrong_no_election_does() {
    let (begin, failures, events) = (std::time::Instant::now(), Mutex::new(Vec::new()), AtomicU64::new(0));
    on_all_cores(ELECTIONS, |seed| match find(seed) {
        Ok(Outcome { steps, .. }) => {
            assert!(steps >= EVENTS, "the election of seed {seed} has {steps} events");
            events.fetch_add(steps as u64, Ordering::Relaxed);
        }
        Err(failure) => failures.lock().expect("no holder panics").push(failure),
    });
    let failures = failures.into_inner().expect("no holder panics");
    if let Some(failure) = failures.iter().min_by_key(|failure| failure.steps) {
        panic!("{} of {ELECTIONS} elections went wrong; the shortest:\n{failure}", failures.len());
    }
    let (events, took) = (events.into_inner(), begin.elapsed());
    println!("{ELECTIONS} elections, {events} events in {took:.1?}");
    assert!(took < Duration::from_secs(60), "it took {took:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 1..=50 {
        let (one, other) = (run(&Plan::of(seed), true), run(&Plan::of(seed), true));
        assert!(one.trace.len() > 1_000, "seed {seed}: {}", one.trace);
        assert!(one.trace == other.trace, "seed {seed} gave two traces");
        assert_eq!(one.steps, run(&Plan::of(seed), false).steps, "whether a trace is kept changes nothing");
    }
}

#[test]
fn every_mutation_of_the_machines_is_found() {
    assert!(Mutation::ALL.len() >= 30);
    let hook = std::panic::take_hook();
    // A machine that is wrong enough panics.
    std::panic::set_hook(Box::new(|_| {}));
    let found = Mutex::new(Vec::new());
    on_all_cores(Mutation::ALL.len() as u64, |number| {
        let mutation = Mutation::ALL[number as usize - 1];
        let seed = find_mutation(mutation, SEEDS);
        found.lock().expect("no holder panics").push((mutation, seed));
    });
    std::panic::set_hook(hook);
    let found = found.into_inner().expect("no holder panics");
    for (mutation, seed) in &found {
        println!("{mutation:?}: {}", seed.map_or("not found".to_owned(), |seed| seed.to_string()));
    }
    let holes: Vec<_> = found.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(holes.is_empty(), "not found in {SEEDS} seeds: {holes:?}");
}

#[test]
fn a_failure_tells_its_seed_and_what_happened_until_then() {
    let seed = find_mutation(Mutation::MixUpPlaces, SEEDS).expect("it is found");
    let failure = urna_sim::find_with(Mutation::MixUpPlaces, seed).expect_err("it goes wrong");
    let told = failure.to_string();
    assert!(told.ends_with(&format!("{} steps: {}", failure.steps, failure.violation)), "{told}");
    assert!(told.contains(&format!("seed {seed}, ")), "{told}");
    assert!(told.lines().any(|line| line.contains("VIOLATION")), "{told}");
    assert!(failure.steps <= run(&Plan::of(seed), false).steps, "it is no longer than the election");
}
