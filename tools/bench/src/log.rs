//! A round's log as it lies in JetStream, seen by code that shares nothing with Urna's; and how fast JetStream itself is.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_nats::jetstream::consumer::pull::{self, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use subjects::{RoundId, Stream};

use crate::system::System;

/// How many messages are asked for at once, and how many bytes of them.
const AHEAD: (usize, usize) = (2_000, 8 * 1024 * 1024);
/// How long the next message may take.
const MESSAGE_WITHIN: Duration = Duration::from_secs(10);
/// The stream and the subject of appends that are not Urna's.
const STRAIGHT: &str = "bench";

/// The log of one round.
pub struct Log {
    jetstream: jetstream::Context,
    stream: String,
    /// The last sequence that is counted.
    sequence: u64,
    /// Ballots up to there.
    pub ballots: u64,
}

/// Blocks of the log, as far as it matters how many and how large.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// How many there are.
    pub number: u64,
    /// How large the middle one is, in bytes.
    pub size: usize,
}

/// A block of ballots.
#[derive(Deserialize)]
struct Block {
    ballots: Vec<IgnoredAny>,
}

impl Log {
    /// The log of a round.
    ///
    /// # Errors
    /// When NATS is away, as with all of these.
    pub async fn open(system: &System, round: &RoundId) -> anyhow::Result<Self> {
        let client =
            system.nats_options().connect(system.nats_url()).await.context("failed to connect to NATS")?;
        let stream = Stream::votes(round).name;
        Ok(Self { jetstream: jetstream::new(client), stream, sequence: 0, ballots: 0 })
    }

    /// Counts what has come since the last time, and tells what blocks it came in.
    ///
    /// # Errors
    /// When the log cannot be read, or holds what is no block.
    pub async fn count(&mut self) -> anyhow::Result<Blocks> {
        let last = self.last_sequence().await?;
        let mut sizes = Vec::new();
        let mut messages = self.read_from(self.sequence + 1).await?;
        while self.sequence < last {
            let (sequence, payload) = next(&mut messages).await?;
            ensure!(sequence == self.sequence + 1, "the log has a gap before {sequence}");
            let block: Block = serde_json::from_slice(&payload)
                .with_context(|| format!("message {sequence} of the log is no block of ballots"))?;
            self.sequence = sequence;
            self.ballots += block.ballots.len() as u64;
            sizes.push(payload.len());
        }
        sizes.sort_unstable();
        let size = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
        Ok(Blocks { number: sizes.len() as u64, size })
    }

    /// Reads the whole log and does nothing with it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn read_only(&self) -> anyhow::Result<Duration> {
        let last = self.last_sequence().await?;
        let begin = Instant::now();
        let mut messages = self.read_from(1).await?;
        while next(&mut messages).await?.0 < last {}
        Ok(begin.elapsed())
    }

    /// Appends messages of a size to a stream of their own, each when the one before is stored. Returns how many a
    /// second.
    ///
    /// # Errors
    /// When they are not stored.
    pub async fn append(&self, size: usize, length: Duration) -> anyhow::Result<f64> {
        let config = stream::Config {
            name: STRAIGHT.to_owned(),
            subjects: vec![STRAIGHT.to_owned()],
            ..Default::default()
        };
        self.jetstream.create_stream(config).await.context("failed to make a stream")?;
        let payload = Bytes::from(vec![b'x'; size]);
        let begin = Instant::now();
        let mut stored = 0_u32;
        while begin.elapsed() < length {
            let sent = self.jetstream.publish(STRAIGHT, payload.clone()).await;
            sent.context("failed to append")?.await.context("failed to append")?;
            stored += 1;
        }
        let rate = f64::from(stored) / begin.elapsed().as_secs_f64();
        self.jetstream.delete_stream(STRAIGHT).await.context("failed to delete a stream")?;
        Ok(rate)
    }

    async fn last_sequence(&self) -> anyhow::Result<u64> {
        let stream = self.jetstream.get_stream(&self.stream).await;
        Ok(stream.context("failed to find the log")?.cached_info().state.last_sequence)
    }

    async fn read_from(&self, start_sequence: u64) -> anyhow::Result<Messages> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ack_policy: AckPolicy::None,
            memory_storage: true,
            ..Default::default()
        };
        let consumer = self.jetstream.create_consumer_on_stream(config, &self.stream).await;
        let (messages, bytes) = AHEAD;
        let ahead = consumer.context("failed to read the log")?;
        let ahead = ahead.stream().max_messages_per_batch(messages).max_bytes_per_batch(bytes).messages();
        ahead.await.context("failed to read the log")
    }
}

async fn next(messages: &mut Messages) -> anyhow::Result<(u64, Bytes)> {
    let message = tokio::time::timeout(MESSAGE_WITHIN, messages.next()).await;
    let message = message.context("the log did not come in time")?.context("the log ended early")?;
    let message = message.context("failed to read the log")?;
    let sequence = message.info().map_err(|fault| anyhow::anyhow!(fault))?.stream_sequence;
    Ok((sequence, message.message.payload))
}
