//! The count of one round, as a state machine: it decides what is read, committed, announced and acknowledged, and in
//! which order. It does no I/O itself.
//!
//! A batch is committed, then announced, then acknowledged. After any failure nothing in memory is believed: the intake
//! asks for the position again, and the count reads what is committed and announces the difference, since a tally may
//! have died between a commit and its announcement.
//!
//! Contract: the caller carries the actions out in order and hands each answer in before the next batch. One action asks
//! a question of the scoreboard or of TALLIES ([`Action::ReadAnnouncement`], [`Action::ReadScoreboard`],
//! [`Action::Commit`], [`Action::Announce`]); every other one answers the intake. [`Event::PositionAsked`] may come at any
//! time: what was asked before is then given up, and its answer must not be handed in any more.

mod steps;

use std::sync::Arc;
use std::time::Duration;

use nats::intake::Run;
use nats::{LastRead, Monotonic, Now, TraceContext};
use subjects::{RoundId, TallyCounted};
use urna_mutation::{Mutation, is_on};

pub use self::steps::{Action, Event};

use crate::announcement::{NewestAnnouncement, announcement, generation, same};
use crate::rules::{Scoreboard, Totals};

/// How often counts are announced while there is more to be counted: as often as watchers are told, unless a setting says
/// otherwise.
pub const ANNOUNCE_EVERY: Duration = Duration::from_millis(100);

/// Counts one round.
#[derive(Clone, Debug)]
pub struct Count {
    round: RoundId,
    state: State,
    /// What is committed, as far as this tally knows.
    committed: Arc<Scoreboard>,
    /// The end of the log, as far as it is known.
    head: u64,
    /// The sequence in TALLIES of the newest announcement.
    announced: u64,
    /// When this count last announced; at first, when it was first asked for its position.
    announced_at: Option<Monotonic>,
}

/// Where a count stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// What is committed is unknown. Nothing is counted before the intake asks for the position.
    Unread,
    /// The announcement is read before the scoreboard: what another tally announces after that makes the next
    /// announcement of this one fail.
    ReadingAnnouncement,
    ReadingScoreboard(NewestAnnouncement),
    /// Everything that has come is committed, and acknowledged.
    Idle,
    Committing(Uncommitted),
    Announcing(Question),
    /// As [`State::Idle`], and the seal is counted.
    Final,
}

/// A batch that is not committed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Uncommitted {
    counts: Arc<Scoreboard>,
    /// How many messages of the log lay behind it.
    behind: u64,
    /// Its last message's place in a chain of causes.
    cause: Option<TraceContext>,
}

/// What the intake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Position,
    Batch,
}

impl Count {
    /// The count of a round of which nothing is read yet.
    pub fn new(round: RoundId) -> Self {
        let committed = Arc::new(Scoreboard::default());
        Self { round, state: State::Unread, committed, head: 0, announced: 0, announced_at: None }
    }

    /// Takes an event in, and returns what is to be done about it. An event that does not fit the state changes nothing.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Action> {
        let (state, action) = match (std::mem::replace(&mut self.state, State::Unread), event) {
            (_, Event::PositionAsked) => {
                self.announced_at.get_or_insert(now.monotonic);
                (State::ReadingAnnouncement, Action::ReadAnnouncement)
            }
            (State::ReadingAnnouncement, Event::AnnouncementRead(newest)) => {
                (State::ReadingScoreboard(newest), Action::ReadScoreboard)
            }
            (State::ReadingScoreboard(newest), Event::ScoreboardRead(counts)) => {
                self.resume(newest, counts, now)
            }
            (State::ReadingAnnouncement | State::ReadingScoreboard(_), Event::ReadFailed(why)) => {
                (State::Unread, Action::Retry(why))
            }
            (State::Unread, Event::BatchArrived(_)) => {
                (State::Unread, Action::Retry("the counts are not read yet".to_owned()))
            }
            (State::Idle | State::Final, Event::BatchArrived(batch)) => self.commit(&batch),
            (State::Committing(batch), Event::Committed) => self.committed(batch, now),
            (State::Committing(_), Event::CursorMoved) => {
                (State::Unread, Action::Retry("somebody else counts this round".to_owned()))
            }
            (State::Committing(_), Event::CommitUnanswered(why)) => (State::Unread, Action::Retry(why)),
            (State::Announcing(question), Event::Announced(sequence)) => {
                self.announced = sequence;
                self.announced_at = Some(now.monotonic);
                (self.at_rest(), self.answer(question))
            }
            (State::Announcing(_), Event::NotAnnounced(cause)) => {
                (State::Unread, Action::Retry(format!("failed to announce the counts: {cause}")))
            }
            (state, _) => {
                self.state = state;
                return Vec::new();
            }
        };
        self.state = state;
        vec![action]
    }

    /// Goes on from what is committed. What was not announced, because the tally before this one died or something
    /// failed, is announced first.
    fn resume(&mut self, newest: NewestAnnouncement, counts: Scoreboard, now: Now) -> (State, Action) {
        let generation = generation(&counts);
        // What was announced before a recount was put in place may be of a longer log.
        let of_these = newest.counts.as_ref().filter(|known| known.generation == generation);
        self.head = counts.sequence.max(of_these.map_or(0, |known| known.head));
        self.announced = newest.sequence;
        self.committed = Arc::new(counts);
        let counts = announcement(&self.round, &self.committed, now.wall, self.head);
        let is_something =
            !is_on(Mutation::AnnounceNothingAtStart) && (counts.sequence > 0 || generation > 0);
        let is_known = newest.counts.is_some_and(|known| same(&known, &counts));
        if is_something && !is_known {
            return self.announce(counts, None, Question::Position);
        }
        (self.at_rest(), self.answer(Question::Position))
    }

    fn commit(&self, batch: &Run<Totals>) -> (State, Action) {
        let mut counts = Scoreboard::clone(&self.committed);
        counts.count(&batch.messages);
        counts.is_final |= batch.behind == 0 && is_on(Mutation::CallCountsFinal);
        let (from, to) = (Arc::clone(&self.committed), Arc::new(counts));
        let cause = batch.messages.last().and_then(|message| message.trace);
        let uncommitted = Uncommitted { counts: Arc::clone(&to), behind: batch.behind, cause };
        (State::Committing(uncommitted), Action::Commit { from, to })
    }

    /// Announces what is committed, unless there is more to be counted and the last announcement was a moment ago.
    fn committed(&mut self, batch: Uncommitted, now: Now) -> (State, Action) {
        self.head = batch.counts.sequence + batch.behind;
        self.committed = batch.counts;
        let has_more = batch.behind > 0 && !self.committed.is_final;
        let is_recent = self.announced_at.is_some_and(|at| now.monotonic.since(at) < ANNOUNCE_EVERY);
        if has_more && is_recent {
            return (self.at_rest(), self.answer(Question::Batch));
        }
        let counts = announcement(&self.round, &self.committed, now.wall, self.head);
        self.announce(counts, batch.cause, Question::Batch)
    }

    fn announce(
        &self,
        counts: TallyCounted,
        cause: Option<TraceContext>,
        question: Question,
    ) -> (State, Action) {
        let announce = Action::Announce { counts: Box::new(counts), expected: self.announced, cause };
        (State::Announcing(question), announce)
    }

    fn answer(&self, question: Question) -> Action {
        match question {
            Question::Position => Action::AnswerPosition(self.position()),
            Question::Batch => Action::Acknowledge,
        }
    }

    fn at_rest(&self) -> State {
        if self.committed.is_final { State::Final } else { State::Idle }
    }

    /// The last message that is counted.
    pub fn position(&self) -> LastRead {
        LastRead { sequence: self.committed.sequence, stored_at: self.committed.stored_at }
    }

    /// What is committed, as far as this tally knows.
    pub fn scoreboard(&self) -> &Scoreboard {
        &self.committed
    }

    /// The end of the log, as far as it is known.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Whether everything up to the seal is committed, announced and acknowledged.
    pub fn is_final(&self) -> bool {
        self.state == State::Final
    }
}

#[cfg(test)]
mod tests;
