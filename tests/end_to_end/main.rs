//! The real binaries against real servers.
//!
//! - [`voting`] what voters are told
//! - [`watching`] what watchers see
//! - [`crashes`] what survives when a part dies
//! - [`together`] two of each process
//! - [`closing`] the seal and the recount
//! - [`methods`] one option or several, and in which order they are shown
//! - [`receipts`] what a receipt tells
//! - [`sample_system`] a program that was written for the sample system
//! - [`organising`] rounds from their first draft to their end
//! - [`hidden`] results that are not shown yet, address by address
//! - [`exports`] results as they leave: as CSV, in frames, on screens, in previews
//! - [`pictures`] what options look like
//! - [`admin`] the same in a browser that runs no script
//! - [`eligibility`] how sure one vote is
//! - [`accounts`] what people do with an account
//! - [`sessions`] how they begin, where they are good, and how they end
//! - [`away`] what goes on without Redis
//! - [`routes`] who may call which address
//! - [`api`] the document of the HTTP API, and whether it is true
//! - [`shapes`] what answers look like as JSON
//! - [`hostile`] what is sent by mistake or on purpose, and what is said to it
//! - [`refused`] tokens, cookies and forms that are not ours
//! - [`odd`] what people write who mean no good
//! - [`too_often`] how often people may do what
//! - [`secrecy`] what no log and no store may hold
//! - [`operators`] the first admin, and the one an operator makes
//! - [`insiders`] what somebody with the credentials of one process can do
//! - [`permissions`] who may do what on the nats-server
//! - [`limits`] what the machine can no longer do
//! - [`isolation`] scenarios that share servers do not see each other
//! - [`cluster`] three nats-servers in the place of one
//! - [`deploying`] what must exist before a process starts
//! - [`development`] pages as they are in a folder now
//! - [`drill`] parts die at random under load
//! - [`bench`] the benchmark and the simulation
//! - [`bus`] what operators see with the `nats` CLI

mod accounts;
mod admin;
mod api;
mod away;
mod bench;
mod bus;
mod closing;
mod cluster;
mod crashes;
mod deploying;
mod development;
mod drill;
mod eligibility;
mod exports;
mod hidden;
mod hostile;
mod insiders;
mod isolation;
mod limits;
mod load;
mod methods;
mod odd;
mod operators;
mod organising;
mod people;
mod permissions;
mod pictures;
mod receipts;
mod refused;
mod routes;
mod sample_system;
mod secrecy;
mod sessions;
mod shapes;
mod together;
mod too_often;
mod voting;
mod watching;
