//! Streams and durable consumers, made as they are declared. Doing it again changes nothing.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{Config, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType};
use subjects::{Bucket, Durable, Retention, Stream};
use tracing::warn;

use crate::bus::Bus;
use crate::unavailable::Unavailable;

/// How long a delivered message may stay unacknowledged before it is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(20);
/// How many messages may be under way to one durable's readers.
const UNACKNOWLEDGED_MAX: i64 = 20_000;
/// The pause between two tries to declare a stream.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long the server remembers message ids.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

impl Bus {
    /// Declares the streams and the buckets that everything else needs, trying until the server lets it, and lets
    /// those go on who wait for that.
    pub async fn declare_standing(&self, streams: &[Stream], buckets: &[Bucket]) {
        for stream in streams {
            while let Err(fault) = self.declare(stream).await {
                warn!(%fault, "will try again");
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
        }
        for bucket in buckets {
            while let Err(fault) = self.declare_bucket(bucket).await {
                warn!(%fault, "will try again");
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
        }
        self.declared.send_replace(true);
    }

    /// Waits for the streams of [`Bus::declare_standing`].
    pub async fn declared(&self) {
        // This bus holds the sending end, so waiting cannot fail.
        let _ = self.declared.subscribe().wait_for(|declared| *declared).await;
    }

    /// Makes a stream, or brings it to its declaration. A stream that forgets nothing is never changed once it
    /// is there: what was promised of it when it was made stays promised.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or turns the declaration down.
    pub async fn declare(&self, stream: &Stream) -> Result<(), Unavailable> {
        let config = config(stream, self.replicas);
        let made = match stream.retention {
            Retention::Everything => match self.jetstream.create_stream(config).await {
                Err(fault) if is_there_already(&fault.kind()) => Ok(()),
                made => made.map(|_| ()),
            },
            Retention::PerSubject(_) | Retention::Age(_) => {
                self.jetstream.create_or_update_stream(config).await.map(|_| ())
            }
        };
        made.map_err(|cause| Unavailable::new(format!("declare the stream {}", stream.name), cause))
    }

    /// Makes a durable consumer that starts at the stream's first message, or brings it to its declaration.
    pub(crate) async fn durable(&self, durable: &Durable) -> Result<Consumer<pull::Config>, Unavailable> {
        self.make_durable(durable, AckPolicy::Explicit, DeliverPolicy::All).await
    }

    /// Makes a durable consumer anew, so that the message at `sequence` is delivered next.
    ///
    /// Setting the place of the one that is there would not do: requests of a reader that hangs are still waiting
    /// there, and would be served first.
    pub(crate) async fn durable_at(
        &self,
        durable: &Durable,
        sequence: u64,
    ) -> Result<Consumer<pull::Config>, Unavailable> {
        self.forget(durable).await?;
        self.make_durable(
            durable,
            AckPolicy::All,
            DeliverPolicy::ByStartSequence { start_sequence: sequence },
        )
        .await
    }

    /// Deletes a durable consumer, if it is there. The stream keeps its messages.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn forget(&self, durable: &Durable) -> Result<(), Unavailable> {
        let doing = || format!("forget the durable {} on {}", durable.name, durable.stream);
        let stream = self.handle(&durable.stream, doing).await?;
        match stream.delete_consumer(durable.name).await {
            Err(cause) if !is_missing(&cause.kind()) => Err(Unavailable::new(doing(), cause)),
            _ => Ok(()),
        }
    }

    async fn make_durable(
        &self,
        durable: &Durable,
        ack_policy: AckPolicy,
        deliver_policy: DeliverPolicy,
    ) -> Result<Consumer<pull::Config>, Unavailable> {
        let config = pull::Config {
            durable_name: Some(durable.name.to_owned()),
            ack_policy,
            deliver_policy,
            ack_wait: ACK_WAIT,
            // A message that was tried often enough must be dead-lettered by us, not forgotten by the server.
            max_deliver: -1,
            max_ack_pending: UNACKNOWLEDGED_MAX,
            ..Default::default()
        };
        let made = self.jetstream.create_consumer_on_stream(config, &durable.stream).await;
        made.map_err(|cause| {
            Unavailable::new(format!("declare the durable {} on {}", durable.name, durable.stream), cause)
        })
    }
}

fn is_there_already(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(fault) if fault.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

fn is_missing(kind: &ConsumerErrorKind) -> bool {
    matches!(kind, ConsumerErrorKind::JetStream(fault) if fault.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

fn config(stream: &Stream, replicas: usize) -> Config {
    let common = Config {
        name: stream.name.clone(),
        subjects: vec![stream.subject.clone()],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        ..Default::default()
    };
    match stream.retention {
        Retention::Everything => {
            Config { discard: DiscardPolicy::New, deny_delete: true, deny_purge: true, ..common }
        }
        Retention::PerSubject(newest) => {
            Config { discard: DiscardPolicy::Old, max_messages_per_subject: newest, ..common }
        }
        Retention::Age(age) => Config { discard: DiscardPolicy::Old, max_age: age, ..common },
    }
}
