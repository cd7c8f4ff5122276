//! The way into a box: ballots wait here until the box takes all of them at once.
//!
//! They do not go through the box's mailbox one by one. A box that writes a block looks here again when it is done, so
//! a crowd costs it one message for each block and not one for each ballot.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Instant;

use metrics::{Counter, counter};
use subjects::{BallotId, Place};
use tokio::sync::oneshot;

use crate::rules::{Ballot, Refusal};

/// A ballot that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub ballot: BallotId,
    /// Where it lies.
    pub place: Place,
}

/// Why a ballot was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// A rule forbids it. It is not in the log.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log cannot be written to now. It is not in the log.
    #[error("the log cannot take it now")]
    LogAway,
    /// Too many wait already. It is not in the log.
    #[error("too many ballots are waiting")]
    Full,
    /// No acknowledgement came in time. It may come to be in the log.
    #[error("the log has not confirmed it")]
    Unconfirmed,
}

/// What became of a ballot, as metrics call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Changed,
    Repeated,
    Refused,
    Unconfirmed,
    LogAway,
    Full,
}

/// The counters of all outcomes, looked up once: this is counted for every ballot.
static OUTCOMES: LazyLock<[Counter; 7]> = LazyLock::new(|| {
    ["accepted", "changed", "repeated", "refused", "unconfirmed", "log_away", "full"]
        .map(|outcome| counter!("urna_vote_cast_total", "outcome" => outcome))
});

/// A ballot that waits for its answer.
pub(crate) struct Waiting {
    pub ballot: Ballot,
    pub since: Instant,
    /// It was in a block of which nobody can tell yet whether it will be stored.
    pub is_in_doubt: bool,
    reply: oneshot::Sender<Result<Accepted, NotAccepted>>,
}

/// The ballots that wait at one box, oldest first. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Queue {
    waiting: Arc<Mutex<Line>>,
    /// The box is going to look here.
    is_called: Arc<AtomicBool>,
    max: usize,
}

struct Line {
    ballots: VecDeque<Waiting>,
    is_closed: bool,
}

impl Queue {
    /// An empty queue in which at most `max` wait.
    pub fn new(max: usize) -> Self {
        let line = Line { ballots: VecDeque::new(), is_closed: false };
        // Whoever makes a box calls it.
        Self { waiting: Arc::new(Mutex::new(line)), is_called: Arc::new(AtomicBool::new(true)), max }
    }

    /// Puts a ballot at the end, and calls the box if it is not called already.
    pub async fn cast(&self, ballot: Ballot, call: impl FnOnce()) -> Result<Accepted, NotAccepted> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { ballot, since: Instant::now(), is_in_doubt: false, reply };
        {
            let mut line = self.line();
            if line.is_closed {
                waiting.answer(Err(Refusal::Closed.into()), Outcome::Refused);
            } else if line.ballots.len() >= self.max {
                waiting.answer(Err(NotAccepted::Full), Outcome::Full);
            } else {
                line.ballots.push_back(waiting);
            }
        }
        if !self.is_called.swap(true, Ordering::AcqRel) {
            call();
        }
        answer.await.unwrap_or(Err(NotAccepted::Unconfirmed))
    }

    /// Takes everything that waits.
    pub fn take(&self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.line().ballots)
    }

    /// Puts those back in front for whom there was no room, or no answer yet.
    pub fn put_back(&self, mut ballots: VecDeque<Waiting>) {
        if !ballots.is_empty() {
            let mut line = self.line();
            ballots.append(&mut line.ballots);
            line.ballots = ballots;
        }
    }

    /// Takes those from the front that wait for longer than they should.
    pub fn take_while(&self, is_late: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let mut line = self.line();
        let late = line.ballots.iter().take_while(|waiting| is_late(waiting)).count();
        line.ballots.drain(..late).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.line().ballots.len()
    }

    /// The box has nothing to do, and is to be called for the next ballot. `false` when one has come meanwhile.
    pub fn rest(&self) -> bool {
        self.is_called.store(false, Ordering::Release);
        self.len() == 0 || self.is_called.swap(true, Ordering::AcqRel)
    }

    /// Nobody waits here any more: the seal is in the log.
    pub fn close(&self) {
        let left = {
            let mut line = self.line();
            line.is_closed = true;
            std::mem::take(&mut line.ballots)
        };
        for waiting in left {
            waiting.answer(Err(Refusal::Closed.into()), Outcome::Refused);
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.waiting.lock().expect("no holder panics")
    }
}

/// Counts what became of a ballot.
pub(crate) fn count(outcome: Outcome) {
    OUTCOMES[outcome as usize].increment(1);
}

impl Waiting {
    /// Answers that the log cannot take it now: nothing was accepted, unless that is in doubt.
    pub fn turn_away(self) {
        if self.is_in_doubt {
            self.answer(Err(NotAccepted::Unconfirmed), Outcome::Unconfirmed);
        } else {
            self.answer(Err(NotAccepted::LogAway), Outcome::LogAway);
        }
    }

    pub fn answer(self, answer: Result<Accepted, NotAccepted>, outcome: Outcome) {
        count(outcome);
        // Whoever closed the connection while waiting can ask again with the same ballot id.
        let _ = self.reply.send(answer);
    }
}
