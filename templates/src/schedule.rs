//! When a round opens or closes by itself, and how a page waits for that: in UTC and by loading itself again without
//! JavaScript; with it, in the viewer's own time, with a countdown, and awake in the moment it happens.

use serde::Serialize;
use subjects::{Round, RoundState, Timestamp};

use crate::Moment;

/// A page without JavaScript looks again after so many seconds when nobody knows the moment.
const LOOK_AGAIN: u64 = 30;
/// And at the latest after so many: the moment may have been changed.
const LOOK_AGAIN_MAX: u64 = 600;
/// It comes a little late, so that the round has changed by then.
const LATE: u64 = 2;

/// What the clock does next to a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// When a draft opens, or an open round closes; nothing when that is done by hand, or when all is over.
    pub next: Option<Moment>,
    /// The present moment in milliseconds since 1970, by which a browser's clock is put right.
    pub now: i64,
    /// After how many seconds a page without JavaScript should look again.
    pub look_again: u64,
}

impl Schedule {
    /// Of this round, as it is now.
    pub fn of(round: &Round, now: Timestamp) -> Self {
        let next = match round.state {
            RoundState::Draft => round.opens_at,
            RoundState::Open => round.closes_at,
            RoundState::Closed => None,
        };
        let until = next.map_or(LOOK_AGAIN, |moment| moment.since(now).as_secs() + LATE);
        Self {
            next: next.map(Moment::of),
            now: now.unix_millis(),
            look_again: until.clamp(LATE, LOOK_AGAIN_MAX),
        }
    }

    /// The clock has something to do.
    pub(crate) fn sample() -> Self {
        Self { next: Some(Moment::sample()), now: 1_795_253_400_000, look_again: LOOK_AGAIN_MAX }
    }

    /// The clock has nothing to do.
    pub(crate) fn by_hand_sample() -> Self {
        Self { next: None, look_again: LOOK_AGAIN, ..Self::sample() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::RoundId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_795_253_400_000 + second * 1000).unwrap()
    }

    fn schedule(state: RoundState, opens: Option<i64>, closes: Option<i64>) -> Schedule {
        let round = Round::blank(RoundId::parse("demo").unwrap());
        Schedule::of(&Round { state, opens_at: opens.map(at), closes_at: closes.map(at), ..round }, at(0))
    }

    #[test]
    fn a_draft_waits_for_its_opening_and_an_open_round_for_its_end() {
        let draft = schedule(RoundState::Draft, Some(60), Some(120));
        assert_eq!(draft.next.unwrap().words, "21 November 2026, 09:31 UTC");
        assert_eq!(draft.look_again, 62);
        let open = schedule(RoundState::Open, Some(-60), Some(120));
        assert_eq!((open.next.unwrap().at.as_str(), open.look_again), ("2026-11-21T09:32:00Z", 122));
        assert_eq!(schedule(RoundState::Closed, Some(-60), Some(-30)).next, None);
    }

    #[test]
    fn a_page_looks_again_neither_at_once_nor_never() {
        assert_eq!(schedule(RoundState::Draft, None, None).look_again, LOOK_AGAIN);
        assert_eq!(schedule(RoundState::Draft, Some(-9), None).look_again, LATE, "the round is late");
        assert_eq!(schedule(RoundState::Draft, Some(86_400), None).look_again, LOOK_AGAIN_MAX);
    }
}
