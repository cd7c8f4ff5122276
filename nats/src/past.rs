//! Whether a stream still holds what was read of it: an operator may have put back an older state of it, or its server
//! may have lost what was not on the disk.

use std::time::Duration;

use subjects::Timestamp;

use crate::{Bus, Unavailable};

/// How long a stream must look as if it had been put back before that is believed: in a cluster, a leader that was cut
/// off may speak of the past until it steps down.
pub const BELIEVED_AFTER: Duration = Duration::from_secs(12);

/// The last message that somebody has read of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRead {
    /// Its sequence in the stream; 0 for none.
    pub sequence: u64,
    /// When it was stored, if that is known: by it, another message in its place is told from it.
    pub stored_at: Option<Timestamp>,
}

/// How a stream differs from what was read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PutBack {
    #[error("the stream ends at {end} but {read} was read: it was put back to an older state")]
    Shorter { end: u64, read: u64 },
    #[error("another message lies at {read} than was read there: it was put back to an older state")]
    Another { read: u64 },
}

impl Bus {
    /// Whether the stream was put back to a state without the message that was read last.
    pub(crate) async fn put_back(
        &self,
        stream: &str,
        last: LastRead,
    ) -> Result<Option<PutBack>, Unavailable> {
        let LastRead { sequence: read, stored_at } = last;
        if read == 0 {
            return Ok(None);
        }
        let end = self.last_sequence(stream).await?;
        if end < read {
            return Ok(Some(PutBack::Shorter { end, read }));
        }
        if stored_at.is_none() {
            return Ok(None);
        }
        // One that is gone says nothing: a newer version has taken its place, or it was a key and is destroyed.
        let there = self.message_at(stream, read).await?;
        let is_another = there.is_some_and(|letter| letter.stored_at != stored_at);
        Ok(is_another.then_some(PutBack::Another { read }))
    }
}
