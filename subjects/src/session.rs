//! Sessions: where somebody is signed in, from the proof to the end.

use serde::{Deserialize, Serialize};

use crate::message::{Heard, Said, Unreadable, from_json};
use crate::{Role, SessionId, Timestamp, UserId};

/// `session.<session>.opened`: somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// When.
    pub at: Timestamp,
    /// Which session.
    pub session: SessionId,
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// When it ends at the latest, however much it is used.
    pub expires_at: Timestamp,
}

/// `session.<session>.ended`: somebody is not signed in any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// When.
    pub at: Timestamp,
    /// Which session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// The reason.
    pub reason: SessionEndReason,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEndReason {
    /// They signed out, there or from another session.
    SignedOut,
    /// Their password was changed elsewhere.
    PasswordChanged,
    /// The account has as many sessions as it may, and a newer one took the place of this one.
    SessionLimit,
}

/// Everything that is said of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionMessage {
    /// It was opened.
    Opened(SessionOpened),
    /// It has ended.
    Ended(SessionEnded),
}

impl Said for SessionOpened {
    const KIND: &'static str = "session_opened";
    const SUBJECT: &'static str = "session.*.opened";

    fn subject(&self) -> String {
        format!("session.{}.opened", self.session)
    }
}

impl Said for SessionEnded {
    const KIND: &'static str = "session_ended";
    const SUBJECT: &'static str = "session.*.ended";

    fn subject(&self) -> String {
        format!("session.{}.ended", self.session)
    }
}

impl Heard for SessionMessage {
    fn hear(subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        let mut tokens = subject.split('.').skip(1);
        let session = tokens.next().unwrap_or_default();
        let (said_of, message) = match tokens.next() {
            Some("opened") => {
                let opened: SessionOpened = from_json(payload)?;
                (opened.session, Self::Opened(opened))
            }
            Some("ended") => {
                let ended: SessionEnded = from_json(payload)?;
                (ended.session, Self::Ended(ended))
            }
            _ => return Err(Unreadable::because("neither the beginning nor the end of a session")),
        };
        if said_of.to_string() != session {
            return Err(Unreadable::because(format!("a message of session {said_of}")));
        }
        Ok(message)
    }
}
