//! Messages as they are stored in a stream.

use async_nats::datetime::DateTime;
use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, header};
use bytes::Bytes;
use subjects::Timestamp;

use crate::trace::{self, TraceContext};

/// One message of a stream, as it is stored there.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// Its `Nats-Msg-Id`, if it has one.
    pub id: Option<String>,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// When the server stored it.
    pub stored_at: Option<Timestamp>,
    /// What it says.
    pub payload: Bytes,
}

impl From<StreamMessage> for StoredMessage {
    fn from(message: StreamMessage) -> Self {
        Self {
            sequence: message.sequence,
            subject: message.subject.to_string(),
            id: id_of(&message.headers),
            trace: trace_of(&message.headers),
            stored_at: moment(message.time),
            payload: message.payload,
        }
    }
}

pub(crate) fn moment(stored_at: DateTime) -> Option<Timestamp> {
    Timestamp::from_unix_millis(i64::try_from(stored_at.unix_timestamp_nanos() / 1_000_000).ok()?)
}

pub(crate) fn id_of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::NATS_MESSAGE_ID).map(|id| id.as_str().to_owned())
}

pub(crate) fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get(trace::HEADER).and_then(|header| TraceContext::parse(header.as_str()))
}
