//! When a session is opened, what outlives a change of password, which are too many, and how sessions are told in
//! words. Pure.

use std::time::Duration;

use subjects::{SessionId, Timestamp};

/// How long after it was said a proof may open a session. Whoever waited for it was answered long before.
pub const PROOF_LIFE: Duration = Duration::from_secs(60);

/// How many open sessions an account has at most. Another name is written into all of them by one command, for which
/// Redis lets everybody else wait, and another password ends them one after another, for which every other sign-in
/// waits; so nobody may have as many as they like. It is more than anybody has browsers.
pub const SESSIONS_MAX: usize = 100;

/// How many sessions are ended for one that is opened. It is more than one, so that an account that has more than
/// [`SESSIONS_MAX`] comes down to them; and not all of them, because every other sign-in waits meanwhile.
pub const ENDED_AT_ONCE: usize = 10;

/// The marks by which browsers are known, those first that also carry the marks of others.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
/// The marks by which systems are known, in the same order.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];
/// The longest name of a program that is shown, in characters.
const PROGRAM_MAX: usize = 40;

/// Where something stands in what is said of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its sequence in the log.
    pub sequence: u64,
    /// When it was, by the clock of whoever said it.
    pub at: Timestamp,
}

impl Place {
    /// Whether this came after `other` beyond doubt. A clock can be set back, and a log can begin anew; both must
    /// agree before a session outlives a change of password.
    pub fn is_surely_after(self, other: Place) -> bool {
        self.sequence > other.sequence && self.at > other.at
    }
}

/// Whether a proof that was said at `said_at` is too old to open a session.
pub fn is_stale(said_at: Timestamp, now: Timestamp) -> bool {
    now.since(said_at) > PROOF_LIFE
}

/// Which of a person's sessions, given the newest first, are to be ended because they are too many since `opened` is
/// among them: the oldest, the oldest first, and no more than [`ENDED_AT_ONCE`]. Never `opened` itself: somebody has
/// just been told that it is open, and where the log began anew, its sequence is lower than that of all from before.
pub fn too_many(newest_first: &[SessionId], opened: SessionId) -> Vec<SessionId> {
    let excess = newest_first.len().saturating_sub(SESSIONS_MAX);
    let others = newest_first.iter().rev().filter(|id| **id != opened);
    others.take(excess.min(ENDED_AT_ONCE)).copied().collect()
}

/// When a session ends, however much it is used.
pub fn expires_at(opened_at: Timestamp, longest: Duration) -> Timestamp {
    moved(opened_at, millis(longest))
}

/// When a session was last used, if it ends by itself in `left` and has `idle` from use to use.
pub fn last_seen(opened_at: Timestamp, now: Timestamp, idle: Duration, left: Duration) -> Timestamp {
    moved(now, -millis(idle.saturating_sub(left))).max(opened_at)
}

/// What somebody uses, from its `User-Agent`, in words: `Firefox on Linux`.
pub fn browser_in_words(user_agent: &str) -> String {
    let find = |marks: &[(&str, &'static str)]| {
        marks.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("Something on {system}"),
        (None, None) => program_in_words(user_agent),
    }
}

/// How long ago that is: `just now`, `5 minutes ago`.
pub fn ago(moment: Timestamp, now: Timestamp) -> String {
    let passed = now.since(moment);
    if passed < Duration::from_secs(60) { "just now".to_owned() } else { format!("{} ago", span(passed)) }
}

/// How long it is until then: `in 29 days`.
pub fn ahead(moment: Timestamp, now: Timestamp) -> String {
    let left = moment.since(now);
    if left < Duration::from_secs(60) { "in a moment".to_owned() } else { format!("in {}", span(left)) }
}

/// Programs name themselves first: `curl/8.5.0`.
fn program_in_words(user_agent: &str) -> String {
    let name = user_agent.split(['/', ' ']).next().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let can_be_shown = !name.is_empty() && name.len() <= PROGRAM_MAX && name.chars().all(is_name);
    if can_be_shown && name != "Mozilla" { name.to_owned() } else { "An unknown program".to_owned() }
}

/// A span of a minute or more in its largest unit, cut down: `1 hour`, `29 days`.
fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (count, unit) = match minutes {
        0..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn moved(moment: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(moment.unix_millis().saturating_add(millis)).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000).unwrap()
    }

    #[test]
    fn a_proof_opens_a_session_for_a_minute() {
        assert!(!is_stale(at(1_000), at(1_060)));
        assert!(is_stale(at(1_000), at(1_061)));
        // Said by a process whose clock is ahead.
        assert!(!is_stale(at(1_000), at(900)));
    }

    #[test]
    fn a_session_outlives_a_change_of_password_only_if_log_and_clock_agree() {
        let secured = Place { sequence: 7, at: at(100) };
        let is_after = |sequence, seconds| Place { sequence, at: at(seconds) }.is_surely_after(secured);
        assert!(is_after(8, 101));
        assert!(!is_after(6, 101), "the clock was set back");
        assert!(!is_after(8, 99), "the log began anew");
        assert!(!is_after(7, 100));
    }

    #[test]
    fn the_oldest_session_makes_room_and_never_the_one_just_opened() {
        let of = |count: usize| -> Vec<SessionId> { (0..count).map(|_| SessionId::random()).collect() };
        let full = of(SESSIONS_MAX);
        assert_eq!(too_many(&full, full[0]), []);
        assert_eq!(too_many(&full, SessionId::random()), [], "what was opened has ended meanwhile");

        let over = of(SESSIONS_MAX + 2);
        let [.., older, oldest] = over[..] else { panic!("there are many") };
        assert_eq!(too_many(&over, over[0]), [oldest, older]);
        assert_eq!(too_many(&over, oldest), [older, over[SESSIONS_MAX - 1]], "the log began anew");

        let many = of(SESSIONS_MAX + 3 * ENDED_AT_ONCE);
        let ended = too_many(&many, many[0]);
        assert_eq!((ended.len(), ended.first()), (ENDED_AT_ONCE, many.last()));
    }

    #[test]
    fn a_session_was_last_used_when_its_idle_time_began() {
        let (opened, now) = (at(0), at(7_200));
        assert_eq!(last_seen(opened, now, 2 * HOUR, 2 * HOUR), now);
        assert_eq!(last_seen(opened, now, 2 * HOUR, HOUR), at(3_600));
        // The settings were changed meanwhile.
        assert_eq!(last_seen(opened, now, 9 * HOUR, HOUR), opened);
        assert_eq!(last_seen(opened, now, HOUR, 2 * HOUR), now);
        assert_eq!(expires_at(opened, HOUR), at(3_600));
    }

    #[test]
    fn a_browser_is_told_in_words() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                    Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0";
        let chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/142.0.0.0 Mobile Safari/537.36";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
        let words = [
            (firefox, "Firefox on Linux"),
            (edge, "Edge on Windows"),
            (chrome, "Chrome on Android"),
            (safari, "Safari on iPhone"),
            ("curl/8.5.0", "curl"),
            ("python-requests/2.32", "python-requests"),
            ("Mozilla/5.0 (compatible)", "An unknown program"),
            ("<script>alert(1)</script>", "An unknown program"),
            ("", "An unknown program"),
        ];
        for (user_agent, label) in words {
            assert_eq!(browser_in_words(user_agent), label, "{user_agent}");
        }
        assert_eq!(browser_in_words(&"x".repeat(PROGRAM_MAX + 1)), "An unknown program");
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        let now = at(1_000_000);
        let told = [(59, "just now"), (60, "1 minute ago"), (7_199, "1 hour ago"), (172_800, "2 days ago")];
        for (seconds, words) in told {
            assert_eq!(ago(at(1_000_000 - seconds), now), words);
        }
        assert_eq!(ago(at(1_000_007), now), "just now");
        assert_eq!(ahead(at(1_000_000 + 29 * 86_400 + 5), now), "in 29 days");
        assert_eq!(ahead(at(999_999), now), "in a moment");
    }
}
