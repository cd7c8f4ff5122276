//! Many connections that ask at once, on threads of their own, each with a runtime that nobody else uses.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::args::Shape;
use crate::client::{Client, Told};
use crate::requests::Requests;

/// How long answers may take when the load has ended.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// How long a crowd of [`Shape::Spike`] votes, at the begin of each second.
const SPIKE: Duration = Duration::from_millis(250);

/// What is sent, and for how long.
#[derive(Clone, Debug)]
pub struct Load {
    /// What each connection sends.
    pub requests: Vec<Requests>,
    /// For how long.
    pub length: Duration,
    /// In which way.
    pub shape: Shape,
}

/// What came of a load.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the connections were told, all together.
    pub told: Told,
    /// Ballots that must be in the log: one that was sent twice is there once.
    pub ballots: u64,
    /// Ballots among them whose voter cast another later.
    pub replaced: u64,
    /// When it began.
    pub began: Instant,
    /// How long it took until the last answer, without the silence between crowds.
    pub busy: Duration,
}

/// A connection's number, what it was told, and when it ended.
struct Ended {
    number: usize,
    told: Told,
    at: Instant,
}

/// Sends for the length of the load, and waits for every answer. Blocks the thread.
///
/// # Errors
/// When a connection cannot be opened.
pub fn run(load: &Load) -> anyhow::Result<Outcome> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(load.requests.len());
    let all_connected = Barrier::new(threads);
    let mut began = Instant::now();
    let mut ended = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|first| {
                let share = load.requests.iter().cloned().enumerate().skip(first).step_by(threads).collect();
                let all_connected = &all_connected;
                scope.spawn(move || drive(load, share, all_connected))
            })
            .collect();
        let mut ended = Vec::new();
        for thread in threads {
            let (begin, share) = thread.join().expect("a load does not panic")?;
            began = begin;
            ended.extend(share);
        }
        anyhow::Ok(ended)
    })?;
    ended.sort_by_key(|connection| connection.number);
    let end = ended.iter().map(|connection| connection.at).max().unwrap_or(began);
    Ok(Outcome::of(load.shape, ended, began, end))
}

/// One thread's share of the connections.
fn drive(
    load: &Load,
    share: Vec<(usize, Requests)>,
    all_connected: &Barrier,
) -> anyhow::Result<(Instant, Vec<Ended>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let connected = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let clients = runtime.block_on(connect(share))?;
        Ok((runtime, clients))
    });
    // Whoever could not connect must not keep the others waiting.
    all_connected.wait();
    let (runtime, clients) = connected?;
    let begin = Instant::now();
    let local = LocalSet::new();
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|(number, client, requests)| {
            local.spawn_local(ask(number, client, requests, Turns { begin, load: load.clone() }))
        })
        .collect();
    let ended = runtime.block_on(local.run_until(async {
        let mut ended = Vec::new();
        for task in tasks {
            ended.push(task.await.context("failed to wait for a connection")?);
        }
        anyhow::Ok(ended)
    }))?;
    Ok((begin, ended))
}

async fn connect(share: Vec<(usize, Requests)>) -> anyhow::Result<Vec<(usize, Client, Requests)>> {
    let mut clients = Vec::new();
    for (number, requests) in share {
        let client = Client::connect(&requests.target, requests.expected).await;
        clients.push((number, client.context("failed to connect for a load")?, requests));
    }
    Ok(clients)
}

/// When a connection asks.
struct Turns {
    begin: Instant,
    load: Load,
}

async fn ask(number: usize, mut client: Client, mut requests: Requests, turns: Turns) -> Ended {
    let until_answered = turns.load.length + SETTLED_WITHIN;
    let asking = async {
        while turns.begin.elapsed() < turns.load.length {
            match silence(turns.load.shape, turns.begin.elapsed()) {
                Some(silence) => sleep(silence).await,
                None => client.settle(requests.next()).await,
            }
        }
    };
    let is_settled = timeout(until_answered, asking).await.is_ok();
    let mut told = client.told;
    told.unsettled += u64::from(!is_settled);
    Ended { number, told, at: Instant::now() }
}

impl Outcome {
    fn of(shape: Shape, ended: Vec<Ended>, began: Instant, end: Instant) -> Self {
        let accepted: Vec<u64> = ended.iter().map(|connection| connection.told.accepted).collect();
        let (ballots, replaced) = books(shape, &accepted);
        let mut told = Told::default();
        ended.into_iter().for_each(|connection| told.take(connection.told));
        Self { told, ballots, replaced, began, busy: busy(shape, end - began) }
    }

    /// So many a second, while people voted.
    pub fn per_second(&self, number: u64) -> f64 {
        number as f64 / self.busy.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The ballots that must be in the log, and those among them that are replaced, when each connection had so many
/// accepted.
fn books(shape: Shape, accepted: &[u64]) -> (u64, u64) {
    let all = accepted.iter().sum();
    match shape {
        Shape::Steady | Shape::Spike => (all, 0),
        Shape::Revote => (all, accepted.iter().map(|ballots| ballots / 2).sum()),
        Shape::DoubleVoters => (accepted.chunks(2).filter_map(|pair| pair.iter().max()).sum(), 0),
    }
}

/// How long nobody votes, so far into a load; `None` when everybody does.
fn silence(shape: Shape, since_begin: Duration) -> Option<Duration> {
    let into_second = Duration::from_nanos(u64::from(since_begin.subsec_nanos()));
    (shape == Shape::Spike && into_second >= SPIKE).then(|| Duration::from_secs(1) - into_second)
}

/// The part of a load in which people voted.
fn busy(shape: Shape, length: Duration) -> Duration {
    if shape != Shape::Spike {
        return length;
    }
    let into_second = Duration::from_nanos(u64::from(length.subsec_nanos()));
    let seconds = u32::try_from(length.as_secs()).unwrap_or(u32::MAX);
    SPIKE * seconds + into_second.min(SPIKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_in_the_log_follows_from_the_answers() {
        assert_eq!(books(Shape::Steady, &[3, 4]), (7, 0));
        assert_eq!(books(Shape::Revote, &[3, 4]), (7, 3));
        assert_eq!(books(Shape::DoubleVoters, &[3, 4, 5]), (9, 0));
    }

    #[test]
    fn a_crowd_votes_at_the_begin_of_each_second() {
        let millis = Duration::from_millis;
        assert_eq!(silence(Shape::Steady, millis(400)), None);
        assert_eq!(silence(Shape::Spike, millis(3_249)), None);
        assert_eq!(silence(Shape::Spike, millis(3_400)), Some(millis(600)));
        assert_eq!(busy(Shape::Spike, millis(2_100)), millis(600));
        assert_eq!(busy(Shape::Spike, millis(2_900)), millis(750));
        assert_eq!(busy(Shape::Steady, millis(2_900)), millis(2_900));
    }
}
