//! What every message has in common.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::RoundId;

/// A message that can be said: it knows its subject.
pub trait Said: Serialize {
    /// What metrics call it.
    const KIND: &'static str;
    /// The pattern of its subjects, with `*` for each identifier: `vote.*.cast`.
    const SUBJECT: &'static str;

    /// The subject it is published on.
    fn subject(&self) -> String;
}

/// A message that can be heard. One subject space may carry several kinds of message, hence the subject.
pub trait Heard: Sized {
    /// Reads a message from its subject and its JSON payload.
    ///
    /// # Errors
    /// [`Unreadable`] when the payload is not what the subject promises. The very same message can never
    /// become readable, so it belongs in the DEAD_LETTERS stream.
    fn hear(subject: &str, payload: &[u8]) -> Result<Self, Unreadable>;
}

/// A message of which only the newest about something counts: its subject names what it is about.
pub trait Keyed {
    /// What it is about.
    type Key;

    /// Reads from its subject what a message is about.
    ///
    /// # Errors
    /// [`Unreadable`] when it is the subject of no such message.
    fn key_of(subject: &str) -> Result<Self::Key, Unreadable>;
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// With the reason, for people.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Reads the round that a subject names between `before` and `behind`.
pub(crate) fn round_of(subject: &str, before: &str, behind: &str) -> Result<RoundId, Unreadable> {
    let round = subject.strip_prefix(before).and_then(|round| round.strip_suffix(behind));
    let round = round.and_then(|round| RoundId::parse(round).ok());
    round.ok_or_else(|| Unreadable::because(format!("no subject of the form {before}<round>{behind}")))
}

/// Reads `payload` as JSON of `M`. The reason never quotes the payload: it may hold a choice.
pub(crate) fn from_json<M: DeserializeOwned>(payload: &[u8]) -> Result<M, Unreadable> {
    // All of it at once: a block has thousands of strings, and to look at each by itself takes longer.
    let text = std::str::from_utf8(payload).map_err(|_| Unreadable::because("no UTF-8"))?;
    serde_json::from_str(text).map_err(|fault| {
        let kind = match fault.classify() {
            serde_json::error::Category::Data => "JSON of another shape",
            _ => "no JSON",
        };
        Unreadable(format!("{kind} at line {} column {}", fault.line(), fault.column()))
    })
}
