//! Takes what a pull consumer offers, as many messages as are ready: a lone one is never kept waiting.

use std::time::Duration;

use async_nats::jetstream::{self, consumer::Consumer, consumer::pull};
use futures_util::{FutureExt, StreamExt};

use crate::delivered::Delivered;
use crate::stored::{StoredMessage, id_of, moment, trace_of};
use crate::unavailable::Unavailable;

/// How many messages are taken at one go.
const TAKEN_MAX: usize = 500;
/// How many messages one request asks for.
const AHEAD_MAX: usize = 2_000;
/// How many bytes of messages one request asks for; the next is sent when half of them have come.
const AHEAD_BYTES: usize = 8 * 1024 * 1024;
/// How long one request for messages stays with the server.
const PULL_FOR: Duration = Duration::from_secs(30);
/// How long silence from the server lasts before the server counts as gone.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A message that came by a subscription, and what it is acknowledged by.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub stored: StoredMessage,
    pub raw: jetstream::Message,
}

/// An open pull consumer.
pub(crate) struct Puller {
    messages: pull::Stream,
    /// What ended the last batch; returned when the next one is asked for.
    fault: Option<Unavailable>,
}

impl Puller {
    pub async fn open(consumer: &Consumer<pull::Config>) -> Result<Self, Unavailable> {
        let messages = consumer
            .stream()
            .max_messages_per_batch(AHEAD_MAX)
            .max_bytes_per_batch(AHEAD_BYTES)
            .expires(PULL_FOR)
            .heartbeat(HEARTBEAT)
            .messages()
            .await;
        let messages = messages.map_err(|cause| Unavailable::new("ask for messages", cause))?;
        Ok(Self { messages, fault: None })
    }

    /// Waits for one message and takes all that are ready behind it. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Delivered<Incoming>>, Unavailable> {
        let mut taken = vec![self.one().await?];
        while taken.len() < TAKEN_MAX
            && let Some(next) = self.one().now_or_never()
        {
            match next {
                Ok(delivered) => taken.push(delivered),
                Err(fault) => {
                    self.fault = Some(fault);
                    break;
                }
            }
        }
        Ok(taken)
    }

    async fn one(&mut self) -> Result<Delivered<Incoming>, Unavailable> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match self.messages.next().await {
            Some(Ok(message)) => delivered(message),
            Some(Err(cause)) => Err(Unavailable::new("take messages", cause)),
            None => Err(Unavailable::new("take messages", "the subscription ended")),
        }
    }
}

fn delivered(raw: jetstream::Message) -> Result<Delivered<Incoming>, Unavailable> {
    let info = raw.info().map_err(|cause| Unavailable::new("read a message's delivery", cause))?;
    let stored = StoredMessage {
        sequence: info.stream_sequence,
        subject: raw.subject.to_string(),
        id: raw.headers.as_ref().and_then(id_of),
        trace: raw.headers.as_ref().and_then(trace_of),
        stored_at: moment(info.published),
        payload: raw.payload.clone(),
    };
    Ok(Delivered {
        sequence: stored.sequence,
        stored_at: stored.stored_at,
        consumer_sequence: info.consumer_sequence,
        deliveries: u64::try_from(info.delivered).unwrap_or(0),
        behind: info.pending,
        bytes: stored.payload.len(),
        message: Incoming { stored, raw },
    })
}
