//! One shard of a round.

use std::collections::VecDeque;

use crate::arrivals::Arrivals;
use crate::parts::Cohort;

/// A log, its box and its tally.
pub(crate) struct Shard {
    pub arrivals: Arrivals,
    pub waiting: VecDeque<Cohort>,
    pub waits: u64,
    pub under_way: Option<Block>,
    /// When the last block was in the log.
    pub free_at: f64,
    /// Before which moment no further block begins.
    pub paused_until: f64,
    pub uncounted: VecDeque<Stored>,
    pub run: Option<Run>,
    /// When the next run may begin, unless a full one lies ready.
    pub next_run_at: f64,
}

pub(crate) struct Block {
    pub cohorts: Vec<Cohort>,
    pub ballots: u64,
    /// When the box has judged and written it.
    pub ready_at: f64,
    /// When it is in the log, once it is sent.
    pub done_at: Option<f64>,
}

#[derive(Clone, Copy)]
pub(crate) struct Stored {
    pub at: f64,
    pub ballots: u64,
}

pub(crate) struct Run {
    pub blocks: Vec<Stored>,
    pub committed_at: f64,
    /// When its announcement is in the log, once it is sent.
    pub done_at: Option<f64>,
}

impl Shard {
    pub fn new(arrivals: Arrivals) -> Self {
        Self {
            arrivals,
            waiting: VecDeque::new(),
            waits: 0,
            under_way: None,
            free_at: 0.0,
            paused_until: 0.0,
            uncounted: VecDeque::new(),
            run: None,
            next_run_at: f64::NEG_INFINITY,
        }
    }

    /// Takes those who waited longest, so many at the most.
    pub fn take(&mut self, most: u64) -> (Vec<Cohort>, u64) {
        let (mut taken, mut ballots) = (Vec::new(), 0);
        while let Some(first) = self.waiting.front_mut() {
            let part = Cohort { ballots: first.ballots.min(most - ballots), ..*first };
            if part.ballots == 0 {
                break;
            }
            first.ballots -= part.ballots;
            if first.ballots == 0 {
                self.waiting.pop_front();
            }
            ballots += part.ballots;
            taken.push(part);
        }
        self.waits -= ballots;
        (taken, ballots)
    }
}
