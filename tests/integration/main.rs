//! Actors and tools by themselves, against what they use: real servers, a real cargo.

mod acl;
mod clocks;
mod connections;
mod dev;
mod pictures;
mod roles;
mod runs;
mod scoreboard;
mod unavailable;
