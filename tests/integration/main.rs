//! Rules that only show across crates.

mod clocks;
mod fold;
mod rooms;
mod scoreboard;
