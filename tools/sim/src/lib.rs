//! The simulation: whole elections of the shipped state machines over an in-memory log, decided by one seed.
//!
//! - [`Plan`] what an election is like, and what goes wrong in it
//! - [`run`] the election of a plan
//! - [`find`] the shortest election that still goes wrong
//!
//! The same seed gives the same trace, byte for byte. Nothing here waits, sleeps, or reads a clock.

mod agenda;
mod answers;
mod books;
mod calls;
mod counting;
mod election;
mod faults;
mod plan;
mod process;
mod random;
mod readers;
mod result;
mod round;
mod scoreboard;
mod server;
mod shortest;
mod tally;
mod trace;
mod vote;
mod voters;

pub use election::{Ending, Outcome, run, run_to_end};
pub use plan::{Fault, Noise, Plan};
pub use shortest::{Failure, find, find_mutation, find_with};
pub use urna_mutation::Mutation;
