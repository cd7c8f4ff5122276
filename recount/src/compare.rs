//! Recounts a round to the end of its log, and reads the scoreboard there.

use std::time::Duration;

use nats::{Bus, Clock, Follower, StartAt, Unavailable};
use subjects::{Round, Stream, Timestamp};

use crate::{Comparison, Counts, Recount};

/// How long the tally may take to count what the log holds before that is a difference.
const TALLY_WITHIN: Duration = Duration::from_secs(5);
/// The pause between two looks at the scoreboard.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How far a recount has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last sequence that is counted.
    pub sequence: u64,
    /// Where the log ended when the recount began.
    pub end: u64,
    /// Ballots so far.
    pub accepted: u64,
}

/// Recounts a round to the end of its log, and compares with what `scoreboard` reads once the tally has come that far:
/// or, as votes go on, a little further. Calls `progress` after each batch.
///
/// # Errors
/// Those of `scoreboard`; [`Unavailable`] when NATS does not say where the log ends.
pub async fn compare<E: From<Unavailable>>(
    bus: &Bus,
    clock: &Clock,
    round: &Round,
    scoreboard: impl AsyncFn() -> Result<Counts, E>,
    progress: impl FnMut(Progress),
) -> Result<Comparison, E> {
    let begin = clock.monotonic();
    let log = Stream::votes(&round.id);
    let end = bus.last_sequence(&log.name).await?;
    let follower = Follower::new(bus.clone(), &log, StartAt::Sequence(1));
    let mut recounting = Recounting { follower, end, progress, recount: Recount::default(), stored_at: None };
    recounting.count_to(end).await;
    let took = clock.monotonic().since(begin);
    let scoreboard = counted_to(end, TALLY_WITHIN, clock, scoreboard).await?;
    // A scoreboard may be ahead of the log: an older copy of the log was restored.
    let end = bus.last_sequence(&log.name).await?;
    recounting.count_to(scoreboard.sequence.min(end)).await;
    let mut comparison = Comparison::new(round, &recounting.recount, scoreboard);
    comparison.stored_at = recounting.stored_at;
    comparison.took = took;
    Ok(comparison)
}

/// The scoreboard once it has come to `end`, or as far as it has come when the tally does not get there in time.
async fn counted_to<E>(
    end: u64,
    within: Duration,
    clock: &Clock,
    scoreboard: impl AsyncFn() -> Result<Counts, E>,
) -> Result<Counts, E> {
    let begin = clock.monotonic();
    loop {
        let counts = scoreboard().await?;
        if counts.sequence >= end || clock.monotonic().since(begin) > within {
            return Ok(counts);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Reads a round's log and counts it.
struct Recounting<P> {
    follower: Follower,
    end: u64,
    progress: P,
    recount: Recount,
    /// When the last message that is counted was stored.
    stored_at: Option<Timestamp>,
}

impl<P: FnMut(Progress)> Recounting<P> {
    /// Counts on to `sequence`, which the log must hold.
    async fn count_to(&mut self, sequence: u64) {
        while self.recount.sequence < sequence {
            for message in self.follower.next_until(sequence).await {
                self.recount.take(message.sequence, &message.subject, &message.payload);
                self.stored_at = message.stored_at;
            }
            let Recount { sequence, accepted, .. } = self.recount;
            (self.progress)(Progress { sequence, end: self.end, accepted });
        }
    }
}

impl Progress {
    /// How much of the log is counted; all of an empty one.
    pub fn percent(&self) -> u64 {
        match self.end.max(self.sequence) {
            0 => 100,
            end => self.sequence * 100 / end,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    fn at(sequence: u64) -> Counts {
        Counts { sequence, ..Counts::default() }
    }

    #[tokio::test]
    async fn a_scoreboard_is_compared_once_it_has_come_to_the_end_of_the_log() {
        let looks = Cell::new(0);
        let scoreboard = async || {
            looks.set(looks.get() + 1);
            Ok::<_, Infallible>(at(looks.get() * 2))
        };
        assert_eq!(counted_to(5, TALLY_WITHIN, &Clock::system(), scoreboard).await, Ok(at(6)));
        assert_eq!(looks.get(), 3, "no look more than it takes");
    }

    #[tokio::test]
    async fn a_scoreboard_that_does_not_move_is_compared_as_it_is() {
        let stuck = async || Ok::<_, Infallible>(at(3));
        assert_eq!(counted_to(5, Duration::ZERO, &Clock::system(), stuck).await, Ok(at(3)));
    }

    #[tokio::test]
    async fn a_scoreboard_that_cannot_be_read_is_not_compared() {
        let unreadable = async || Err::<Counts, _>("Postgres is unavailable");
        assert_eq!(
            counted_to(0, TALLY_WITHIN, &Clock::system(), unreadable).await,
            Err("Postgres is unavailable")
        );
    }

    #[test]
    fn progress_is_of_the_log_as_it_was_when_the_recount_began() {
        let percent = |sequence, end| Progress { sequence, end, accepted: 0 }.percent();
        assert_eq!([percent(0, 8), percent(2, 8), percent(8, 8)], [0, 25, 100]);
        assert_eq!(percent(9, 8), 100, "votes went on");
        assert_eq!(percent(0, 0), 100, "there was nothing to count");
    }
}
