//! The shared edge of every process that speaks HTTP. Not an actor.
//!
//! Who is calling:
//!
//! - [`callers`] somebody who is signed in, by cookie or bearer token ([`tokens`]), while their session is alive
//!   ([`sessions`], in [`redis`])
//! - [`identity`] somebody who votes: a browser's signed voter cookie, a program's `X-Voter-Id`, an account, an invite
//! - [`invites`] codes that let one person in to one round
//! - [`forms`] that a form was shown to the browser that sends it
//! - [`voted`] that somebody has voted, and nothing more of it
//! - [`proxies`] from where
//! - [`keys`] the secrets that sign all of these
//!
//! What every address needs:
//!
//! - [`limits`] how often a thing may be done in a minute
//! - [`body`] requests read within their limits
//! - [`problem`] a refusal as RFC 9457 problem+json, or as a page for a browser
//! - [`edge`] what every response has: security headers, no cross-site posts, metrics
//! - [`api`] what there is at every address, as OpenAPI and as a page
//! - [`health`] `/live`, `/health`, `/metrics`
//! - [`unavailable`] why something that a process depends on is unavailable
//! - [`assets`] the static files
//! - `dev` in debug builds, the same from a folder, and what loads an open page again

pub mod api;
pub mod assets;
pub mod body;
pub mod callers;
mod cookie;
#[cfg(debug_assertions)]
pub mod dev;
pub mod edge;
pub mod forms;
pub mod health;
pub mod identity;
pub mod invites;
pub mod keys;
pub mod limits;
mod outage;
pub mod problem;
pub mod proxies;
pub mod redis;
pub mod sessions;
pub mod tokens;
pub mod unavailable;
pub mod voted;

pub use body::{Body, FormFields, field_error, parse_json, read_body, read_body_up_to, read_bytes};
pub use callers::{Caller, Callers};
pub use edge::{at, guard, may_be_framed, nothing_here, page, route_metrics};
pub use forms::{Browser, Forms};
pub use health::{Check, Health, Metrics, Why};
pub use identity::{Identity, IdentityFault, VoterCookies};
pub use invites::{INVITES_MAX, InviteFault, Invites};
pub use keys::Keys;
pub use limits::{Limited, Limits, Rates};
pub use problem::{FieldError, Problem, wants_page};
pub use proxies::{Proxies, parse_network};
pub use redis::{
    Away, Query, Redis, RedisClientCertificate, RedisCredentials, RedisSettings, RedisSettingsError, RedisTls,
};
pub use sessions::{ENDED, Record, Sessions, session_key, user_key};
pub use tokens::Tokens;
pub use unavailable::Unavailable;
pub use voted::Voted;

/// What every actor that speaks HTTP is given to tell who is calling. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Browsers, as far as a round without accounts can know them.
    pub cookies: VoterCookies,
    /// Who is signed in.
    pub callers: Callers,
    /// Whether a form is one of ours.
    pub forms: Forms,
    /// Who was invited.
    pub invites: Invites,
    /// Who has voted.
    pub voted: Voted,
    /// How often a thing may be done.
    pub limits: Limits,
    /// From where a request came.
    pub proxies: Proxies,
}
