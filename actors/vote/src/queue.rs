//! The way into a box: ballots wait here until the box takes all of them at once.
//!
//! They do not go through the box's mailbox one by one. A box that writes a block looks here again when it is done, so
//! a crowd costs it one message for each block and not one for each ballot.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::rules::Refusal;
use crate::waiting::{NotAccepted, Outcome, Waiting};

/// The ballots that wait at one box, oldest first. Cheap to clone. `R` is what an answer is sent with.
#[derive(Debug)]
pub struct Queue<R>(Arc<Shared<R>>);

#[derive(Debug)]
struct Shared<R> {
    waiting: Mutex<Line<R>>,
    /// How many the box has taken and not judged yet.
    held: AtomicUsize,
    /// The box is going to look here.
    is_called: AtomicBool,
    max: usize,
}

#[derive(Debug)]
struct Line<R> {
    ballots: VecDeque<Waiting<R>>,
    is_closed: bool,
}

/// A ballot that was not let in.
#[derive(Debug)]
pub struct TurnedAway<R> {
    /// What the answer is sent with.
    pub reply: R,
    /// The answer.
    pub why: NotAccepted,
    /// What metrics count it as.
    pub outcome: Outcome,
}

impl<R> Clone for Queue<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> Queue<R> {
    /// An empty queue in which at most `max` wait. Its box is taken to be called: it looks here when it has opened.
    pub fn new(max: usize) -> Self {
        let line = Line { ballots: VecDeque::new(), is_closed: false };
        let (held, is_called) = (AtomicUsize::new(0), AtomicBool::new(true));
        Self(Arc::new(Shared { waiting: Mutex::new(line), held, is_called, max }))
    }

    /// Puts a ballot at the end. Returns whether the box must be called.
    ///
    /// # Errors
    /// [`TurnedAway`] when the round is sealed or too many wait.
    pub fn push(&self, waiting: Waiting<R>) -> Result<bool, TurnedAway<R>> {
        {
            let mut line = self.line();
            if line.is_closed {
                let why = Refusal::Closed.into();
                return Err(TurnedAway { reply: waiting.reply, why, outcome: Outcome::Refused });
            }
            if line.ballots.len() + self.0.held.load(Ordering::Relaxed) >= self.0.max {
                return Err(TurnedAway {
                    reply: waiting.reply,
                    why: NotAccepted::Full,
                    outcome: Outcome::Full,
                });
            }
            line.ballots.push_back(waiting);
        }
        Ok(!self.0.is_called.swap(true, Ordering::AcqRel))
    }

    /// Takes everything that waits.
    pub fn take(&self) -> VecDeque<Waiting<R>> {
        std::mem::take(&mut self.line().ballots)
    }

    /// The box holds this many ballots that it has not judged yet.
    pub fn note_held(&self, held: usize) {
        self.0.held.store(held, Ordering::Relaxed);
    }

    /// How many wait here.
    pub fn len(&self) -> usize {
        self.line().ballots.len()
    }

    /// Whether none waits here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The box has nothing to do, and is to be called for the next ballot. `false` when one has come meanwhile.
    pub fn rest(&self) -> bool {
        self.0.is_called.store(false, Ordering::Release);
        self.is_empty() || self.0.is_called.swap(true, Ordering::AcqRel)
    }

    /// Nobody waits here any more: the seal is in the log. Returns those who did.
    pub fn close(&self) -> VecDeque<Waiting<R>> {
        let mut line = self.line();
        line.is_closed = true;
        std::mem::take(&mut line.ballots)
    }

    fn line(&self) -> MutexGuard<'_, Line<R>> {
        self.0.waiting.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Ballot;
    use nats::Monotonic;
    use subjects::{BallotId, Choice, Voter};

    fn waiting(reply: u8) -> Waiting<u8> {
        let voter = Voter::from_bytes([reply; 16]);
        let ballot = Ballot { id: BallotId::random(), has_given_id: true, voter, choice: Choice::default() };
        Waiting::new(ballot, Monotonic::default(), reply)
    }

    fn replies(ballots: VecDeque<Waiting<u8>>) -> Vec<u8> {
        ballots.into_iter().map(|waiting| waiting.reply).collect()
    }

    #[test]
    fn a_box_that_rests_is_called_once_for_all_that_come() {
        let queue = Queue::new(10);
        assert!(!queue.push(waiting(1)).unwrap(), "it looks when it has opened");
        assert!(!queue.rest(), "one has come");
        assert_eq!(replies(queue.take()), [1]);
        assert!(queue.rest());
        assert!(queue.push(waiting(2)).unwrap());
        assert!(!queue.push(waiting(3)).unwrap());
        assert_eq!(replies(queue.take()), [2, 3], "oldest first");
    }

    #[test]
    fn ballots_that_the_box_holds_take_room_too() {
        let queue = Queue::new(2);
        queue.note_held(1);
        queue.push(waiting(1)).unwrap();
        let turned_away = queue.push(waiting(2)).unwrap_err();
        assert_eq!((turned_away.reply, turned_away.why), (2, NotAccepted::Full));
        queue.note_held(0);
        assert!(queue.push(waiting(3)).is_ok());
    }

    #[test]
    fn a_closed_queue_refuses_and_gives_back_who_waited() {
        let queue = Queue::new(2);
        queue.push(waiting(1)).unwrap();
        assert_eq!(replies(queue.close()), [1]);
        let turned_away = queue.push(waiting(2)).unwrap_err();
        assert_eq!(turned_away.why, NotAccepted::Refused(Refusal::Closed));
    }
}
