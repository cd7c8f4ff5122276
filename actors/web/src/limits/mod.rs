//! How often a thing may be done in a minute: sign in, register, vote, look up a receipt.
//!
//! Each process counts in its own memory and never waits. Every 200 ms it tells the others, through Redis, how often
//! it saw which key, and learns how often they did. So a limit holds for all processes together but for what happens
//! within that time, and for each process alone while Redis is away.
//!
//! In Redis lies, for 150 seconds, `urna:limit:<kind>:<minute>:<name>`: a hash of one number per process. A process
//! writes its own number whole, so it may be written twice. The name is a keyed hash; no address can be told from it.

mod kinds;
mod table;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use nats::{Bus, Clock};
use redis::Pipeline;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::keys::hex;
use crate::{Away, Keys, Problem, Redis};
pub use kinds::{Limited, Rates};
use table::{Allowed, Name, News, Table};
use window::Moment;

/// How often the others are told.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// How long Redis keeps the uses of one minute: as long as they count, and a while for clocks that differ.
const KEPT: u64 = 150;

/// Counts, and refuses what comes too often. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    rates: Rates,
    keys: Keys,
    clock: Clock,
    tables: [Table; Limited::ALL.len()],
}

impl Limits {
    /// Counts in this process alone until it [shares](Limits::share). `keys` hide from Redis what is counted.
    pub fn new(rates: Rates, keys: Keys, clock: Clock) -> Self {
        Self(Arc::new(Inner { rates, keys, clock, tables: Limited::ALL.map(|_| Table::new()) }))
    }

    /// Counts with all processes of the same Redis from now on, until `stop`.
    pub fn share(&self, redis: Redis, bus: &Bus, stop: CancellationToken) {
        let limits = self.clone();
        bus.spawn(async move {
            stop.run_until_cancelled(limits.keep_telling(redis)).await;
        });
    }

    /// Counts one more of `what` by `key`, or refuses it. Never waits; costs less than a microsecond, and one more
    /// where the others are first told of the key.
    ///
    /// # Errors
    /// 429, which tells when to come back.
    pub fn take(&self, what: Limited, key: &[u8]) -> Result<(), Problem> {
        let limit = self.0.rates.of(what);
        if limit == 0 {
            return Ok(());
        }
        let at = Moment::of(self.0.clock.now());
        let allowed = Allowed { limit, told_from: what.told_from(limit) };
        let taken = self.table(what).take(key, allowed, at, || self.name(what, key));
        taken.map_err(|wait| {
            counter!("urna_web_limited_total", "kind" => what.name()).increment(1);
            too_many(what, wait)
        })
    }

    /// What the key is called among processes.
    fn name(&self, what: Limited, key: &[u8]) -> Name {
        let signature = self.0.keys.sign("limit", &[what.name().as_bytes(), key]);
        std::array::from_fn(|index| signature[index])
    }

    fn table(&self, what: Limited) -> &Table {
        &self.0.tables[what as usize]
    }

    async fn keep_telling(self, redis: Redis) {
        // Random, so that a process that comes back does not take the number of the one before for its own.
        let process = hex(&getrandom::u64().expect("the system has random numbers").to_be_bytes());
        let mut ticks = tokio::time::interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell(&redis, &process).await;
        }
    }

    /// Tells the others all news at once, and takes in what they know. What nobody heard stays news.
    async fn tell(&self, redis: &Redis, process: &str) {
        let at = Moment::of(self.0.clock.now());
        let news_of = |what: Limited| self.table(what).news(at).into_iter().map(move |news| (what, news));
        let news: Vec<(Limited, News)> = Limited::ALL.into_iter().flat_map(news_of).collect();
        if news.is_empty() {
            return;
        }
        let mut pipeline = redis::pipe();
        for (what, news) in &news {
            write(&mut pipeline, *what, news, process);
        }
        let answer: Result<Vec<Vec<u32>>, Away> = redis.query(pipeline).await;
        let mut totals = answer.ok().map(Vec::into_iter);
        for (what, news) in &news {
            let others = totals.as_mut().map(|totals| others(news, totals));
            self.table(*what).learn(news, others.as_deref());
        }
    }
}

/// Writes this process's numbers, and asks for those of all.
fn write(pipeline: &mut Pipeline, what: Limited, news: &News, process: &str) {
    for told in &news.told {
        let key = format!("urna:limit:{}:{}:{}", what.name(), told.minute, hex(&news.name));
        if told.own > 0 {
            pipeline.hset(&key, process, told.own).ignore();
            pipeline.cmd("EXPIRE").arg(&key).arg(KEPT).ignore();
        }
        pipeline.cmd("HVALS").arg(&key);
    }
}

/// What is not ours of the numbers of all, for each minute that was told of.
fn others(news: &News, numbers: &mut impl Iterator<Item = Vec<u32>>) -> Vec<u32> {
    let of_all = |numbers: Vec<u32>| numbers.into_iter().fold(0, u32::saturating_add);
    news.told.iter().zip(numbers).map(|(told, numbers)| of_all(numbers).saturating_sub(told.own)).collect()
}

fn too_many(what: Limited, wait: u64) -> Problem {
    let seconds = wait.div_ceil(1_000).max(1);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Problem::rate_limited(seconds, format!("{}; try again in {seconds} {unit}.", what.excess()))
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limits").field(&self.0.rates).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::RETRY_AFTER;
    use actix_web::test::TestRequest;
    use subjects::Timestamp;

    fn limits(rates: Rates) -> Limits {
        let noon = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        Limits::new(rates, Keys::new("a secret of this test".into(), None), Clock::from_fn(move || noon))
    }

    #[test]
    fn each_kind_and_each_key_has_a_limit_of_its_own() {
        let limits = limits(Rates { logins_by_account: 2, logins_by_address: 3, ..Rates::default() });
        let let_in = |what, key: &[u8]| (0..9).filter(|_| limits.take(what, key).is_ok()).count();
        assert_eq!(let_in(Limited::LoginsByAccount, b"a"), 2);
        assert_eq!(let_in(Limited::LoginsByAccount, b"b"), 2);
        assert_eq!(let_in(Limited::LoginsByAddress, b"a"), 3);
        assert_eq!(let_in(Limited::VotesByVoter, b"a"), 9, "0 is as often as one likes");
        assert!(limits.clone().take(Limited::LoginsByAccount, b"a").is_err(), "clones count together");
    }

    #[test]
    fn whoever_is_refused_is_told_what_was_too_much_and_when_to_come_back() {
        let limits = limits(Rates { logins_by_address: 3, ..Rates::default() });
        let take = || limits.take(Limited::LoginsByAddress, b"a");
        let problem = [take(), take(), take(), take()].into_iter().find_map(Result::err).unwrap();
        // Fewer than two and a half of the three count when ten seconds of the next minute have passed.
        assert_eq!(problem.detail(), "Too many sign-ins from this network; try again in 71 seconds.");
        let response = problem.respond(&TestRequest::default().to_http_request());
        assert_eq!(
            (response.status().as_u16(), response.headers().get(RETRY_AFTER)),
            (429, Some(&"71".parse().unwrap()))
        );
    }

    #[test]
    fn a_name_tells_its_key_to_nobody_and_is_the_same_in_every_process() {
        let [one, two] = [(); 2].map(|()| limits(Rates::default()));
        let what = Limited::LoginsByAddress;
        assert_eq!(one.name(what, b"203.0.113.5"), two.name(what, b"203.0.113.5"));
        assert_ne!(one.name(what, b"203.0.113.5"), one.name(Limited::VotesByAddress, b"203.0.113.5"));
        let foreign = Limits::new(Rates::default(), Keys::new("another".into(), None), Clock::system());
        assert_ne!(one.name(what, b"203.0.113.5"), foreign.name(what, b"203.0.113.5"));
    }

    #[test]
    fn what_others_did_is_what_all_did_but_for_our_own() {
        let table = Table::new();
        let noon = Moment::of(limits(Rates::default()).0.clock.now());
        let allowed = Allowed { limit: 9, told_from: 1 };
        table.take(b"a", allowed, noon, || [7; 16]).unwrap();
        let news = table.news(noon).remove(0);
        let mut numbers = [vec![1, 4, 5], vec![3], vec![8]].into_iter();
        assert_eq!(others(&news, &mut numbers), [9, 3]);
        assert_eq!(numbers.next(), Some(vec![8]), "the next key's");
        let mut nothing = [vec![], vec![]].into_iter();
        assert_eq!(others(&news, &mut nothing), [0, 0]);
    }
}
