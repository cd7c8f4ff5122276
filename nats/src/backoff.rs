//! Pauses before something is tried again, each twice as long as the one before.

use std::time::Duration;

/// The pauses between tries: doubled from the first to the longest, until something succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with the pause `first`, which must not be longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// How long to wait now. The next pause is longer.
    pub fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Something succeeded: the next pause is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long to wait after so many tries in a row, whatever was tried in between.
    pub fn after(&self, tries: u64) -> Duration {
        // Beyond ten doublings every pause is the longest.
        let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
        (self.first * 2u32.pow(doublings)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pauses_double_up_to_the_longest_until_something_succeeds() {
        let mut backoff = Backoff::new(millis(100), millis(350));
        assert_eq!([backoff.next(), backoff.next(), backoff.next()], [100, 200, 350].map(millis));
        assert_eq!(backoff.next(), millis(350));
        backoff.reset();
        assert_eq!(backoff.next(), millis(100));
    }

    #[test]
    fn the_pause_after_a_number_of_tries_needs_no_memory() {
        let backoff = Backoff::new(millis(100), millis(350));
        assert_eq!(
            [0, 1, 2, 3, u64::MAX].map(|tries| backoff.after(tries)),
            [100, 100, 200, 350, 350].map(millis)
        );
    }
}
