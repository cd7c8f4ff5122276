//! Accounts: who registered, who proved who they are, and what changed.

use serde::{Deserialize, Serialize};

use crate::message::{Heard, Said, Unreadable, from_json};
use crate::{Email, SessionId, Timestamp, UserId};

/// What a person may do. Each may do all that those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Vote.
    Voter,
    /// Make rounds, and run those they have made.
    Organiser,
    /// Run every round, and say who may do what.
    Admin,
}

/// A person with an account, as others need to know them. Never holds a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Which account.
    pub user: UserId,
    /// As they are called.
    pub name: String,
    /// Their address.
    pub email: Email,
    /// What they may do.
    pub role: Role,
}

/// Where a request came from, as far as that can be known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address of the network it came from.
    pub address: String,
    /// What the browser or program calls itself, shortened.
    pub browser: String,
}

/// `login.<user>.registered`: somebody made an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRegistered {
    /// When.
    pub at: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// From where.
    pub from: Origin,
}

/// `login.<user>.proved`: somebody proved who they are, and waits for a session of this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginProved {
    /// When.
    pub at: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// From where.
    pub from: Origin,
    /// The name of the session to be opened: new, and never one that the caller brought.
    pub session: SessionId,
}

/// `login.<user>.refused`: somebody gave a wrong password for this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRefused {
    /// When.
    pub at: Timestamp,
    /// Whose account.
    pub user: UserId,
    /// From where.
    pub from: Origin,
}

/// `login.<user>.changed`: a person has another name, address or role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginChanged {
    /// When.
    pub at: Timestamp,
    /// Who they are from now on.
    #[serde(flatten)]
    pub person: Person,
}

/// `login.<user>.secured`: a person has another password. Every session but this one ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginSecured {
    /// When.
    pub at: Timestamp,
    /// Whose password.
    pub user: UserId,
    /// The session in which it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<SessionId>,
}

/// Everything that is said of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginMessage {
    /// Somebody made it.
    Registered(LoginRegistered),
    /// Somebody proved that it is theirs.
    Proved(LoginProved),
    /// Somebody failed to.
    Refused(LoginRefused),
    /// It has another name, address or role.
    Changed(LoginChanged),
    /// It has another password.
    Secured(LoginSecured),
}

impl LoginMessage {
    fn user(&self) -> UserId {
        match self {
            Self::Registered(it) => it.person.user,
            Self::Proved(it) => it.person.user,
            Self::Refused(it) => it.user,
            Self::Changed(it) => it.person.user,
            Self::Secured(it) => it.user,
        }
    }
}

impl Said for LoginRegistered {
    const KIND: &'static str = "login_registered";

    fn subject(&self) -> String {
        format!("login.{}.registered", self.person.user)
    }
}

impl Said for LoginProved {
    const KIND: &'static str = "login_proved";

    fn subject(&self) -> String {
        format!("login.{}.proved", self.person.user)
    }
}

impl Said for LoginRefused {
    const KIND: &'static str = "login_refused";

    fn subject(&self) -> String {
        format!("login.{}.refused", self.user)
    }
}

impl Said for LoginChanged {
    const KIND: &'static str = "login_changed";

    fn subject(&self) -> String {
        format!("login.{}.changed", self.person.user)
    }
}

impl Said for LoginSecured {
    const KIND: &'static str = "login_secured";

    fn subject(&self) -> String {
        format!("login.{}.secured", self.user)
    }
}

impl Heard for LoginMessage {
    fn hear(subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        let mut tokens = subject.split('.').skip(1);
        let user = tokens.next().unwrap_or_default();
        let message = match tokens.next() {
            Some("registered") => Self::Registered(from_json(payload)?),
            Some("proved") => Self::Proved(from_json(payload)?),
            Some("refused") => Self::Refused(from_json(payload)?),
            Some("changed") => Self::Changed(from_json(payload)?),
            Some("secured") => Self::Secured(from_json(payload)?),
            _ => return Err(Unreadable::because("nothing that is said of an account")),
        };
        let said_of = message.user();
        if said_of.to_string() != user {
            return Err(Unreadable::because(format!("a message of user {said_of}")));
        }
        Ok(message)
    }
}
