//! When the next block may begin: at once, unless a crowd votes.
//!
//! A block costs the log the same whether one ballot is in it or two hundred: a message, a sync, two deliveries, and a
//! dozen times that some thread wakes another. Between the blocks of a crowd there is a pause in which more of its
//! ballots come, so that there are fewer and larger ones, and what they do not cost is left for the ballots.

use std::time::{Duration, Instant};

/// So many ballots in one block are a crowd.
pub const CROWD: usize = 16;
/// The shortest time from the begin of a crowd's block to the begin of the next. Measured: `docs/performance.md`.
pub const CROWD_EVERY: Duration = Duration::from_millis(4);

/// Knows when the next block may begin.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When; at once when it says nothing.
    next: Option<Instant>,
}

impl Pace {
    /// A block of so many ballots begins.
    pub fn note(&mut self, ballots: usize, now: Instant) {
        self.next = (ballots >= CROWD).then(|| now + CROWD_EVERY);
    }

    /// How long until the next may begin; `None` when it may.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.next?.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_block_behind_a_crowds_waits_and_not_for_long() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.wait(now), None);
        pace.note(CROWD - 1, now);
        assert_eq!(pace.wait(now), None);
        pace.note(CROWD, now);
        assert_eq!(pace.wait(now), Some(CROWD_EVERY));
        assert_eq!(pace.wait(now + CROWD_EVERY / 2), Some(CROWD_EVERY / 2));
        assert_eq!(pace.wait(now + CROWD_EVERY), None);
        pace.note(1, now + CROWD_EVERY);
        assert_eq!(pace.wait(now + CROWD_EVERY), None);
    }
}
