//! The intake: durable consumer → actor → acknowledgement.
//!
//! The actor's reply is the acknowledgement, so what was acknowledged was done:
//!
//! | reply | becomes |
//! |---|---|
//! | `Ok` | acknowledged |
//! | [`Fault::Retry`] | delivered again, later |
//! | [`Fault::Refuse`] | dead-lettered, never delivered again |
//! | the actor is gone | delivered again, to the next reader |
//!
//! [`UnorderedIntake`](unordered::UnorderedIntake) and [`OrderedIntake`](ordered::OrderedIntake) decide; the
//! functions of [`Intake`] carry out what they decide.

mod batching;
mod carrier;
mod each;
mod in_order;
mod messages;
pub mod ordered;
mod source;
pub mod unordered;

pub use self::batching::{LARGE_RUN_BYTES, LARGE_RUN_EVERY, RUN_EVERY, RUN_MAX};
pub use self::messages::{ActorGone, Delivery, Fault, InOrder, Position, Run};
pub use self::source::Intake;
