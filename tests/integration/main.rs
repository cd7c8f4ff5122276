//! Rules that only show across crates.

mod clocks;
mod dev;
mod fold;
mod pictures;
mod rooms;
mod runs;
mod scoreboard;
