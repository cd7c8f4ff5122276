//! Publishing: a message is stored, or it is known why not.

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use metrics::{counter, histogram};
use subjects::{MessageId, Said};

use crate::bus::Bus;
use crate::trace::{self, TraceContext};

/// What the log must look like for a message to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Nothing,
    /// This is the stream's last sequence.
    LastOfStream(u64),
    /// This is the last sequence of the message's own subject; 0 when it has none.
    LastOfSubject(u64),
}

/// Why a message was not said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// Nobody was there to receive it: it is not stored. Try again later.
    #[error("the bus is away")]
    Away,
    /// The expectation did not hold: it is not stored. Read on and decide again.
    #[error("somebody else wrote first")]
    Conflict,
    /// The stream takes no more messages, and never will: it is not stored.
    #[error("the stream is sealed")]
    Sealed,
    /// No answer came: it may be stored or not. Look it up by its id.
    #[error("no acknowledgement came")]
    Unanswered,
    /// The server refused it: it is not stored.
    #[error("the server refused it: {0}")]
    Refused(String),
}

impl Bus {
    /// Says `message` and waits until it is stored. Returns its sequence.
    ///
    /// Saying the same `id` again within the stream's duplicate window stores nothing new.
    ///
    /// # Errors
    /// [`SayError`]; only after [`SayError::Unanswered`] may the message be stored all the same.
    pub async fn say<M: Said>(
        &self,
        message: &M,
        id: &MessageId,
        expect: Expect,
        trace: TraceContext,
    ) -> Result<u64, SayError> {
        let started = self.clock.monotonic();
        let outcome = self.publish(message, id, expect, trace).await;
        histogram!("urna_nats_publish_seconds", "message" => M::KIND)
            .record(self.clock.monotonic().since(started));
        let told = match &outcome {
            Ok(_) => "stored",
            Err(SayError::Away) => "away",
            Err(SayError::Conflict) => "conflict",
            Err(SayError::Sealed) => "sealed",
            Err(SayError::Unanswered) => "unanswered",
            Err(SayError::Refused(_)) => "refused",
        };
        counter!("urna_nats_published_total", "message" => M::KIND, "outcome" => told).increment(1);
        outcome
    }

    async fn publish<M: Said>(
        &self,
        message: &M,
        id: &MessageId,
        expect: Expect,
        trace: TraceContext,
    ) -> Result<u64, SayError> {
        // While the connection is down the client would keep the message and send it later, long after
        // its publisher was told that it is not stored.
        if !self.is_connected() {
            return Err(SayError::Away);
        }
        let payload = serde_json::to_vec(message).map_err(|fault| SayError::Refused(fault.to_string()))?;
        let mut publish = PublishMessage::build()
            .payload(payload.into())
            .message_id(id.as_str())
            .header(trace::HEADER, trace.to_string().as_str());
        match expect {
            Expect::Nothing => {}
            Expect::LastOfStream(sequence) => publish = publish.expected_last_sequence(sequence),
            Expect::LastOfSubject(sequence) => publish = publish.expected_last_subject_sequence(sequence),
        }
        let mut connected = self.connected();
        let stored = async {
            let acknowledgement = self.jetstream.send_publish(message.subject(), publish).await?;
            acknowledgement.await
        };
        tokio::select! {
            stored = stored => match stored {
                Ok(acknowledgement) => Ok(acknowledgement.sequence),
                Err(fault) => Err(say_error(&fault, self.replicas)),
            },
            // An answer that was on its way is lost with the connection: no use waiting for it.
            _ = connected.wait_for(|up| !*up) => Err(SayError::Unanswered),
        }
    }
}

fn say_error(fault: &PublishError, replicas: usize) -> SayError {
    use std::error::Error as _;
    let answer = fault.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    match (fault.kind(), answer.map(jetstream::Error::error_code)) {
        // Of its own disk: those of the others may have taken it.
        (_, Some(ErrorCode::STREAM_STORE_FAILED | ErrorCode::INSUFFICIENT_RESOURCES)) if replicas > 1 => {
            SayError::Unanswered
        }
        (PublishErrorKind::WrongLastSequence, _) => SayError::Conflict,
        // A cluster says so in words of its own while another message is under way.
        (_, Some(ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)) => SayError::Conflict,
        (_, Some(ErrorCode::STREAM_SEALED)) => SayError::Sealed,
        // No responder: during an election, or before the stream is there. Nobody received it.
        (PublishErrorKind::StreamNotFound | PublishErrorKind::MaxAckPending, _) => SayError::Away,
        (PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe, _) => SayError::Unanswered,
        (_, Some(_)) | (PublishErrorKind::MaxPayloadExceeded, _) => SayError::Refused(fault.to_string()),
        _ => SayError::Unanswered,
    }
}
