//! When a world has nothing left to do.

use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::jetstream::{self, consumer};
use futures_util::TryStreamExt;
use serde_json::Value;

use crate::World;
use crate::world::eventually;

impl World {
    /// Waits until no durable holds a message that is not acknowledged, or has one before it; and where a tally runs,
    /// until every log is counted: before the tally has heard of a round, no durable waits for that.
    pub async fn quiet(&self) {
        let jetstream = self.jetstream().await.expect("the nats-server answers");
        let counts = self.runs_a_tally();
        eventually("everything is read, acknowledged and counted", || async {
            let is_counted = !counts || uncounted(&jetstream).await.ok()?.is_empty();
            (is_counted && unfinished(&jetstream).await.ok()?.is_empty()).then_some(())
        })
        .await;
    }
}

/// The durables that hold a message that is not acknowledged, or have one before them, in words.
pub async fn unfinished(jetstream: &jetstream::Context) -> anyhow::Result<Vec<String>> {
    let mut unfinished = Vec::new();
    let mut streams = jetstream.streams();
    while let Some(info) = streams.try_next().await? {
        let stream = jetstream.get_stream(&info.config.name).await?;
        let mut consumers = stream.consumers();
        while let Some(consumer) = consumers.try_next().await? {
            if !is_done(&consumer) {
                let (name, stream) = (&consumer.name, &consumer.stream_name);
                let (before, held) = (consumer.num_pending, consumer.num_ack_pending);
                unfinished.push(format!(
                    "the durable {name} of {stream} has {before} messages before it and holds {held}"
                ));
            }
        }
    }
    Ok(unfinished)
}

fn is_done(consumer: &consumer::Info) -> bool {
    consumer.config.durable_name.is_none() || (consumer.num_pending == 0 && consumer.num_ack_pending == 0)
}

/// The logs of which the newest counts say that there is more to come, in words.
async fn uncounted(jetstream: &jetstream::Context) -> anyhow::Result<Vec<String>> {
    let mut uncounted = Vec::new();
    let mut streams = jetstream.streams();
    while let Some(log) = streams.try_next().await? {
        let Some(round) = log.config.name.strip_prefix("VOTES-") else { continue };
        let (counted, is_final) = counted(jetstream, round).await?;
        let last = log.state.last_sequence;
        if log.state.messages > 0 && !is_final && counted < last {
            uncounted.push(format!("of the log of {round}, {counted} messages of {last} are counted"));
        }
    }
    Ok(uncounted)
}

/// The last sequence of a round's log that is counted, and whether that is all there will ever be.
async fn counted(jetstream: &jetstream::Context, round: &str) -> anyhow::Result<(u64, bool)> {
    let tallies = jetstream.get_stream("TALLIES").await?;
    match tallies.get_last_raw_message_by_subject(&format!("tally.{round}.counted")).await {
        Ok(message) => {
            let counts: Value = serde_json::from_slice(&message.payload)?;
            Ok((counts["sequence"].as_u64().unwrap_or(0), counts["final"] == true))
        }
        Err(fault) if fault.kind() == LastRawMessageErrorKind::NoMessageFound => Ok((0, false)),
        Err(fault) => Err(fault.into()),
    }
}
