//! The reasons for a refusal that many addresses share.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

/// One reason for which a request may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The HTTP status.
    pub status: u16,
    /// Its name, as in `urn:urna:<name>`.
    pub kind: &'static str,
    /// When it happens: a sentence.
    pub when: &'static str,
}

/// A reason for a refusal.
pub const fn kind(status: u16, kind: &'static str, when: &'static str) -> Kind {
    Kind { status, kind, when }
}

/// Another site's page sent this.
pub const CROSS_SITE: Kind = kind(403, "cross-site", "A browser sent this from another site's page.");
/// A form that is not ours.
pub const CSRF: Kind = kind(403, "csrf", "The form was not shown to this browser.");
/// Nobody is signed in.
pub const SIGN_IN_REQUIRED: Kind = kind(401, "sign-in-required", "Nobody is signed in.");
/// A token that is not good.
pub const INVALID_TOKEN: Kind =
    kind(401, "invalid-token", "The token has run out, is not ours, or its session has ended.");
/// Below the role.
pub const FORBIDDEN: Kind = kind(403, "forbidden", "The account does not have the role that this needs.");
/// Somebody else's round.
pub const NOT_YOUR_ROUND: Kind = kind(403, "not-your-round", "The round is another organiser's.");
/// Redis is unavailable.
pub const SESSIONS_UNAVAILABLE: Kind = kind(503, "sessions-unavailable", "Sign-ins cannot be checked now.");
/// There is no such round.
pub const ROUND_NOT_FOUND: Kind = kind(404, "round-not-found", "There is no round with this name.");
/// Too fast.
pub const RATE_LIMITED: Kind = kind(429, "rate-limited", "Too many requests in one minute.");
/// A field is wrong.
pub const INVALID: Kind = kind(422, "invalid", "Well-formed, but not valid: `errors` names every field.");
/// It cannot be known whether it was done.
pub const UNCONFIRMED: Kind =
    kind(503, "unconfirmed", "The log has not confirmed it yet: it may have been done or not.");
/// Nothing was done.
pub const LOG_UNAVAILABLE: Kind =
    kind(503, "log-unavailable", "The log cannot take it now. Nothing was changed.");
/// It is too early.
pub const NOT_READY: Kind =
    kind(503, "not-ready", "The process has just begun, and still reads what there is.");
/// It cannot be read. A form always can.
pub const MALFORMED: Kind = kind(400, "malformed", "The body is not what this address takes.");
/// What can be wrong with a body, whatever is in it.
pub const OF_A_BODY: [Kind; 5] = [
    kind(400, "incomplete", "The body broke off before its end."),
    kind(408, "too-slow", "The body did not come to its end within ten seconds."),
    kind(413, "too-large", "The body is larger than this address takes."),
    kind(415, "unsupported-media-type", "The body has a type that this address does not take."),
    INVALID,
];

impl Kind {
    /// A problem of this kind.
    pub(super) fn example(&self) -> Value {
        let title = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut problem = json!({
            "type": format!("urn:urna:{}", self.kind),
            "title": title.unwrap_or_default(),
            "status": self.status,
            "detail": self.when.replace('`', ""),
        });
        if self.kind == INVALID.kind {
            problem["errors"] = json!([{ "field": "title", "detail": "is missing" }]);
        }
        problem
    }
}
