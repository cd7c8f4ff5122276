//! The life of one round, as a state machine: it opens and closes at its time, and once closed it is taken to its end. It
//! does no I/O itself.
//!
//! Any round process does it, again after every crash, any number of times. A round that opens gets its key and its log
//! first (see [`crate::writing`]). That a round is closed is written down first, as its new state, and everything else
//! follows from that state:
//!
//! 1. the seal is written into the log, once: it expects that there is none;
//! 2. the voter key is destroyed;
//! 3. when the tally has counted the seal, the stream itself is sealed: the server refuses every further message.
//!
//! After a failure, and while the tally has not counted the seal, all of it is gone through again from the beginning a
//! second later: a seal that was lost is written again, and an operator may have sealed or deleted the log.
//!
//! Contract: the caller carries the actions out in order, and hands in each answer before other events of this round. An
//! action has one answer, and [`Event::Failed`] may come instead of it. [`Action::WakeAt`], which replaces the one before,
//! [`Action::LogChanged`] and [`Action::LogNotChanged`] have none. A wake that comes early is harmless.

mod steps;

use std::time::Duration;

use nats::{Monotonic, Now};
use subjects::{Round, RoundId, RoundSealed, RoundState};

use urna_mutation::{Mutation, is_on};

use crate::changing::Changing;
use crate::order::{Entry, NotChanged, Order};
use crate::rules::{self, By, Deed};
use crate::writing::{Answer, Next};

pub use self::steps::{Action, Event, LogState};

/// The longest wait before the wall clock is looked at again: it may have been set.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether the log of a closed round is back that an operator has deleted.
pub const LOOK_FOR_LOG_EVERY: Duration = Duration::from_secs(60);
/// Why a round is sealed, in the seal.
const REASON: &str = "it was closed";

/// The life of one round.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    id: RoundId,
    /// The newest version that is known; 0 for none.
    version: u64,
    /// Whether the tally has counted the seal.
    is_counted: bool,
    state: State,
}

/// Where a round stands in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known of the round.
    Unknown,
    /// A draft or open. Its time lies ahead, or it has none, or the last try to change it failed.
    Ahead(Box<Round>),
    /// Its time has come: it is opened or closed. The round is the newest that is known.
    Changing(Box<Round>, Box<Changing>),
    /// Closed, and looked at again soon.
    Unfinished,
    LookingAtLog,
    WritingSeal,
    DestroyingKey(Then),
    /// The seal is in the log, and the key is destroyed.
    AwaitingCount,
    SealingLog,
    /// An operator has deleted the log, and may put it back. It is not looked for before this moment.
    WithoutLog(Monotonic),
    /// The log is sealed for good.
    Done,
}

/// What comes after the end of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The seal is written: the tally counts it.
    Count,
    /// The log is sealed already.
    Nothing,
    /// There is no log.
    AwaitLog,
}

impl Lifecycle {
    /// The life of a round of which nothing is known yet.
    pub fn new(id: RoundId) -> Self {
        Self { id, version: 0, is_counted: false, state: State::Unknown }
    }

    /// Takes an event in, and returns what is to be done about it. An event that does not fit the state changes nothing.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Action> {
        match (std::mem::replace(&mut self.state, State::Unknown), event) {
            (state, Event::Changed(entry)) => self.changed(state, *entry, now),
            (state, Event::Counted { is_final }) => self.counted(state, is_final),
            (state, Event::Woke) => self.wake(state, now),
            (State::Changing(round, changing), Event::Answered(answer)) => {
                self.answered(round, changing, answer, now)
            }
            (State::LookingAtLog, Event::LogSeen(log)) => self.log_seen(log, now),
            (State::WritingSeal, Event::SealWritten) if is_on(Mutation::KeepKey) => {
                self.key_destroyed(Then::Count, now)
            }
            (State::WritingSeal, Event::SealWritten) => {
                self.go(State::DestroyingKey(Then::Count), Action::DestroyKey)
            }
            (State::DestroyingKey(then), Event::KeyDestroyed) => self.key_destroyed(then, now),
            (State::SealingLog, Event::LogSealed) => self.rest(State::Done),
            (
                State::LookingAtLog | State::WritingSeal | State::DestroyingKey(_) | State::SealingLog,
                Event::Failed,
            ) if !is_on(Mutation::ForgetFailure) => {
                self.go(State::Unfinished, Action::WakeAt(now.monotonic + LOOK_EVERY))
            }
            (state, _) => self.rest(state),
        }
    }

    fn go(&mut self, state: State, action: Action) -> Vec<Action> {
        self.state = state;
        vec![action]
    }

    fn rest(&mut self, state: State) -> Vec<Action> {
        self.state = state;
        Vec::new()
    }

    fn changed(&mut self, state: State, Entry { version, round }: Entry, now: Now) -> Vec<Action> {
        if version <= self.version {
            return self.rest(state);
        }
        self.version = version;
        match state {
            State::Unknown | State::Ahead(_) => self.look(round, now),
            State::Changing(_, changing) => self.rest(State::Changing(Box::new(round), changing)),
            // A closed round stays closed.
            state => self.rest(state),
        }
    }

    fn counted(&mut self, state: State, is_final: bool) -> Vec<Action> {
        self.is_counted = is_final;
        match state {
            State::AwaitingCount if is_final => self.go(State::LookingAtLog, Action::LookAtLog),
            state => self.rest(state),
        }
    }

    fn wake(&mut self, state: State, now: Now) -> Vec<Action> {
        match state {
            State::Ahead(round) => self.look(*round, now),
            State::Unfinished | State::AwaitingCount => self.go(State::LookingAtLog, Action::LookAtLog),
            State::WithoutLog(until) if now.monotonic < until => {
                self.go(State::WithoutLog(until), Action::WakeAt(until))
            }
            State::WithoutLog(_) => self.go(State::LookingAtLog, Action::LookAtLog),
            state => self.rest(state),
        }
    }

    /// Does what it is time for.
    fn look(&mut self, round: Round, now: Now) -> Vec<Action> {
        if round.state == RoundState::Closed {
            return self.go(State::LookingAtLog, Action::LookAtLog);
        }
        if is_on(Mutation::SealBeforeState) && rules::is_over(&round, now.wall) {
            let seal = RoundSealed { at: now.wall, round: self.id.clone(), reason: REASON.to_owned() };
            return self.go(State::WritingSeal, Action::WriteSeal(seal));
        }
        let deed = if rules::is_due(&round, now.wall) {
            Deed::Open
        } else if rules::is_over(&round, now.wall) {
            Deed::Close
        } else {
            return self.await_moment(round, now);
        };
        let order = Order { deed, by: By::Clock, version: None };
        let (changing, step) = Changing::begin(self.id.clone(), order);
        self.go(State::Changing(Box::new(round), Box::new(changing)), Action::Step(step))
    }

    fn await_moment(&mut self, round: Round, now: Now) -> Vec<Action> {
        let moment = rules::next_moment(&round);
        self.state = State::Ahead(Box::new(round));
        let wait = moment.map(|moment| moment.since(now.wall).min(LOOK_EVERY));
        wait.map(|wait| Action::WakeAt(now.monotonic + wait)).into_iter().collect()
    }

    fn answered(
        &mut self,
        round: Box<Round>,
        mut changing: Box<Changing>,
        answer: Answer,
        now: Now,
    ) -> Vec<Action> {
        let outcome = match changing.on(answer, now) {
            Next::Step(step) => return self.go(State::Changing(round, changing), Action::Step(step)),
            Next::End(outcome) => outcome,
        };
        let again = Action::WakeAt(now.monotonic + LOOK_EVERY);
        match outcome {
            Ok(entry) => {
                let mut actions = vec![Action::LogChanged(entry.round.state)];
                let is_newest = entry.version > self.version;
                self.version = self.version.max(entry.version);
                actions.extend(self.look(if is_newest { entry.round } else { *round }, now));
                actions
            }
            _ if round.state == RoundState::Closed => self.look(*round, now),
            // Another process was first, or somebody has put it off.
            Err(NotChanged::Refused(_)) => self.go(State::Ahead(round), again),
            Err(why) => {
                self.state = State::Ahead(round);
                vec![Action::LogNotChanged(why), again]
            }
        }
    }

    fn log_seen(&mut self, log: LogState, now: Now) -> Vec<Action> {
        match log {
            LogState::Writable => {
                let seal = RoundSealed { at: now.wall, round: self.id.clone(), reason: REASON.to_owned() };
                self.go(State::WritingSeal, Action::WriteSeal(seal))
            }
            // By another process, or by an operator, by hand.
            LogState::Sealed => self.go(State::DestroyingKey(Then::Nothing), Action::DestroyKey),
            LogState::Missing => self.go(State::DestroyingKey(Then::AwaitLog), Action::DestroyKey),
        }
    }

    fn key_destroyed(&mut self, then: Then, now: Now) -> Vec<Action> {
        match then {
            Then::Nothing => self.rest(State::Done),
            Then::AwaitLog => {
                let until = now.monotonic + LOOK_FOR_LOG_EVERY;
                self.go(State::WithoutLog(until), Action::WakeAt(until))
            }
            Then::Count if self.is_counted || is_on(Mutation::SealUncountedLog) => {
                self.go(State::SealingLog, Action::SealLog)
            }
            Then::Count => self.go(State::AwaitingCount, Action::WakeAt(now.monotonic + LOOK_EVERY)),
        }
    }

    /// Whether news of the counts would take it further.
    pub fn awaits_count(&self) -> bool {
        self.state == State::AwaitingCount
    }

    /// Whether nothing is left to be done, ever.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

#[cfg(test)]
mod tests;
