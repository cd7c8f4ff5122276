//! How a version of a round is written, as a state machine: key, then log, then state, so that both are there before
//! anyone is told that the round is open. It does no I/O itself.
//!
//! Every step can be taken again: dying between any two leaves nothing that the next try trips over. A process that dies
//! on the way leaves a draft, and what it has laid serves the next one that opens it.
//!
//! Contract: the caller carries out one [`Step`] at a time, of one round, and hands in its [`Answer`].

use nats::Now;
use subjects::{Change, MessageId, Round, RoundChanged, RoundState};

use urna_mutation::{Mutation, is_on};

use crate::order::Entry;

/// One thing to be done for a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the newest version of the round.
    Read,
    /// Publish a voter key of random bits, expecting that the round has none.
    MakeKey,
    /// Look whether the round has a voter key.
    FindKey,
    /// Make the round's log, if it is not there.
    MakeLog,
    /// Publish this version, expecting that the newest one is at `expected`.
    Publish {
        /// The version.
        changed: Box<RoundChanged>,
        /// A sequence of ROUNDS; 0 for a round that is not there.
        expected: u64,
    },
    /// Destroy the voter key, if there is any.
    DestroyKey,
}

/// What came of a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Step::Read`]: the newest version, if there is any.
    Read(Option<Box<Stored>>),
    /// To [`Step::MakeKey`]: it is stored.
    KeyMade,
    /// To [`Step::MakeKey`]: another key was first. It may still be under way.
    KeyExists,
    /// To [`Step::FindKey`]: whether a key is stored.
    KeyFound(bool),
    /// To [`Step::MakeLog`]: the log is there.
    LogMade,
    /// To [`Step::Publish`]: it is stored, at this sequence of ROUNDS.
    Published(u64),
    /// To [`Step::Publish`]: another version was first. This one is not stored.
    Conflict,
    /// To [`Step::Publish`]: no acknowledgement came for the message of this id. It may be stored or not.
    Unanswered(MessageId),
    /// To [`Step::DestroyKey`]: there is none any more.
    KeyDestroyed,
    /// To any: it failed, and why. Nothing was published. To [`Step::MakeKey`] and [`Step::MakeLog`]: or it is not known.
    Failed(String),
}

/// A version of a round in ROUNDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The version and the round.
    pub entry: Entry,
    /// The id of its message, if it has one.
    pub id: Option<String>,
}

/// What is to happen after an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// This step.
    Step(Step),
    /// Nothing: this is the outcome.
    End(T),
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotWritten {
    /// Somebody else wrote first.
    Conflict,
    /// It may be written or not.
    Unconfirmed,
    /// It may succeed later.
    Later(String),
}

/// One version on its way into ROUNDS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writing {
    change: Change,
    round: Round,
    expected: u64,
    state: State,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    MakingKey,
    /// A cluster answers that somebody was first while their key is under way, too, and it may never be stored.
    FindingKey,
    MakingLog,
    Publishing,
    /// Whether the message of this id is stored is looked up.
    Finding(MessageId),
}

impl Writing {
    /// Begins to write `round` over version `expected`, 0 for none.
    pub fn begin(change: Change, round: Round, expected: u64, now: Now) -> (Self, Step) {
        let opens = round.state == RoundState::Open && change != Change::Edited;
        let opens = opens && !is_on(Mutation::OpenWithoutKey);
        let state = if opens { State::MakingKey } else { State::Publishing };
        let writing = Self { change, round, expected, state };
        let step = if opens { Step::MakeKey } else { writing.publish(now) };
        (writing, step)
    }

    /// Takes an answer in.
    pub fn on(&mut self, answer: Answer, now: Now) -> Next<Result<Entry, NotWritten>> {
        let (state, step) = match (&self.state, answer) {
            (State::MakingKey, Answer::KeyMade) | (State::FindingKey, Answer::KeyFound(true)) => {
                (State::MakingLog, Step::MakeLog)
            }
            (State::MakingKey, Answer::KeyExists) => (State::FindingKey, Step::FindKey),
            (State::FindingKey, Answer::KeyFound(false)) => {
                return self.end(Err(NotWritten::Later("its key is not stored yet".to_owned())));
            }
            (State::MakingLog, Answer::LogMade) => (State::Publishing, self.publish(now)),
            (State::Publishing, Answer::Published(version)) => return self.end(Ok(version)),
            (State::Publishing, Answer::Conflict) => return self.end(Err(NotWritten::Conflict)),
            (State::Publishing, Answer::Unanswered(id)) => (State::Finding(id), Step::Read),
            (State::Finding(id), Answer::Read(Some(newest))) => {
                return self.end(self.found(id, &newest));
            }
            // When there is none, it may still be on its way.
            (State::Finding(_), _) => return self.end(Err(NotWritten::Unconfirmed)),
            (_, Answer::Failed(why)) => return self.end(Err(NotWritten::Later(why))),
            (_, other) => return self.end(Err(NotWritten::Later(format!("unexpected answer: {other:?}")))),
        };
        self.state = state;
        Next::Step(step)
    }

    fn publish(&self, now: Now) -> Step {
        let changed = RoundChanged { at: now.wall, change: self.change, round: self.round.clone() };
        Step::Publish { changed: Box::new(changed), expected: self.expected }
    }

    /// Whether the newest version is the one that was not acknowledged. One that is as it was may still be overwritten.
    fn found(&self, id: &MessageId, newest: &Stored) -> Result<u64, NotWritten> {
        let version = newest.entry.version;
        if newest.id.as_deref() == Some(id.as_str()) {
            Ok(version)
        } else if version == self.expected {
            Err(NotWritten::Unconfirmed)
        } else {
            Err(NotWritten::Conflict)
        }
    }

    fn end(&self, outcome: Result<u64, NotWritten>) -> Next<Result<Entry, NotWritten>> {
        Next::End(outcome.map(|version| Entry { version, round: self.round.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::{NOW, round};
    use crate::sample::{at, stored};
    use subjects::RoundState::{Draft, Open};

    fn begin(change: Change, state: RoundState) -> (Writing, Step) {
        Writing::begin(change, round(state), 3, at(NOW))
    }

    fn published(state: RoundState, change: Change) -> Step {
        let changed = RoundChanged { at: at(NOW).wall, change, round: round(state) };
        Step::Publish { changed: Box::new(changed), expected: 3 }
    }

    fn steps(writing: &mut Writing, answers: &[Answer]) -> Next<Result<Entry, NotWritten>> {
        let mut next = None;
        for answer in answers {
            next = Some(writing.on(answer.clone(), at(NOW)));
        }
        next.expect("there is an answer")
    }

    fn later(outcome: &Next<Result<Entry, NotWritten>>) -> bool {
        matches!(outcome, Next::End(Err(NotWritten::Later(_))))
    }

    #[test]
    fn a_round_that_opens_gets_its_key_then_its_log_then_its_state() {
        for change in [Change::Opened, Change::Created] {
            let (mut writing, step) = begin(change, Open);
            assert_eq!(step, Step::MakeKey);
            assert_eq!(writing.on(Answer::KeyMade, at(NOW)), Next::Step(Step::MakeLog));
            assert_eq!(writing.on(Answer::LogMade, at(NOW)), Next::Step(published(Open, change)));
            let entry = Entry { version: 9, round: round(Open) };
            assert_eq!(writing.on(Answer::Published(9), at(NOW)), Next::End(Ok(entry)));
        }
    }

    #[test]
    fn what_does_not_open_a_round_is_published_at_once() {
        for (change, state) in
            [(Change::Edited, Open), (Change::Created, Draft), (Change::Closed, RoundState::Closed)]
        {
            assert_eq!(begin(change, state).1, published(state, change));
        }
    }

    #[test]
    fn another_key_serves_if_it_is_stored() {
        let (mut writing, _) = begin(Change::Opened, Open);
        assert_eq!(writing.on(Answer::KeyExists, at(NOW)), Next::Step(Step::FindKey));
        let mut too_early = writing.clone();
        assert!(later(&too_early.on(Answer::KeyFound(false), at(NOW))));
        assert_eq!(writing.on(Answer::KeyFound(true), at(NOW)), Next::Step(Step::MakeLog));
    }

    #[test]
    fn nothing_is_published_when_key_or_log_fail() {
        let failed = || Answer::Failed("away".to_owned());
        for before in [vec![], vec![Answer::KeyExists], vec![Answer::KeyMade]] {
            let (mut writing, _) = begin(Change::Opened, Open);
            assert!(later(&steps(&mut writing, &[&before[..], &[failed()]].concat())), "{before:?}");
        }
    }

    #[test]
    fn a_conflict_and_a_refusal_are_told_apart() {
        let (mut writing, _) = begin(Change::Edited, Draft);
        assert_eq!(writing.clone().on(Answer::Conflict, at(NOW)), Next::End(Err(NotWritten::Conflict)));
        assert!(later(&writing.on(Answer::Failed("too large".to_owned()), at(NOW))));
    }

    #[test]
    fn a_version_without_acknowledgement_is_known_by_its_id() {
        let id = MessageId::named("mine".to_owned());
        let found = |newest: Answer| {
            let (mut writing, _) = begin(Change::Edited, Draft);
            assert_eq!(writing.on(Answer::Unanswered(id.clone()), at(NOW)), Next::Step(Step::Read));
            writing.on(newest, at(NOW))
        };
        let read = |version, id| Answer::Read(Some(stored(version, id, Draft)));
        let entry = Entry { version: 4, round: round(Draft) };
        assert_eq!(found(read(4, Some("mine"))), Next::End(Ok(entry)));
        assert_eq!(found(read(4, Some("theirs"))), Next::End(Err(NotWritten::Conflict)));
        assert_eq!(found(read(4, None)), Next::End(Err(NotWritten::Conflict)));
        let unconfirmed = Next::End(Err(NotWritten::Unconfirmed));
        assert_eq!(found(read(3, None)), unconfirmed, "it may still be on its way");
        assert_eq!(found(Answer::Read(None)), unconfirmed);
        assert_eq!(found(Answer::Failed("away".to_owned())), unconfirmed);
    }

    #[test]
    fn an_answer_to_another_step_ends_it_and_can_be_tried_again() {
        let (mut writing, _) = begin(Change::Opened, Open);
        assert!(later(&writing.on(Answer::Published(4), at(NOW))));
    }
}
