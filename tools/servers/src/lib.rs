//! Real servers and real processes, each on a port of its own and gone with whoever started it.
//!
//! - [`Server`] a nats-server, a PostgreSQL or a Redis that can be killed and started again with the data it had
//! - [`Process`] any program
//! - [`Leash`] stops servers that a whole test binary shares
//! - [`Authority`] makes certificates for TLS, and [`Tls`] those of a server
//! - [`free_port`] where a program may listen

mod certificates;
mod leash;
mod memory;
mod process;
mod server;

use std::path::PathBuf;

pub use certificates::{Authority, Certificate, Tls, Validity};
pub use leash::Leash;
pub use process::{Process, free_port};
pub use server::{CONNECTIONS, ClusterTexts, SHARED_DATABASES, Server, initdb};

/// Where the servers' programs are. A bare name is looked for on the PATH.
#[derive(Clone, Debug)]
pub struct Programs {
    /// nats-server.
    pub nats: PathBuf,
    /// The folder of PostgreSQL's initdb and postgres; empty for those on the PATH.
    pub postgres: PathBuf,
    /// redis-server.
    pub redis: PathBuf,
}

/// What a server does before it says that something is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It waits for the disk: a power cut takes nothing.
    Synced,
    /// It hands over to the system: the end of the process takes nothing, a power cut may.
    Unsynced,
}
