//! Actors and tools by themselves, against what they use: real servers, a real cargo.

mod clocks;
mod dev;
mod pictures;
mod runs;
mod scoreboard;
