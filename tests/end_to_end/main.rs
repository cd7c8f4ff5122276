//! The real binaries against real servers.
//!
//! - [`voting`] what voters are told
//! - [`watching`] what watchers see
//! - [`crashes`] what survives when a part dies
//! - [`together`] two of each process
//! - [`closing`] the seal and the recount
//! - [`organising`] rounds from their first draft to their end
//! - [`ladder`] how sure one vote is
//! - [`accounts`] what people do with an account
//! - [`sessions`] how they begin, where they are good, and how they end
//! - [`away`] what goes on without Redis
//! - [`routes`] who may call which address
//! - [`refused`] tokens, cookies and forms that are not ours
//! - [`odd`] what people write who mean no good
//! - [`too_often`] how often people may do what
//! - [`secrecy`] what no log and no store may hold
//! - [`operators`] the first admin, and the one an operator makes
//! - [`limits`] what the machine can no longer do
//! - [`cluster`] three nats-servers in the place of one
//! - [`drill`] parts die at random under load
//! - [`bench`] the benchmark
//! - [`bus`] what operators see with the `nats` CLI

mod accounts;
mod away;
mod bench;
mod bus;
mod closing;
mod cluster;
mod crashes;
mod drill;
mod ladder;
mod limits;
mod load;
mod odd;
mod operators;
mod organising;
mod people;
mod refused;
mod routes;
mod secrecy;
mod sessions;
mod together;
mod too_often;
mod voting;
mod watching;
