//! Who may do what on the servers, as one table; and the servers' configuration that enforces it.
//!
//! - [`user`] the users of the NATS server, and the account each is in
//! - [`permissions`] the table: what each user may publish, subscribe to and request
//! - [`nats`] the accounts and users as nats-server's configuration: `nats/server/secure.conf` is generated from it
//! - [`redis`] the users of Redis, and the ACL file that enforces what each may do
//!
//! Promise: every user may do what the table says and nothing else.

pub mod nats;
pub mod permissions;
pub mod redis;
pub mod user;

pub use permissions::Permissions;
pub use user::{ServerAccount, User};
