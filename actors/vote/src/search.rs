//! The search for a block whose acknowledgement never came.
//!
//! Because of its expectation there is one place where the block can be, and one look at that place settles it. When
//! nothing is there the block was not stored, unless the log has lost what was before it; so the end of the log is
//! asked for too.

use std::time::Duration;

use nats::{BELIEVED_AFTER, Monotonic};

/// The pauses between two looks, doubled from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

/// How far the search for one block has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    step: Step,
    pause: Duration,
    /// Since when the log has looked shorter than what was folded.
    shorter_since: Option<Monotonic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    ReadingPlace,
    ReadPlaceAt(Monotonic),
    AskEndAt(Monotonic),
    AskingEnd,
}

/// What the search asks for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// The message at the block's place.
    Place,
    /// The end of the log.
    End,
}

/// What the end of the log says about a block that is not at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// Ask again at this moment.
    AskAgainAt(Monotonic),
    /// It is not stored, though it may still be on its way.
    NotStored,
    /// The log does not hold what was folded: it was restored to an older state.
    LogIsShorter,
}

impl Search {
    /// Begins: the place is being read.
    pub fn begin() -> Self {
        Self { step: Step::ReadingPlace, pause: PAUSES[0], shorter_since: None }
    }

    /// The place could not be read. Returns when it is read again.
    pub fn read_again(&mut self, now: Monotonic) -> Monotonic {
        let at = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSES[1]);
        self.step = Step::ReadPlaceAt(at);
        at
    }

    /// No message is at the place. Returns when the end is asked for: in a cluster the place may be held by a message
    /// that is still in flight.
    pub fn nothing_there(&mut self, now: Monotonic) -> Monotonic {
        let at = now + PAUSES[0];
        self.step = Step::AskEndAt(at);
        at
    }

    /// What follows from the end of the log; `None` when the server did not answer.
    pub fn conclude(&mut self, end: Option<u64>, expected: u64, now: Monotonic) -> Conclusion {
        if end.is_none_or(|end| end >= expected) {
            return Conclusion::NotStored;
        }
        let since = *self.shorter_since.get_or_insert(now);
        if now.since(since) > BELIEVED_AFTER {
            return Conclusion::LogIsShorter;
        }
        let at = now + PAUSES[1];
        self.step = Step::AskEndAt(at);
        Conclusion::AskAgainAt(at)
    }

    /// What is asked at this moment, if anything: the question counts as asked.
    pub fn wake(&mut self, now: Monotonic) -> Option<Question> {
        match self.step {
            Step::ReadPlaceAt(at) if at <= now => {
                self.step = Step::ReadingPlace;
                Some(Question::Place)
            }
            Step::AskEndAt(at) if at <= now => {
                self.step = Step::AskingEnd;
                Some(Question::End)
            }
            Step::ReadPlaceAt(_) | Step::AskEndAt(_) | Step::ReadingPlace | Step::AskingEnd => None,
        }
    }
}
