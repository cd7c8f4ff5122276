//! When watchers are told: so many times a second at most, the first time at once.

use std::time::Duration;

use nats::Monotonic;

/// The moments of one round's events.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// The time between two events, when there is always something to tell.
    every: Duration,
    next: Monotonic,
}

impl Beat {
    /// Begins at `now`, as if something had just been told.
    pub fn new(every: Duration, now: Monotonic) -> Self {
        Self { every, next: now + every }
    }

    /// How long the next event has to wait; `None` when it may be told at once.
    pub fn wait(&self, now: Monotonic) -> Option<Duration> {
        Some(self.next.since(now)).filter(|wait| !wait.is_zero())
    }

    /// Notes that an event is told at `now`. One that is late by no more than half of the time between two does not put
    /// off those that follow: to wake many watchers takes a while, and were each event put off by it, there would be too
    /// few. Two may be nearer by as much.
    pub fn told(&mut self, now: Monotonic) {
        let is_late = now >= self.next && now.since(self.next) <= self.every / 2;
        self.next = if is_late { self.next } else { now } + self.every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(100);

    /// The moments at which events are told that are late by so much in turn, while there is always something to tell.
    fn told(late: &[u64], events: usize) -> Vec<Duration> {
        let begin = Monotonic::from_duration(Duration::from_secs(5));
        let (mut beat, mut now, mut told) = (Beat::new(EVERY, begin), begin, Vec::new());
        for late in late.iter().cycle().take(events) {
            now = now + beat.wait(now).unwrap_or_default() + Duration::from_millis(*late);
            beat.told(now);
            told.push(now.since(begin));
        }
        told
    }

    #[test]
    fn after_a_silence_the_first_is_told_at_once_and_the_next_a_tenth_of_a_second_later() {
        let begin = Monotonic::from_duration(Duration::from_secs(5));
        let mut beat = Beat::new(EVERY, begin);
        let now = begin + Duration::from_secs(7);
        assert_eq!(beat.wait(now), None);
        beat.told(now);
        assert_eq!(beat.wait(now), Some(EVERY));
        assert_eq!(beat.wait(now + EVERY), None);
    }

    #[test]
    fn events_that_are_late_do_not_put_off_those_that_follow() {
        assert_eq!(told(&[10], 100).last(), Some(&Duration::from_millis(100 * 100 + 10)));
    }

    #[test]
    fn no_more_than_ten_a_second_are_told_however_late_they_are() {
        for late in [&[0][..], &[50, 0], &[51, 0], &[50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[13, 70, 2, 49]] {
            let told = told(late, 200);
            let seconds = told.last().unwrap().as_secs_f64();
            assert!(told.len() as f64 <= 10.0 * seconds, "{late:?}: {seconds} s");
            for two in told.windows(2) {
                assert!(two[1] - two[0] >= EVERY / 2, "{late:?}: {two:?}");
            }
        }
    }

    #[test]
    fn one_that_is_very_late_is_not_made_up_for() {
        let told = told(&[0, 500], 4);
        assert_eq!(told.iter().map(Duration::as_millis).collect::<Vec<_>>(), [100, 700, 800, 1400]);
    }
}
