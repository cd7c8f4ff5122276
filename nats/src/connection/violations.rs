//! What the server has refused to this process's user.

use std::collections::BTreeSet;
use std::time::Duration;

use super::reason::{Action, Reason};
use crate::clock::Monotonic;

/// How long a refused message counts as a reason why NATS cannot be used.
const RECENT: Duration = Duration::from_secs(60);
/// How many different refusals are remembered, so that each is logged once.
const REMEMBERED_MAX: usize = 64;

/// What the server has refused to this process's user. A refused message matters for a minute; a refused subscription
/// matters as long as the connection, because nothing comes from it.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    known: BTreeSet<(Action, String)>,
    subscription: Option<String>,
    message: Option<(String, Monotonic)>,
}

impl Violations {
    /// Takes note of one. Returns whether it is new.
    pub fn note(&mut self, action: Action, subject: &str, now: Monotonic) -> bool {
        match action {
            Action::Publish => self.message = Some((subject.to_owned(), now)),
            Action::Subscribe => self.subscription = Some(subject.to_owned()),
        }
        self.known.len() < REMEMBERED_MAX && self.known.insert((action, subject.to_owned()))
    }

    /// A new connection has subscribed anew.
    pub fn connected(&mut self) {
        self.subscription = None;
    }

    /// The one that matters now.
    pub fn reason(&self, now: Monotonic) -> Option<Reason> {
        let missing =
            |action, subject: &String| Reason::PermissionMissing { action, subject: subject.clone() };
        if let Some(subject) = &self.subscription {
            return Some(missing(Action::Subscribe, subject));
        }
        let (subject, at) = self.message.as_ref()?;
        (now.since(*at) < RECENT).then(|| missing(Action::Publish, subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Monotonic {
        Monotonic::from_duration(Duration::from_secs(seconds))
    }

    #[test]
    fn a_refused_message_matters_for_a_minute() {
        let mut violations = Violations::default();
        assert_eq!(violations.reason(at(0)), None);
        assert!(violations.note(Action::Publish, "round.demo", at(10)));
        let missing = Reason::PermissionMissing { action: Action::Publish, subject: "round.demo".to_owned() };
        assert_eq!(violations.reason(at(69)), Some(missing));
        assert_eq!(violations.reason(at(70)), None);
    }

    #[test]
    fn a_refused_subscription_matters_until_the_next_connection() {
        let mut violations = Violations::default();
        violations.note(Action::Subscribe, "round.>", at(10));
        let missing = Reason::PermissionMissing { action: Action::Subscribe, subject: "round.>".to_owned() };
        assert_eq!(violations.reason(at(10_000)), Some(missing));
        violations.connected();
        assert_eq!(violations.reason(at(10_000)), None);
    }

    #[test]
    fn each_refusal_is_new_once_and_not_too_many_are_remembered() {
        let mut violations = Violations::default();
        assert!(violations.note(Action::Publish, "a", at(1)));
        assert!(!violations.note(Action::Publish, "a", at(2)));
        assert!(violations.note(Action::Subscribe, "a", at(3)));
        let new =
            (0..1_000).filter(|n| violations.note(Action::Publish, &format!("inbox.{n}"), at(4))).count();
        assert_eq!(new, REMEMBERED_MAX - 2);
    }
}
