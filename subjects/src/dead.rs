//! What could not be handled.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::message::{Heard, Said, Unreadable, from_json};

/// `dead.<durable>.<stream>`: a message that no redelivery can help, why, and where it lies.
///
/// It holds no copy of the payload: that may be a choice, and the log it lies in forgets nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageBuried {
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
    /// Why, for people.
    pub why: String,
}

impl Said for MessageBuried {
    const KIND: &'static str = "message_buried";

    fn subject(&self) -> String {
        format!("dead.{}.{}", self.durable, self.stream)
    }
}

impl Heard for MessageBuried {
    fn hear(_subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        from_json(payload)
    }
}
