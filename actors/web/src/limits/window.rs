//! The uses of one key in this minute and in the one before. Pure: time is a fact.
//!
//! The minute that is allowed for slides: of the minute before counts as much as still lies within the last 60
//! seconds, as if its uses had been spread over it evenly.

use subjects::Timestamp;

/// How long a window is, in milliseconds.
const WINDOW: u64 = 60_000;

/// A moment: in which minute since 1970, and how many milliseconds of it have passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    minute: u64,
    passed: u64,
}

/// How often a key was used in a minute and in the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    minute: u64,
    now: Uses,
    before: Uses,
    /// Whether the others were asked about the minute before since it has ended.
    before_is_known: bool,
}

/// How often a key was used in one minute.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    /// By this process: exact.
    own: u32,
    /// By all others, as last learned.
    others: u32,
}

/// What this process tells the others: how often it saw a key used in one minute. Being told twice changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub minute: u64,
    pub own: u32,
}

impl Moment {
    pub fn of(now: Timestamp) -> Self {
        let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
        Self { minute: millis / WINDOW, passed: millis % WINDOW }
    }
}

impl Uses {
    fn total(self) -> u64 {
        u64::from(self.own) + u64::from(self.others)
    }
}

impl Window {
    pub fn begin(at: Moment) -> Self {
        let none = Uses::default();
        Self { minute: at.minute, now: none, before: none, before_is_known: false }
    }

    /// Counts one more use if there is room for it. A use that is refused is not counted, so whoever goes on trying
    /// is let in as often as the limit says.
    ///
    /// # Errors
    /// After how many milliseconds there is room, if nobody uses the key until then.
    pub fn take(&mut self, limit: u32, at: Moment) -> Result<(), u64> {
        let rest = WINDOW - self.advance(at);
        let limit = u64::from(limit);
        if self.now.total() + carried(self.before, rest) < limit {
            self.now.own = self.now.own.saturating_add(1);
            return Ok(());
        }
        let room = limit.saturating_sub(self.now.total());
        if room > 0 {
            return Err(rest - rest_with_room(self.before, room));
        }
        Err(rest + WINDOW - rest_with_room(self.now, limit))
    }

    /// How often this process let the key through in this minute.
    pub fn own(&self) -> u32 {
        self.now.own
    }

    /// How much would be forgotten with this key.
    pub fn weight(&self, at: Moment) -> u64 {
        if self.is_over(at) { 0 } else { self.now.total() + self.before.total() }
    }

    /// Whether nothing of it counts any more.
    pub fn is_over(&self, at: Moment) -> bool {
        at.minute > self.minute + 1
    }

    /// What the others must know. What they answer tells what this process must know.
    pub fn tell(&self) -> Vec<Told> {
        let mut told = vec![Told { minute: self.minute, own: self.now.own }];
        if !self.before_is_known && self.minute > 0 {
            told.push(Told { minute: self.minute - 1, own: self.before.own });
        }
        told
    }

    /// Takes in how often the `others` used the key in each minute that they were told of. Returns whether there is
    /// more to tell by now.
    pub fn learn(&mut self, told: &[Told], others: &[u32]) -> bool {
        for (told, others) in told.iter().zip(others) {
            let uses = match self.minute.checked_sub(told.minute) {
                Some(0) => &mut self.now,
                Some(1) => &mut self.before,
                _ => continue,
            };
            // A minute's uses only grow; they seem to shrink when Redis has lost what it knew.
            uses.others = uses.others.max(*others);
        }
        let is_current = told.first() == Some(&Told { minute: self.minute, own: self.now.own });
        self.before_is_known |= told.first().is_some_and(|told| told.minute == self.minute);
        !is_current
    }

    /// Moves on to the minute of `at`; returns how much of it has passed.
    fn advance(&mut self, at: Moment) -> u64 {
        if at.minute == self.minute {
            return at.passed;
        }
        // Another thread has read the clock later and was here sooner.
        if at.minute + 1 == self.minute {
            return 0;
        }
        // Otherwise it is long ago, or the clock was set back.
        let before = if at.minute == self.minute + 1 { self.now } else { Uses::default() };
        *self = Self { before, ..Self::begin(at) };
        at.passed
    }
}

/// How many of these uses, of the minute before, count while `rest` of this minute lies ahead.
fn carried(uses: Uses, rest: u64) -> u64 {
    (uses.total() * rest + WINDOW / 2) / WINDOW
}

/// The longest rest with which fewer than `room` of these uses count; there is at least one, and room for one.
fn rest_with_room(uses: Uses, room: u64) -> u64 {
    (room * WINDOW - WINDOW / 2 - 1) / uses.total().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many milliseconds after a minute began.
    fn at(millis: i64) -> Moment {
        Moment::of(Timestamp::from_unix_millis(1_795_253_400_000 + millis).unwrap())
    }

    /// How many of `tries` at one moment are let in.
    fn let_in(window: &mut Window, limit: u32, tries: u32, moment: Moment) -> u32 {
        (0..tries).map(|_| u32::from(window.take(limit, moment).is_ok())).sum()
    }

    #[test]
    fn a_burst_is_let_in_up_to_the_limit_also_where_two_minutes_meet() {
        for limit in [1, 2, 5, 60] {
            let mut window = Window::begin(at(59_900));
            assert_eq!(let_in(&mut window, limit, 100, at(59_900)), limit);
            assert_eq!(let_in(&mut window, limit, 100, at(60_100)), 0, "limit {limit}");
        }
    }

    #[test]
    fn whoever_goes_on_trying_is_let_in_as_often_as_the_limit_says() {
        for limit in [1, 2, 5, 60] {
            let mut window = Window::begin(at(0));
            let tries = (0..6_000).map(|tenth| at(tenth * 100));
            let admitted: u32 = tries.map(|moment| let_in(&mut window, limit, 3, moment)).sum();
            assert!((9 * limit..=11 * limit).contains(&admitted), "limit {limit}: {admitted} in ten minutes");
        }
    }

    #[test]
    fn whoever_comes_back_when_told_is_let_in_and_not_a_moment_sooner() {
        // The limit, the uses of the minute before and of this one, and when one more is tried.
        for (limit, before, now, tried) in [
            (1, 0, 1, 0),
            (1, 1, 0, 100),
            (5, 0, 5, 20_000),
            (5, 5, 0, 1_000),
            (5, 9, 0, 30_000),
            (5, 3, 4, 10_000),
            (5, 0, 8, 59_999),
            (60, 60, 0, 0),
            (60, 60, 59, 59_000),
            (60, 10, 75, 30_000),
        ] {
            let uses = |others| Uses { own: 0, others };
            let window = Window { now: uses(now), before: uses(before), ..Window::begin(at(0)) };
            let at_wait = |wait| window.clone().take(limit, at(tried + wait));
            let wait = i64::try_from(at_wait(0).unwrap_err()).unwrap();
            assert!(at_wait(wait - 1).is_err() && at_wait(wait).is_ok(), "limit {limit}, {wait} ms");
            assert!(
                (wait..120_000).step_by(500).all(|wait| at_wait(wait).is_ok()),
                "limit {limit}, {wait} ms"
            );
        }
    }

    #[test]
    fn what_is_two_minutes_old_does_not_count() {
        let mut window = Window::begin(at(1_000));
        assert_eq!(let_in(&mut window, 5, 9, at(1_000)), 5);
        assert!(!window.is_over(at(119_900)) && window.is_over(at(120_000)));
        assert_eq!(window.weight(at(120_000)), 0);
        assert_eq!(let_in(&mut window, 5, 9, at(120_000)), 5);
    }

    #[test]
    fn a_clock_that_is_read_late_or_set_back_does_no_harm() {
        let mut window = Window::begin(at(60_000));
        assert_eq!(let_in(&mut window, 5, 3, at(60_000)), 3);
        assert_eq!(let_in(&mut window, 5, 9, at(59_999)), 2, "another thread's clock");
        assert_eq!(let_in(&mut window, 5, 9, at(-3_600_000)), 5, "an hour back");
    }

    #[test]
    fn processes_that_tell_each_other_keep_one_limit() {
        let (mut one, mut two) = (Window::begin(at(10_000)), Window::begin(at(10_000)));
        assert_eq!(let_in(&mut one, 10, 6, at(10_000)), 6);
        assert_eq!(let_in(&mut two, 10, 3, at(10_000)), 3);
        let told = [one.tell(), two.tell()];
        assert!(!one.learn(&told[0], &[3, 0]) && !two.learn(&told[1], &[6, 0]));
        assert_eq!(let_in(&mut two, 10, 9, at(11_000)), 1);
        assert_eq!(let_in(&mut one, 10, 9, at(11_000)), 1, "until it learns of the other's last one");
        assert!(!one.learn(&one.tell(), &[4]));
        assert_eq!(let_in(&mut one, 10, 9, at(12_000)), 0);
        assert_eq!(
            let_in(&mut one, 10, 20, at(90_000)),
            10 - 6,
            "eleven uses, of which half lie a minute back"
        );
    }

    #[test]
    fn a_process_that_comes_late_learns_of_the_minute_before_too() {
        let mut late = Window::begin(at(61_000));
        assert_eq!(let_in(&mut late, 10, 1, at(61_000)), 1);
        let told = late.tell();
        let minute = told[0].minute;
        assert_eq!(told, [Told { minute, own: 1 }, Told { minute: minute - 1, own: 0 }]);
        assert!(!late.learn(&told, &[0, 9]));
        assert_eq!(let_in(&mut late, 10, 9, at(61_000)), 0);
        assert_eq!(late.tell(), [Told { minute, own: 1 }], "a minute that is over is asked about once");
    }

    #[test]
    fn what_happens_while_an_answer_is_on_its_way_is_told_next() {
        let mut window = Window::begin(at(59_000));
        assert_eq!(let_in(&mut window, 10, 2, at(59_000)), 2);
        let told = window.tell();
        assert_eq!(let_in(&mut window, 10, 1, at(59_500)), 1);
        assert!(window.learn(&told, &[4, 0]), "the third is not told yet");
        let told = window.tell();
        assert_eq!(let_in(&mut window, 10, 1, at(60_000)), 1);
        assert!(window.learn(&told, &[5]), "nor is that of the next minute");
        assert_eq!((window.before.own, window.before.others), (3, 5));
        let minute = told[0].minute;
        assert_eq!(window.tell(), [Told { minute: minute + 1, own: 1 }, Told { minute, own: 3 }]);
        assert!(!window.learn(&window.tell(), &[0, 0]));
        assert_eq!(window.before.others, 5, "nothing that was learned is lost with Redis");
    }
}
