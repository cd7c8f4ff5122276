//! Messages that could not be handled.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::message::{Heard, Said, Unreadable, from_json};

/// `dead_letter.<durable>.<stream>`: a message that no redelivery can help, the reason, and where it is stored.
///
/// It holds no copy of the payload: that may be a choice, and the log it lies in forgets nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageDeadLettered {
    /// When it was given up.
    pub at: Timestamp,
    /// Who could not handle it.
    pub durable: String,
    /// The stream it lies in.
    pub stream: String,
    /// Its sequence there.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// The reason, for people.
    pub reason: String,
}

impl Said for MessageDeadLettered {
    const KIND: &'static str = "message_dead_lettered";
    const SUBJECT: &'static str = "dead_letter.*.*";

    fn subject(&self) -> String {
        format!("dead_letter.{}.{}", self.durable, self.stream)
    }
}

impl Heard for MessageDeadLettered {
    fn hear(_subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        from_json(payload)
    }
}
