//! The bus: everything between an actor and NATS JetStream, and not a word about what is said there.
//!
//! - [`BusSettings`] where the bus is, as whom a process connects, over which TLS; [`Reason`] why it cannot
//! - [`Bus`] connects, deploys or checks streams, says messages (with `Nats-Msg-Id` and `traceparent`), looks things up
//! - [`intake`] feeds an actor from a durable consumer; the actor's reply is the acknowledgement
//! - [`Follower`] reads a stream in order, without a place of its own on the server
//! - [`Projection`] the newest message of everything a stream tells of, in memory, kept current
//! - [`Object`]s are too large for a message, and are kept in buckets
//! - [`Clock`] the only source of the present moment, by both clocks
//!
//! What decides is a state machine without I/O: [`ordered_reader`] for followers and projections, [`intake::ordered`] and
//! [`intake::unordered`] for intakes. The rest carries out what they decide.
//!
//! Everything here runs on the runtime that called [`Bus::connect`]; no arbiter can starve it.

mod backoff;
mod bus;
mod clock;
mod connection;
mod delivered;
mod deploy;
mod durable;
mod follower;
pub mod intake;
mod interrupted;
mod lookup;
mod objects;
pub mod ordered_reader;
mod projection;
mod publish;
mod pull;
mod rollback;
mod stored;
mod trace;
mod unavailable;

pub use bus::{Bus, Service};
pub use clock::{Clock, Monotonic, Now};
pub use connection::{
    Action, Authentication, BusSettings, Credentials, NkeySeed, NotAnNkeySeed, NotCredentials, Reason,
    ServerUrls, ServerUrlsError, Tls, TlsFileError, inbox_prefix_of,
};
pub use delivered::Delivered;
pub use deploy::{Difference, SettingDifference, StreamDifference};
pub use follower::{Batch, Follower};
pub use interrupted::Interrupted;
pub use objects::Object;
pub use ordered_reader::StartAt;
pub use projection::{Newest, Projection, Renewed};
pub use publish::{Expect, SayError};
pub use rollback::{AtPlace, BELIEVED_AFTER, LastRead, RolledBack};
pub use stored::StoredMessage;
pub use trace::TraceContext;
pub use unavailable::Unavailable;
