//! The real binaries against real servers.
//!
//! - [`voting`] what voters are told
//! - [`watching`] what watchers see
//! - [`crashes`] what survives when a part dies
//! - [`together`] two of each process
//! - [`closing`] the seal and the recount
//! - [`limits`] what the machine can no longer do
//! - [`cluster`] three nats-servers in the place of one
//! - [`drill`] parts die at random under load
//! - [`bus`] what operators see with the `nats` CLI

mod bus;
mod closing;
mod cluster;
mod crashes;
mod drill;
mod limits;
mod load;
mod together;
mod voting;
mod watching;
