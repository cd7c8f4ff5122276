//! A block that is being appended, and who waits for it.

use std::sync::Arc;

use subjects::{BallotsCast, MessageId, Place};

use crate::queue::{Accepted, Outcome, Waiting};
use crate::rules::Verdict;
use crate::store::Logged;

/// A block that is being appended, and who waits for it.
pub(crate) struct UnderWay {
    pub id: MessageId,
    pub block: Arc<BallotsCast>,
    pub expected: u64,
    /// Whether it is what lies behind `expected`, once that was read.
    pub is_there: Option<bool>,
    /// The log refused it, and what became of it hangs on what lies there.
    pub is_refused: bool,
    pub waiting: Vec<(Waiting, Verdict)>,
}

impl UnderWay {
    pub fn new(
        id: MessageId,
        block: Arc<BallotsCast>,
        expected: u64,
        waiting: Vec<(Waiting, Verdict)>,
    ) -> Self {
        Self { id, block, expected, is_there: None, is_refused: false, waiting }
    }

    /// Takes note of a message, if it lies where this block should.
    pub fn note_place(&mut self, logged: &Logged) {
        if logged.sequence == self.expected + 1 {
            self.is_there = Some(logged.id.as_deref() == Some(self.id.as_str()));
        }
    }

    /// Answers everybody: the block is in the log.
    pub fn answer_stored(self) {
        let sequence = self.expected + 1;
        let mut seen = 0;
        for (waiting, verdict) in self.waiting {
            match verdict {
                Verdict::InBlock(ballot, index) => {
                    let outcome = match self.block.ballots[index as usize].replaces {
                        _ if index < seen => Outcome::Repeated,
                        Some(_) => Outcome::Changed,
                        None => Outcome::Accepted,
                    };
                    seen = seen.max(index + 1);
                    waiting.answer(Ok(Accepted { ballot, place: Place { sequence, index } }), outcome);
                }
                Verdict::RefusedByBlock(refusal) => waiting.answer(Err(refusal.into()), Outcome::Refused),
                Verdict::InLog(..) | Verdict::Refused(_) | Verdict::NoRoom => {}
            }
        }
    }
}
