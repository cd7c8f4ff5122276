//! The shortest election that still goes wrong.

use std::fmt;

use urna_mutation::{Mutation, turn_on};

use crate::election::{Outcome, run};
use crate::plan::{Noise, Plan};

/// An election in which something is wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// How many faults are left of those that its seed has planned.
    pub faults: usize,
    /// How many steps it takes until something is wrong.
    pub steps: usize,
    /// What is wrong.
    pub violation: String,
    /// What happened until then.
    pub trace: String,
}

/// Puts a mutation into the machines and looks for the first seed from 1 on whose election finds it, as far as `last`.
pub fn find_mutation(mutation: Mutation, last: u64) -> Option<u64> {
    turn_on(Some(mutation));
    let finds = |seed: &u64| {
        let election = || run(&Plan::of(*seed), false).violation.is_some();
        // A machine that is wrong enough panics.
        std::panic::catch_unwind(election).unwrap_or(true)
    };
    let found = (1..=last).find(finds);
    turn_on(None);
    found
}

/// The same as [`find`] with a mutation.
///
/// # Errors
/// [`Failure`].
pub fn find_with(mutation: Mutation, seed: u64) -> Result<Outcome, Box<Failure>> {
    turn_on(Some(mutation));
    let found = find(seed);
    turn_on(None);
    found
}

/// Runs the election of a seed. When something is wrong, looks for the shortest one that is wrong, too: with fewer faults
/// and less noise.
///
/// # Errors
/// [`Failure`] when something is wrong.
pub fn find(seed: u64) -> Result<Outcome, Box<Failure>> {
    let plan = Plan::of(seed);
    let outcome = run(&plan, false);
    if outcome.violation.is_none() {
        return Ok(outcome);
    }
    let shortest = shorten(plan, outcome.steps);
    let Outcome { steps, violation, trace, .. } = run(&shortest, true);
    Err(Box::new(Failure {
        seed,
        faults: shortest.faults.len(),
        steps,
        violation: violation.unwrap_or_default(),
        trace,
    }))
}

/// Leaves out one fault after the other, and each kind of noise, as long as something is wrong within as many steps.
fn shorten(mut plan: Plan, mut steps: usize) -> Plan {
    let mut place = 0;
    while place < plan.faults.len() {
        let mut fewer = plan.clone();
        fewer.faults.remove(place);
        match fails_within(&fewer, steps) {
            Some(fewer_steps) => (plan, steps) = (fewer, fewer_steps),
            None => place += 1,
        }
    }
    let without: [fn(&mut Noise); 7] = [
        |noise| noise.loses_request = 0,
        |noise| noise.loses_answer = 0,
        |noise| noise.delays_request = 0,
        |noise| noise.doubles_request = 0,
        |noise| noise.loses_delivery = 0,
        |noise| noise.slows_delivery = 0,
        |noise| noise.loses_commit = 0,
    ];
    for quieten in without {
        let mut quieter = plan.clone();
        quieten(&mut quieter.noise);
        if let Some(fewer_steps) = fails_within(&quieter, steps) {
            (plan, steps) = (quieter, fewer_steps);
        }
    }
    plan
}

fn fails_within(plan: &Plan, steps: usize) -> Option<usize> {
    let outcome = run(plan, false);
    (outcome.violation.is_some() && outcome.steps <= steps).then_some(outcome.steps)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, faults, steps, violation, trace } = self;
        writeln!(f, "{trace}")?;
        write!(f, "seed {seed}, {faults} faults, {steps} steps: {violation}")
    }
}
