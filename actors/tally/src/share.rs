//! Which rounds this tally counts, as a state machine: tallies share the rounds by locks in Postgres, which fall with
//! their session. It does no I/O itself.
//!
//! The locks only spare work. What keeps two tallies of one round harmless is the cursor, which moves only from where it
//! was read (see [`crate::count`]).
//!
//! - Open rounds first: closed ones, of which there may be thousands, never hold them up for longer than
//!   [`SHARE_EVERY`], and Postgres hears from the lock session at least that often.
//! - A tally that has lost NATS for longer than [`LET_GO_AFTER`] leaves its rounds to another one, which may reach it.
//! - A round that is counted to its seal and announced is let go of, until an operator replaces its counts.
//!
//! Contract: the caller carries the actions out in order. At most one of them, the last one, has an answer, which is
//! handed in before anything else; [`Event::SessionLost`] may come instead of any answer.

mod steps;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use nats::{Monotonic, Now};
use subjects::RoundId;
use urna_mutation::{Mutation, is_on};

pub use self::steps::{Action, Event, Rounds};

/// How often a tally looks for rounds that nobody counts, and shows Postgres that it is alive.
pub const SHARE_EVERY: Duration = Duration::from_secs(1);
/// How long NATS may be unavailable before the rounds are left to another tally.
pub const LET_GO_AFTER: Duration = Duration::from_secs(5);

/// Decides which rounds a tally counts.
#[derive(Clone, Debug)]
pub struct Share {
    state: State,
    held: Held,
    /// When NATS was last there, or the session was opened.
    connected_at: Monotonic,
}

/// Where a tally stands with its rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// There is no lock session, and none is opened before this moment.
    Apart(Monotonic),
    Opening,
    /// All is done that can be done now.
    Waiting,
    /// What an operator has replaced is looked for.
    LookingForReplaced(Rounds),
    /// The locks of open rounds are asked for, then closed rounds are gone through.
    Taking(Closed),
    /// The first of the closed rounds is checked; the tally saw the open rounds at that moment.
    Checking(Closed, Monotonic),
    /// Open rounds are looked at again before the other closed ones.
    LookingAgain(Closed),
}

/// Closed rounds on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Closed {
    /// Those that are not checked yet.
    unchecked: VecDeque<RoundId>,
    /// Those that are checked and must be counted.
    wanted: Vec<RoundId>,
}

/// What a tally knows for as long as it holds its locks. It is forgotten with them: Postgres may come back with less.
#[derive(Clone, Debug, Default)]
struct Held {
    counting: HashSet<RoundId>,
    finished: HashSet<RoundId>,
    /// How often an operator has replaced the counts of a round.
    replaced: HashMap<RoundId, i64>,
}

impl Default for Share {
    /// A tally that has just begun.
    fn default() -> Self {
        let state = State::Apart(Monotonic::default());
        Self { state, held: Held::default(), connected_at: Monotonic::default() }
    }
}

impl Share {
    /// Takes an event in, and returns what is to be done about it. An event that does not fit the state changes nothing.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Action> {
        let apart = State::Apart(now.monotonic);
        match (std::mem::replace(&mut self.state, apart), event) {
            (State::Apart(until), Event::Seen { connected, .. }) => self.look_apart(connected, until, now),
            (State::Opening, Event::SessionOpened) => {
                (self.held, self.connected_at) = (Held::default(), now.monotonic);
                self.go(State::Waiting, Action::Look)
            }
            (State::Waiting, Event::Seen { connected, rounds, ended }) => {
                self.look(connected, rounds, &ended, now)
            }
            (State::LookingForReplaced(rounds), Event::ReplacedFound(replaced)) => {
                self.begin_anew(rounds, replaced)
            }
            (State::Taking(closed), Event::LocksHeld(held)) => self.count(held, closed, now),
            (State::Checking(closed, seen_at), Event::Checked { is_done }) => {
                self.checked(closed, is_done, seen_at, now)
            }
            (State::LookingAgain(closed), Event::Seen { connected, rounds, ended }) => {
                self.forget(&ended);
                self.look_again(closed, connected, rounds.open)
            }
            (State::Apart(until), _) => {
                self.state = State::Apart(until);
                Vec::new()
            }
            (_, Event::SessionLost) => self.let_go(now),
            (state, _) => {
                self.state = state;
                Vec::new()
            }
        }
    }

    fn go(&mut self, state: State, action: Action) -> Vec<Action> {
        self.state = state;
        vec![action]
    }

    fn wait(&mut self, now: Now) -> Vec<Action> {
        self.go(State::Waiting, Action::Wait(now.monotonic + SHARE_EVERY))
    }

    fn wait_apart(&mut self, until: Monotonic) -> Vec<Action> {
        self.go(State::Apart(until), Action::Wait(until))
    }

    fn look_apart(&mut self, connected: bool, until: Monotonic, now: Now) -> Vec<Action> {
        if now.monotonic < until {
            // It was news of a round that came.
            return self.wait_apart(until);
        }
        if connected {
            self.go(State::Opening, Action::OpenSession)
        } else {
            self.wait_apart(now.monotonic + SHARE_EVERY)
        }
    }

    fn let_go(&mut self, now: Now) -> Vec<Action> {
        self.held = Held::default();
        let mut actions = vec![Action::LetGo];
        actions.extend(self.wait_apart(now.monotonic + SHARE_EVERY));
        actions
    }

    fn look(&mut self, connected: bool, mut rounds: Rounds, ended: &[RoundId], now: Now) -> Vec<Action> {
        if connected {
            self.connected_at = now.monotonic;
        } else {
            if now.monotonic.since(self.connected_at) > LET_GO_AFTER {
                return self.let_go(now);
            }
            // What is behind an announcement cannot be found out without NATS.
            rounds.closed.clear();
        }
        self.forget(ended);
        self.go(State::LookingForReplaced(rounds), Action::LookForReplaced)
    }

    /// Counts that have ended by themselves may begin again.
    fn forget(&mut self, ended: &[RoundId]) {
        for round in ended {
            self.held.counting.remove(round);
        }
    }

    /// Begins anew with rounds whose counts an operator has replaced, those that are done too: nobody would be told
    /// otherwise until the next ballot, or never.
    fn begin_anew(&mut self, rounds: Rounds, replaced: Vec<(RoundId, i64)>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (round, times) in replaced {
            if is_on(Mutation::ForgetRepairs) {
                break;
            }
            if self.held.replaced.insert(round.clone(), times) == Some(times) {
                continue;
            }
            self.held.finished.remove(&round);
            if self.held.counting.remove(&round) {
                actions.push(Action::EndCount(round));
            }
        }
        let Rounds { open, mut closed } = rounds;
        closed.retain(|round| !self.held.finished.contains(round));
        closed.retain(|_| !is_on(Mutation::ForgetClosedRounds));
        actions.extend(self.take(open, Closed { unchecked: closed.into(), wanted: Vec::new() }));
        actions
    }

    fn take(&mut self, mut wanted: Vec<RoundId>, closed: Closed) -> Vec<Action> {
        wanted.retain(|round| !self.held.counting.contains(round));
        self.go(State::Taking(closed), Action::TakeLocks(wanted))
    }

    /// Counts the rounds whose locks are held, and goes on with closed rounds.
    fn count(&mut self, rounds: Vec<RoundId>, closed: Closed, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        for round in rounds {
            if self.held.counting.insert(round.clone()) {
                actions.push(Action::BeginCount(round));
            }
        }
        actions.extend(self.go_through(closed, now.monotonic, now));
        actions
    }

    /// Checks the next closed round; the open ones were seen at `seen_at`.
    fn go_through(&mut self, closed: Closed, seen_at: Monotonic, now: Now) -> Vec<Action> {
        if now.monotonic.since(seen_at) > SHARE_EVERY {
            return self.go(State::LookingAgain(closed), Action::Look);
        }
        if let Some(round) = closed.unchecked.front().cloned() {
            return self.go(State::Checking(closed, seen_at), Action::Check(round));
        }
        if closed.wanted.is_empty() { self.wait(now) } else { self.take(closed.wanted, Closed::default()) }
    }

    fn checked(&mut self, mut closed: Closed, is_done: bool, seen_at: Monotonic, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        match closed.unchecked.pop_front() {
            Some(round) if is_done || is_on(Mutation::FinishUnchecked) => actions = self.finish(round),
            Some(round) if !self.held.counting.contains(&round) => closed.wanted.push(round),
            _ => {}
        }
        actions.extend(self.go_through(closed, seen_at, now));
        actions
    }

    /// Lets go of a round that is done: nothing of it is left to be read.
    fn finish(&mut self, round: RoundId) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.held.counting.remove(&round) {
            actions.push(Action::EndCount(round.clone()));
        }
        actions.extend([Action::DeleteDurable(round.clone()), Action::ReleaseLock(round.clone())]);
        self.held.finished.insert(round);
        actions
    }

    fn look_again(&mut self, mut closed: Closed, connected: bool, open: Vec<RoundId>) -> Vec<Action> {
        if !connected {
            closed.unchecked.clear();
        }
        let mut wanted = std::mem::take(&mut closed.wanted);
        wanted.extend(open);
        self.take(wanted, closed)
    }
}

#[cfg(test)]
mod tests;
