//! What the tests share.
//!
//! - [`World`] real servers, shared where a test does not harm them, and processes of one test's own
//! - [`Own`] the servers that a test declares it harms
//! - [`Running`] what runs behind a name
//! - [`Voter`] what a person or a program can do
//! - [`audit`] an independent recount: it shares nothing with the tally
//! - [`Proxy`] a bad connection
//! - [`Templates`] a copy of the pages and static files, to be changed
//! - [`eventually`] waiting by asking

mod auditor;
mod cluster;
mod edge;
mod gateway;
mod gathered;
mod house;
mod place;
mod processes;
mod programs;
mod proxy;
mod quiet;
mod running;
mod servers;
mod shape;
mod shared;
mod templates;
mod users;
mod voter;
mod world;

pub use auditor::{Audit, Logged, Scoreboard, audit, audit_of, recount, rounds};
pub use cluster::NODES;
pub use house::{house, sources};
pub use place::Own;
pub use programs::{binary, program, programs};
pub use proxy::{Fault, Proxy};
pub use quiet::unfinished;
pub use running::Running;
pub use templates::Templates;
pub use voter::{Answer, Events, Page, Voter};
pub use world::{ADMIN, ADMIN_PASSWORD, SECRET, World, eventually};
