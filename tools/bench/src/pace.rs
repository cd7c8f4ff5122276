//! Voters that come at a pace of their own, however long answers take.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::client::{Client, Told};
use crate::requests::Requests;

/// How long answers may take when the last voter has come.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// An accepted ballot.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Where it lies in the log.
    pub sequence: u64,
    /// When it was to be sent: a late answer to the one before does not make this one look faster.
    pub at: Instant,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Paced {
    /// What voters were told.
    pub told: Told,
    /// Every accepted ballot.
    pub cast: Vec<Cast>,
}

/// When the voters of one connection come.
#[derive(Clone, Copy)]
struct Times {
    first: Instant,
    every: Duration,
    until: Instant,
}

/// Sends so many ballots a second, in turn over the connections.
///
/// # Errors
/// When a connection cannot be opened.
pub async fn vote(crowd: Vec<Requests>, rate: u32, length: Duration) -> anyhow::Result<Paced> {
    let connections = u32::try_from(crowd.len()).unwrap_or(u32::MAX);
    let step = Duration::from_secs(1) / rate.max(1);
    let mut clients = Vec::new();
    for requests in crowd {
        let client = Client::connect(&requests.target, requests.expected).await;
        clients.push((client.context("failed to connect for voters")?, requests));
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, (client, requests)) in (0..).zip(clients) {
        let times = Times { first: begin + step * number, every: step * connections, until: begin + length };
        tasks.spawn(come(client, requests, times));
    }
    let mut all = Paced::default();
    while let Some(paced) = tasks.join_next().await {
        let Paced { told, cast } = paced.context("failed to wait for voters")?;
        all.told.take(told);
        all.cast.extend(cast);
    }
    Ok(all)
}

async fn come(mut client: Client, mut requests: Requests, times: Times) -> Paced {
    let mut cast = Vec::new();
    let last = times.until + SETTLED_WITHIN;
    let coming = async {
        let mut at = times.first;
        while at < times.until {
            sleep_until(at.into()).await;
            let before = client.told.accepted;
            client.settle(requests.next()).await;
            if client.told.accepted > before
                && let Some(sequence) = sequence_of(client.body())
            {
                cast.push(Cast { sequence, at });
            }
            at += times.every;
        }
    };
    let is_settled = timeout(last.saturating_duration_since(Instant::now()), coming).await.is_ok();
    client.told.unsettled += u64::from(!is_settled);
    Paced { told: client.told, cast }
}

/// Where an accepted ballot lies, as its answer says.
fn sequence_of(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(body).ok()?["sequence"].as_u64()
}
