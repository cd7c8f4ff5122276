//! The shared edge of every process that speaks HTTP. Not an actor.
//!
//! - [`identity`] who is calling: the signed voter cookie, `X-Voter-Id`
//! - [`problem`] a refusal as RFC 9457 problem+json, or as a page for a browser
//! - [`body`] requests read within their limits
//! - [`edge`] what every response has: security headers, no cross-site posts, metrics
//! - [`health`] `/live`, `/health`, `/metrics`
//! - [`assets`] the static files

pub mod assets;
pub mod body;
pub mod edge;
pub mod health;
pub mod identity;
pub mod problem;

pub use body::{Body, read_body};
pub use edge::{at, guard, nothing_here, page, route_metrics};
pub use health::{Check, Health, Metrics};
pub use identity::{Identity, IdentityFault, VoterCookies};
pub use problem::{FieldError, Problem, wants_page};
