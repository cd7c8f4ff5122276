//! The bus: everything between an actor and NATS JetStream, and not a word about what is said there.
//!
//! - [`Bus`] connects, declares streams, says messages (with `Nats-Msg-Id` and `traceparent`), looks things up
//! - [`intake`] feeds an actor from a durable consumer; the actor's reply is the acknowledgement
//! - [`Follower`] reads a stream in order, without a place of its own on the server
//! - [`LastRead`] by which a stream is known that was put back to an older state
//! - [`Latest`] the newest message of every subject, in memory, kept current
//! - [`Object`]s are too large for a message, and lie in buckets
//! - [`Clock`] the only source of the present moment
//!
//! Everything here runs on the runtime that called [`Bus::connect`]; no arbiter can starve it.

mod bus;
mod clock;
mod declare;
mod follow;
pub mod intake;
mod latest;
mod objects;
mod past;
mod reader;
mod trace;

pub use bus::{Bus, BusSettings, Credentials, Expect, SayError, Service, Unavailable};
pub use clock::Clock;
pub use follow::{Follower, StartAt};
pub use latest::{Latest, Newest, Renewed};
pub use objects::Object;
pub use past::{BELIEVED_AFTER, LastRead};
pub use reader::{Batch, Letter, RUN_MAX};
pub use trace::TraceContext;
