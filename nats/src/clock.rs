//! The clocks: time is a fact that is handed in.
//!
//! The wall clock says what people read, and may jump. The monotonic clock measures, and never goes back. A rule or a
//! state machine is handed a [`Now`]; a [`Clock`] makes them.

use std::fmt;
use std::ops::Add;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use subjects::Timestamp;

/// A moment of the monotonic clock: the time since this process's clock was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(Duration);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, to the millisecond.
    pub wall: Timestamp,
    /// The monotonic clock.
    pub monotonic: Monotonic,
}

/// Tells the present moment. Cheap to clone; a test hands in its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

/// Where the monotonic clock begins. All clocks of a process share it, so that their moments can be compared.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Monotonic {
    /// The moment that is so long after the clock was made.
    pub const fn from_duration(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// How long after `earlier` this is; zero when it is before.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Clock {
    /// The machine's clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let millis =
                since_epoch.map_or(0, |passed| i64::try_from(passed.as_millis()).unwrap_or(i64::MAX));
            Timestamp::from_unix_millis(millis).expect("the machine's clock shows a year before 10000")
        })
    }

    /// A clock whose wall clock shows what `now` returns. Its monotonic clock is the machine's.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        LazyLock::force(&ORIGIN);
        Self(Arc::new(now))
    }

    /// The present moment of the wall clock, to the millisecond.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The present moment of the monotonic clock.
    pub fn monotonic(&self) -> Monotonic {
        Monotonic(ORIGIN.elapsed())
    }

    /// The present moment of both clocks.
    pub fn moment(&self) -> Now {
        Now { wall: self.now(), monotonic: self.monotonic() }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_a_later_moment_is_zero() {
        let early = Monotonic::from_duration(Duration::from_secs(1));
        let late = early + Duration::from_secs(2);
        assert_eq!((late.since(early), early.since(late)), (Duration::from_secs(2), Duration::ZERO));
        assert!(early < late);
    }

    #[test]
    fn the_monotonic_clock_goes_on_while_the_wall_clock_is_turned_back() {
        let hand = std::sync::atomic::AtomicI64::new(2_000);
        let turned_back = move || {
            let millis = hand.fetch_sub(1_000, std::sync::atomic::Ordering::Relaxed);
            Timestamp::from_unix_millis(millis).unwrap()
        };
        let clock = Clock::from_fn(turned_back);
        let (first, second) = (clock.moment(), clock.moment());
        assert!(second.wall < first.wall);
        assert!(second.monotonic >= first.monotonic);
    }

    #[test]
    fn the_moments_of_two_clocks_of_a_process_can_be_compared() {
        let first = Clock::system();
        let early = first.monotonic();
        assert!(Clock::system().monotonic() >= early);
    }
}
