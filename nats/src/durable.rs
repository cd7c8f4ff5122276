//! Durable consumers, made as they are declared. Doing it again changes nothing.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::ConsumerErrorKind;
use subjects::Durable;

use crate::bus::Bus;
use crate::unavailable::Unavailable;

/// How long a delivered message may stay unacknowledged before it is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(20);
/// How many messages may be under way to one durable's readers.
const UNACKNOWLEDGED_MAX: i64 = 20_000;

impl Bus {
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
        let doing = || format!("forget the durable {} on {}", durable.name, durable.stream.name);
        let stream = self.handle(&durable.stream.name, doing).await?;
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
            // In the request's own subject, where a permission can tell one stream's readers from another's.
            filter_subject: durable.stream.subject.clone(),
            ack_policy,
            deliver_policy,
            ack_wait: ACK_WAIT,
            // A message that was tried often enough must be dead-lettered by us, not forgotten by the server.
            max_deliver: -1,
            max_ack_pending: UNACKNOWLEDGED_MAX,
            ..Default::default()
        };
        let made = self.jetstream.create_consumer_on_stream(config, &durable.stream.name).await;
        made.map_err(|cause| {
            Unavailable::new(
                format!("declare the durable {} on {}", durable.name, durable.stream.name),
                cause,
            )
        })
    }
}

fn is_missing(kind: &ConsumerErrorKind) -> bool {
    matches!(kind, ConsumerErrorKind::JetStream(fault) if fault.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}
