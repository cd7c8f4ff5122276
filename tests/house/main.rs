//! What the house promises of itself, and rules that only show across crates. None of it needs a server.
//!
//! - [`rooms`] who may use whom, the promises, the licences
//! - [`changes`] which command tests what was changed
//! - [`fold`] vote, tally and recount tell the same story, by properties

mod changes;
mod files;
mod fold;
mod rooms;
