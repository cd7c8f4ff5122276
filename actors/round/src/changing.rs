//! How a round is changed that is there, as a state machine. It does no I/O itself.
//!
//! The newest version is read and decided about. When somebody else writes first, it is decided anew about what they
//! have written, so nothing is overwritten unread.
//!
//! A round may open, close and be sealed while a process that was to open it is paused. The key that this process then
//! makes is destroyed as soon as it learns that the round is closed.

use nats::{Now, SayError};
use subjects::{RoundId, RoundState};

use crate::order::{Entry, NotChanged, Order};
use crate::rules;
use crate::writing::{Answer, Next, NotWritten, Step, Writing};

/// How often a change is decided anew because somebody else wrote first. Each time one of those who write at once has
/// its way, so this is how many may.
pub const TRIES: usize = 100;

/// A round being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changing {
    id: RoundId,
    order: Order,
    /// How often a version may still be written.
    tries: usize,
    /// Whether the round has a key of this change.
    made_key: bool,
    state: State,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Writing(Box<Writing>),
    DestroyingKey(NotChanged),
}

impl Changing {
    /// Begins to change a round.
    pub fn begin(id: RoundId, order: Order) -> (Self, Step) {
        (Self { id, order, tries: TRIES, made_key: false, state: State::Reading }, Step::Read)
    }

    /// Takes an answer in.
    pub fn on(&mut self, answer: Answer, now: Now) -> Next<Result<Entry, NotChanged>> {
        match (&mut self.state, answer) {
            (State::Reading, Answer::Read(Some(there))) => {
                let is_late = self.made_key && there.entry.round.state == RoundState::Closed;
                match self.decide(there.entry, now) {
                    Ok(next) => next,
                    Err(why) if is_late => {
                        self.state = State::DestroyingKey(why);
                        Next::Step(Step::DestroyKey)
                    }
                    Err(why) => Next::End(Err(why)),
                }
            }
            (State::Reading, Answer::Read(None)) => Next::End(Err(NotChanged::NoSuchRound(self.id.clone()))),
            (State::Reading, Answer::Failed(why)) => later(why),
            (State::Reading, other) => later(format!("unexpected answer: {other:?}")),
            (State::DestroyingKey(why), _) => Next::End(Err(why.clone())),
            (State::Writing(writing), answer) => {
                self.made_key |= answer == Answer::KeyMade;
                match writing.on(answer, now) {
                    Next::Step(step) => Next::Step(step),
                    Next::End(Ok(entry)) => Next::End(Ok(entry)),
                    Next::End(Err(NotWritten::Conflict)) => self.try_again(),
                    Next::End(Err(NotWritten::Unconfirmed)) => Next::End(Err(NotChanged::Unconfirmed)),
                    Next::End(Err(NotWritten::Later(why))) => later(why),
                }
            }
        }
    }

    fn decide(&mut self, there: Entry, now: Now) -> Result<Next<Result<Entry, NotChanged>>, NotChanged> {
        let Order { deed, by, version } = &self.order;
        rules::may_organise(&there.round, *by)?;
        if version.is_some_and(|seen| seen != there.version) {
            return Err(NotChanged::Meanwhile(there.version));
        }
        let (change, round) = rules::decide(&there.round, deed, *by, now.wall)?;
        if round == there.round {
            return Ok(Next::End(Ok(there)));
        }
        let (writing, step) = Writing::begin(change, round, there.version, now);
        self.state = State::Writing(Box::new(writing));
        Ok(Next::Step(step))
    }

    fn try_again(&mut self) -> Next<Result<Entry, NotChanged>> {
        self.tries -= 1;
        if self.tries == 0 {
            return later(SayError::Conflict.to_string());
        }
        self.state = State::Reading;
        Next::Step(Step::Read)
    }
}

fn later(why: String) -> Next<Result<Entry, NotChanged>> {
    Next::End(Err(NotChanged::Later(why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::{NOW, ann, round};
    use crate::rules::{By, Deed, Refusal};
    use crate::sample::{at, stored};
    use subjects::RoundState::{Closed, Draft, Open};
    use subjects::{Change, MessageId, Role, UserId};

    fn order(deed: Deed) -> Order {
        Order { deed, by: ann(), version: None }
    }

    fn begin(order: Order) -> Changing {
        let (changing, step) = Changing::begin(round(Draft).id, order);
        assert_eq!(step, Step::Read);
        changing
    }

    fn read(version: u64, state: RoundState) -> Answer {
        Answer::Read(Some(stored(version, None, state)))
    }

    fn expects(next: &Next<Result<Entry, NotChanged>>, version: u64) -> bool {
        matches!(next, Next::Step(Step::Publish { expected, .. }) if *expected == version)
    }

    #[test]
    fn a_change_is_published_over_the_version_that_was_decided_about() {
        let mut changing = begin(order(Deed::Close));
        let next = changing.on(read(5, Open), at(NOW));
        let Next::Step(Step::Publish { changed, expected: 5 }) = next else { panic!("{next:?}") };
        assert_eq!((changed.change, changed.round.state), (Change::Closed, Closed));
        let entry = Entry { version: 6, round: round(Closed) };
        assert_eq!(changing.on(Answer::Published(6), at(NOW)), Next::End(Ok(entry)));
        let opens = begin(order(Deed::Open)).on(read(5, Draft), at(NOW));
        assert_eq!(opens, Next::Step(Step::MakeKey));
    }

    #[test]
    fn a_change_that_changes_nothing_writes_nothing() {
        let edit = order(Deed::Edit(rules::Wish::default()));
        let entry = Entry { version: 5, round: round(Draft) };
        assert_eq!(begin(edit).on(read(5, Draft), at(NOW)), Next::End(Ok(entry)));
    }

    #[test]
    fn a_change_is_decided_anew_when_somebody_else_was_first() {
        let mut changing = begin(order(Deed::Close));
        assert!(expects(&changing.on(read(5, Open), at(NOW)), 5));
        assert_eq!(changing.on(Answer::Conflict, at(NOW)), Next::Step(Step::Read));
        assert!(expects(&changing.on(read(6, Open), at(NOW)), 6));
        assert_eq!(changing.on(Answer::Conflict, at(NOW)), Next::Step(Step::Read));
        let refused = Next::End(Err(Refusal::Closed.into()));
        assert_eq!(changing.on(read(7, Closed), at(NOW)), refused);
    }

    #[test]
    fn a_key_that_is_made_after_the_round_has_closed_is_destroyed() {
        for destroyed in [Answer::KeyDestroyed, Answer::Failed("away".to_owned())] {
            let mut changing = begin(order(Deed::Open));
            changing.on(read(5, Draft), at(NOW));
            changing.on(Answer::KeyMade, at(NOW));
            changing.on(Answer::LogMade, at(NOW));
            assert_eq!(changing.on(Answer::Conflict, at(NOW)), Next::Step(Step::Read));
            assert_eq!(changing.on(read(7, Closed), at(NOW)), Next::Step(Step::DestroyKey));
            assert_eq!(changing.on(destroyed, at(NOW)), Next::End(Err(Refusal::Closed.into())));
        }
        let mut changing = begin(order(Deed::Open));
        changing.on(read(5, Draft), at(NOW));
        changing.on(Answer::KeyMade, at(NOW));
        changing.on(Answer::LogMade, at(NOW));
        changing.on(Answer::Conflict, at(NOW));
        let refused = Next::End(Err(Refusal::Open.into()));
        assert_eq!(changing.on(read(6, Open), at(NOW)), refused, "an open round needs it");
    }

    #[test]
    fn a_change_gives_up_when_others_are_always_first() {
        let mut changing = begin(order(Deed::Close));
        for version in 1..=TRIES as u64 {
            assert!(expects(&changing.on(read(version, Open), at(NOW)), version));
            let next = changing.on(Answer::Conflict, at(NOW));
            match next {
                Next::Step(step) => assert_eq!((step, version < TRIES as u64), (Step::Read, true)),
                Next::End(outcome) => {
                    assert!(matches!(outcome, Err(NotChanged::Later(_))) && version == TRIES as u64);
                }
            }
        }
    }

    #[test]
    fn a_change_of_another_version_or_by_somebody_else_is_refused() {
        let seen = Order { version: Some(4), ..order(Deed::Close) };
        assert_eq!(begin(seen).on(read(5, Open), at(NOW)), Next::End(Err(NotChanged::Meanwhile(5))));
        let by = By::Person(UserId::random(), Role::Organiser);
        let theirs = Order { by, version: Some(4), ..order(Deed::Close) };
        let refused = Next::End(Err(Refusal::NotYours.into()));
        assert_eq!(begin(theirs).on(read(5, Open), at(NOW)), refused, "whatever they have seen");
    }

    #[test]
    fn a_round_that_is_not_there_or_not_read_is_not_changed() {
        let missing = Next::End(Err(NotChanged::NoSuchRound(round(Draft).id)));
        assert_eq!(begin(order(Deed::Close)).on(Answer::Read(None), at(NOW)), missing);
        for answer in [Answer::Failed("away".to_owned()), Answer::LogMade] {
            let next = begin(order(Deed::Close)).on(answer, at(NOW));
            assert!(matches!(next, Next::End(Err(NotChanged::Later(_)))));
        }
    }

    #[test]
    fn a_change_that_is_not_acknowledged_is_unconfirmed_until_it_is_found() {
        let mut changing = begin(order(Deed::Close));
        changing.on(read(5, Open), at(NOW));
        let unanswered = Answer::Unanswered(MessageId::named("mine".to_owned()));
        assert_eq!(changing.on(unanswered, at(NOW)), Next::Step(Step::Read));
        let unconfirmed = Next::End(Err(NotChanged::Unconfirmed));
        assert_eq!(changing.clone().on(read(5, Open), at(NOW)), unconfirmed);
        assert_eq!(changing.clone().on(read(6, Open), at(NOW)), Next::Step(Step::Read), "theirs is");
        let found = Answer::Read(Some(stored(6, Some("mine"), Closed)));
        let entry = Entry { version: 6, round: round(Closed) };
        assert_eq!(changing.on(found, at(NOW)), Next::End(Ok(entry)));
    }
}
