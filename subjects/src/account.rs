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
    pub network: String,
    /// What the browser or program calls itself, shortened.
    pub user_agent: String,
}

/// `account.<user>.registered`: somebody made an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRegistered {
    /// When.
    pub at: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// From where.
    pub origin: Origin,
}

/// `account.<user>.authenticated`: somebody proved who they are, and waits for a session of this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAuthenticated {
    /// When.
    pub at: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// From where.
    pub origin: Origin,
    /// The name of the session to be opened: new, and never one that the caller brought.
    pub session: SessionId,
}

/// `account.<user>.authentication_failed`: somebody gave a wrong password for this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAuthenticationFailed {
    /// When.
    pub at: Timestamp,
    /// Whose account.
    pub user: UserId,
    /// From where.
    pub origin: Origin,
}

/// `account.<user>.changed`: a person has another name, address or role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChanged {
    /// When.
    pub at: Timestamp,
    /// Who they are from now on.
    #[serde(flatten)]
    pub person: Person,
}

/// `account.<user>.password_changed`: a person has another password. Every session but this one ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPasswordChanged {
    /// When.
    pub at: Timestamp,
    /// Whose password.
    pub user: UserId,
    /// The session in which it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_session: Option<SessionId>,
}

/// Everything that is said of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountMessage {
    /// Somebody made it.
    Registered(AccountRegistered),
    /// Somebody proved that it is theirs.
    Authenticated(AccountAuthenticated),
    /// Somebody failed to.
    AuthenticationFailed(AccountAuthenticationFailed),
    /// It has another name, address or role.
    Changed(AccountChanged),
    /// It has another password.
    PasswordChanged(AccountPasswordChanged),
}

impl AccountMessage {
    fn user(&self) -> UserId {
        match self {
            Self::Registered(it) => it.person.user,
            Self::Authenticated(it) => it.person.user,
            Self::AuthenticationFailed(it) => it.user,
            Self::Changed(it) => it.person.user,
            Self::PasswordChanged(it) => it.user,
        }
    }
}

impl Said for AccountRegistered {
    const KIND: &'static str = "account_registered";
    const SUBJECT: &'static str = "account.*.registered";

    fn subject(&self) -> String {
        format!("account.{}.registered", self.person.user)
    }
}

impl Said for AccountAuthenticated {
    const KIND: &'static str = "account_authenticated";
    const SUBJECT: &'static str = "account.*.authenticated";

    fn subject(&self) -> String {
        format!("account.{}.authenticated", self.person.user)
    }
}

impl Said for AccountAuthenticationFailed {
    const KIND: &'static str = "account_authentication_failed";
    const SUBJECT: &'static str = "account.*.authentication_failed";

    fn subject(&self) -> String {
        format!("account.{}.authentication_failed", self.user)
    }
}

impl Said for AccountChanged {
    const KIND: &'static str = "account_changed";
    const SUBJECT: &'static str = "account.*.changed";

    fn subject(&self) -> String {
        format!("account.{}.changed", self.person.user)
    }
}

impl Said for AccountPasswordChanged {
    const KIND: &'static str = "account_password_changed";
    const SUBJECT: &'static str = "account.*.password_changed";

    fn subject(&self) -> String {
        format!("account.{}.password_changed", self.user)
    }
}

impl Heard for AccountMessage {
    fn hear(subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        let mut tokens = subject.split('.').skip(1);
        let user = tokens.next().unwrap_or_default();
        let message = match tokens.next() {
            Some("registered") => Self::Registered(from_json(payload)?),
            Some("authenticated") => Self::Authenticated(from_json(payload)?),
            Some("authentication_failed") => Self::AuthenticationFailed(from_json(payload)?),
            Some("changed") => Self::Changed(from_json(payload)?),
            Some("password_changed") => Self::PasswordChanged(from_json(payload)?),
            _ => return Err(Unreadable::because("nothing that is said of an account")),
        };
        let said_of = message.user();
        if said_of.to_string() != user {
            return Err(Unreadable::because(format!("a message of user {said_of}")));
        }
        Ok(message)
    }
}
