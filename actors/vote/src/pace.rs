//! When the next block may begin: at once, unless a crowd votes.
//!
//! A block costs the log the same whether it holds one ballot or two hundred: a message, a sync, two deliveries, and a
//! dozen wake-ups between threads. Between the blocks of a crowd there is a pause in which more of its ballots arrive,
//! so that there are fewer and larger blocks, and the time that this saves is left for the ballots.

use std::time::Duration;

use nats::Monotonic;

/// A block of this many ballots is a crowd's.
pub const CROWD: usize = 16;
/// The shortest time from the begin of a crowd's block to the begin of the next. Measured: `docs/performance.md`.
pub const CROWD_EVERY: Duration = Duration::from_millis(4);

/// Knows when the next block may begin.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// `None`: at once.
    next: Option<Monotonic>,
}

impl Pace {
    /// A block of this many ballots begins.
    pub fn note(&mut self, ballots: usize, now: Monotonic) {
        self.next = (ballots >= CROWD).then(|| now + CROWD_EVERY);
    }

    /// The moment from which the next may begin; `None` when it may begin now.
    pub fn until(&self, now: Monotonic) -> Option<Monotonic> {
        self.next.filter(|next| *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_block_behind_a_crowds_waits_and_not_for_long() {
        let (mut pace, now) = (Pace::default(), Monotonic::default());
        assert_eq!(pace.until(now), None);
        pace.note(CROWD - 1, now);
        assert_eq!(pace.until(now), None);
        pace.note(CROWD, now);
        assert_eq!(pace.until(now), Some(now + CROWD_EVERY));
        assert_eq!(pace.until(now + CROWD_EVERY / 2), Some(now + CROWD_EVERY));
        assert_eq!(pace.until(now + CROWD_EVERY), None);
        pace.note(1, now + CROWD_EVERY);
        assert_eq!(pace.until(now + CROWD_EVERY), None);
    }
}
