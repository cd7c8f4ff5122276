//! How a round is made that is not there yet, as a state machine. It does no I/O itself.
//!
//! However many processes make it at once, one version is the first; the others learn which. A key that was made after
//! that round has closed is destroyed (see [`crate::changing`]).

use nats::{Now, SayError};
use subjects::{Change, Round, RoundState};

use crate::order::{Entry, NotMade};
use crate::writing::{Answer, Next, NotWritten, Step, Writing};

/// A round being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    round: Round,
    /// Whether the round has a key of this making.
    made_key: bool,
    state: State,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Writing(Box<Writing>),
    /// Somebody else was first: what they have made is read.
    Rereading,
    /// This round was there, and is closed.
    DestroyingKey(Box<Round>),
}

impl Making {
    /// Begins to make a round.
    pub fn begin(round: Round) -> (Self, Step) {
        (Self { round, made_key: false, state: State::Reading }, Step::Read)
    }

    /// Takes an answer in.
    pub fn on(&mut self, answer: Answer, now: Now) -> Next<Result<Entry, NotMade>> {
        match (&mut self.state, answer) {
            (State::Reading | State::Rereading, Answer::Read(Some(there))) => {
                let there = Box::new(there.entry.round);
                if self.made_key && there.state == RoundState::Closed {
                    self.state = State::DestroyingKey(there);
                    return Next::Step(Step::DestroyKey);
                }
                Next::End(Err(NotMade::Exists(there)))
            }
            (State::DestroyingKey(there), _) => Next::End(Err(NotMade::Exists(there.clone()))),
            (State::Reading, Answer::Read(None)) => {
                let (writing, step) = Writing::begin(Change::Created, self.round.clone(), 0, now);
                self.state = State::Writing(Box::new(writing));
                Next::Step(step)
            }
            // What was first is not stored yet.
            (State::Rereading, Answer::Read(None)) => later(SayError::Conflict.to_string()),
            (State::Reading | State::Rereading, Answer::Failed(why)) => later(why),
            (State::Reading | State::Rereading, other) => later(format!("unexpected answer: {other:?}")),
            (State::Writing(writing), answer) => {
                self.made_key |= answer == Answer::KeyMade;
                match writing.on(answer, now) {
                    Next::Step(step) => Next::Step(step),
                    Next::End(Ok(entry)) => Next::End(Ok(entry)),
                    Next::End(Err(NotWritten::Conflict)) => {
                        self.state = State::Rereading;
                        Next::Step(Step::Read)
                    }
                    Next::End(Err(NotWritten::Unconfirmed)) => Next::End(Err(NotMade::Unconfirmed)),
                    Next::End(Err(NotWritten::Later(why))) => later(why),
                }
            }
        }
    }
}

fn later(why: String) -> Next<Result<Entry, NotMade>> {
    Next::End(Err(NotMade::Later(why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::{NOW, round};
    use crate::sample::{at, stored};
    use subjects::MessageId;
    use subjects::RoundState::{Draft, Open};

    /// A making that has found no round, and its next step.
    fn begun(state: RoundState) -> (Making, Step) {
        let (mut making, step) = Making::begin(round(state));
        assert_eq!(step, Step::Read);
        match making.on(Answer::Read(None), at(NOW)) {
            Next::Step(step) => (making, step),
            Next::End(outcome) => panic!("{outcome:?}"),
        }
    }

    fn is_later(outcome: &Next<Result<Entry, NotMade>>) -> bool {
        matches!(outcome, Next::End(Err(NotMade::Later(_))))
    }

    #[test]
    fn a_round_is_made_where_there_is_none() {
        let (mut making, step) = begun(Draft);
        let Step::Publish { changed, expected: 0 } = step else { panic!("{step:?}") };
        assert_eq!((changed.change, &changed.round), (Change::Created, &round(Draft)));
        let entry = Entry { version: 7, round: round(Draft) };
        assert_eq!(making.on(Answer::Published(7), at(NOW)), Next::End(Ok(entry)));
        assert_eq!(begun(Open).1, Step::MakeKey, "an open one gets its key first");
    }

    #[test]
    fn a_round_that_is_there_stays_as_it_is() {
        let there = || Answer::Read(Some(stored(3, None, RoundState::Closed)));
        let exists = Next::End(Err(NotMade::Exists(Box::new(round(RoundState::Closed)))));
        assert_eq!(Making::begin(round(Draft)).0.on(there(), at(NOW)), exists);
        let (mut making, _) = begun(Draft);
        assert_eq!(making.on(Answer::Conflict, at(NOW)), Next::Step(Step::Read));
        assert_eq!(making.on(there(), at(NOW)), exists, "one that was made meanwhile, too");
    }

    #[test]
    fn a_key_that_is_made_after_the_round_has_closed_is_destroyed() {
        let exists = |state| Next::End(Err(NotMade::Exists(Box::new(round(state)))));
        let mut late = begun(Open).0;
        for answer in [Answer::KeyMade, Answer::LogMade, Answer::Conflict] {
            late.on(answer, at(NOW));
        }
        let read = |state| Answer::Read(Some(stored(3, None, state)));
        assert_eq!(late.clone().on(read(Open), at(NOW)), exists(Open), "an open round needs it");
        assert_eq!(late.on(read(RoundState::Closed), at(NOW)), Next::Step(Step::DestroyKey));
        assert_eq!(late.on(Answer::KeyDestroyed, at(NOW)), exists(RoundState::Closed));
    }

    #[test]
    fn a_round_whose_rival_is_not_stored_yet_can_be_tried_again() {
        let (mut making, _) = begun(Draft);
        making.on(Answer::Conflict, at(NOW));
        assert!(is_later(&making.clone().on(Answer::Read(None), at(NOW))));
        assert!(is_later(&making.on(Answer::Failed("away".to_owned()), at(NOW))));
    }

    #[test]
    fn what_fails_can_be_tried_again_and_what_is_unconfirmed_is_told_apart() {
        let failed = || Answer::Failed("away".to_owned());
        assert!(is_later(&Making::begin(round(Draft)).0.on(failed(), at(NOW))));
        assert!(is_later(&Making::begin(round(Draft)).0.on(Answer::Conflict, at(NOW))));
        assert!(is_later(&begun(Open).0.on(failed(), at(NOW))));
        let (mut making, _) = begun(Draft);
        let unanswered = Answer::Unanswered(MessageId::named("mine".to_owned()));
        assert_eq!(making.on(unanswered, at(NOW)), Next::Step(Step::Read));
        assert_eq!(making.on(Answer::Read(None), at(NOW)), Next::End(Err(NotMade::Unconfirmed)));
    }
}
