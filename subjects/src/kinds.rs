//! Every kind of message, so that what must hold for all of them can be checked for each.

use crate::account::{
    AccountAuthenticated, AccountAuthenticationFailed, AccountChanged, AccountPasswordChanged,
    AccountRegistered,
};
use crate::{
    BallotsCast, MessageDeadLettered, RoundChanged, RoundSealed, Said, SessionEnded, SessionOpened,
    TallyCounted, VoterKeyCreated,
};

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in metrics.
    pub name: &'static str,
    /// The pattern of its subjects, with `*` for each identifier.
    pub subject: &'static str,
}

/// Every kind of message.
pub const ALL: [Kind; 13] = [
    Kind::of::<AccountRegistered>(),
    Kind::of::<AccountAuthenticated>(),
    Kind::of::<AccountAuthenticationFailed>(),
    Kind::of::<AccountChanged>(),
    Kind::of::<AccountPasswordChanged>(),
    Kind::of::<SessionOpened>(),
    Kind::of::<SessionEnded>(),
    Kind::of::<RoundChanged>(),
    Kind::of::<VoterKeyCreated>(),
    Kind::of::<BallotsCast>(),
    Kind::of::<RoundSealed>(),
    Kind::of::<TallyCounted>(),
    Kind::of::<MessageDeadLettered>(),
];

impl Kind {
    /// The kind of this message.
    pub const fn of<M: Said>() -> Self {
        Self { name: M::KIND, subject: M::SUBJECT }
    }

    /// Whether a message of this kind can be published on `subject`.
    pub fn matches(&self, subject: &str) -> bool {
        let (mut pattern, mut tokens) = (self.subject.split('.'), subject.split('.'));
        loop {
            match (pattern.next(), tokens.next()) {
                (None, None) => return true,
                (Some("*"), Some(token)) if !token.is_empty() => {}
                (Some(expected), Some(token)) if expected == token => {}
                _ => return false,
            }
        }
    }
}
