//! Where an intake reads, and what it says of a message that cannot be handled.

use async_nats::jetstream::AckKind;
use metrics::counter;
use subjects::{Durable, MessageDeadLettered, MessageId};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::bus::Bus;
use crate::clock::Clock;
use crate::publish::Expect;
use crate::pull::Incoming;
use crate::stored::StoredMessage;
use crate::trace::TraceContext;

/// What feeds an actor: the bus, the durable name, the clock, and when to stop.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The connection.
    pub bus: Bus,
    /// The durable consumer.
    pub durable: Durable,
    /// The present moment.
    pub clock: Clock,
    /// When to stop; what is in hand is finished first.
    pub stop: CancellationToken,
}

impl Intake {
    /// Waits for the standing streams, or for the time to stop.
    pub(super) async fn begin(&self) {
        self.stop.run_until_cancelled(self.bus.deployed()).await;
    }

    /// # Errors
    /// The reason, for people. The message is delivered again.
    pub(super) async fn acknowledge(&self, message: &Incoming, kind: AckKind) -> Result<(), String> {
        let sent = message.raw.ack_with(kind).await;
        sent.map_err(|cause| format!("failed to acknowledge: {cause}"))
    }

    /// Stores in the DEAD_LETTERS stream that no redelivery can help a message. Its id makes doing it twice harmless.
    ///
    /// # Errors
    /// The reason, for people. Whether it is stored is not known.
    pub(super) async fn dead_letter(&self, message: &StoredMessage, why: String) -> Result<(), String> {
        let (durable, stream, sequence) = (self.durable.name, &self.durable.stream.name, message.sequence);
        error!(durable, stream, sequence, why, "dead-lettered a message");
        let dead = MessageDeadLettered {
            at: self.clock.now(),
            durable: durable.to_owned(),
            stream: stream.clone(),
            sequence,
            subject: message.subject.clone(),
            reason: why,
        };
        let id = MessageId::named(format!("dead_letter.{durable}.{stream}.{sequence}"));
        let trace = message.trace.map_or_else(TraceContext::start, TraceContext::next);
        let stored = self.bus.say(&dead, &id, Expect::Nothing, trace).await;
        stored.map_err(|cause| format!("failed to dead-letter a message: {cause}"))?;
        counter!("urna_nats_buried_total", "durable" => durable).increment(1);
        Ok(())
    }
}
