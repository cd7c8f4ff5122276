//! Whether a stream still holds what was read of it.
//!
//! An operator may have restored an older copy of it, or its server may have lost what was not on the disk. Then it was
//! rolled back: it is shorter than what was read, or another message is stored where the last one was read. This file
//! compares; who reads the stream asks for its end first, and for the message at that place if it must.

use std::time::Duration;

use subjects::Timestamp;
use urna_mutation::{Mutation, is_on};

/// How long a stream must look rolled back before that is believed: in a cluster, a leader that was cut off may answer
/// from the past until it steps down.
pub const BELIEVED_AFTER: Duration = Duration::from_secs(12);

/// The last message that was read of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRead {
    /// Its sequence in the stream; 0 for none.
    pub sequence: u64,
    /// When it was stored, if that is known: it tells the message from another one at its place.
    pub stored_at: Option<Timestamp>,
}

/// How a stream differs from what was read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolledBack {
    /// Its last message is before the last one that was read.
    #[error("the stream ends at {end} but {read} was read: it was put back to an older state")]
    Shorter {
        /// Its last sequence.
        end: u64,
        /// The last sequence that was read.
        read: u64,
    },
    /// No message is stored at the last place that was read, in a stream that keeps everything: one that answered does not
    /// hold what was read.
    #[error("no message lies at {read}, which was read: it was put back to an older state")]
    Gone {
        /// The place.
        read: u64,
    },
    /// Another message is stored at the last place that was read.
    #[error("another message lies at {read} than was read there: it was put back to an older state")]
    Another {
        /// The place.
        read: u64,
    },
}

/// What is stored at one place of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtPlace {
    /// Nothing: a newer version has taken its place, or it was a key and is destroyed.
    Nothing,
    /// A message.
    Message {
        /// When it was stored, if that is known.
        stored_at: Option<Timestamp>,
    },
}

/// What a comparison with the stream's end says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByEnd {
    /// The stream holds what was read.
    Same,
    /// It depends on what is stored at this place.
    ReadPlace(u64),
    /// It does not.
    RolledBack(RolledBack),
}

impl LastRead {
    /// Compares with the stream's last sequence.
    pub(crate) fn compare_end(self, end: u64) -> ByEnd {
        let read = self.sequence;
        match self.stored_at {
            _ if end < read => ByEnd::RolledBack(RolledBack::Shorter { end, read }),
            Some(_) if read > 0 => ByEnd::ReadPlace(read),
            _ => ByEnd::Same,
        }
    }

    /// Compares with what is stored at its place. An empty place says nothing.
    pub(crate) fn compare_place(self, there: AtPlace) -> Option<RolledBack> {
        match there {
            AtPlace::Message { stored_at } if stored_at != self.stored_at => {
                Some(RolledBack::Another { read: self.sequence })
            }
            AtPlace::Message { .. } | AtPlace::Nothing => None,
        }
    }

    /// The same in a stream that keeps everything: an empty place says that the server that answered lacks the message,
    /// though another one has said that the stream does not end before it.
    pub(crate) fn compare_kept_place(self, there: AtPlace) -> Option<RolledBack> {
        match there {
            AtPlace::Nothing if is_on(Mutation::TrustEmptyPlaces) => None,
            AtPlace::Nothing => Some(RolledBack::Gone { read: self.sequence }),
            AtPlace::Message { .. } => self.compare_place(there),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Option<Timestamp> {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn a_stream_that_ends_before_what_was_read_was_rolled_back() {
        let read = LastRead { sequence: 7, stored_at: at(1) };
        assert_eq!(read.compare_end(6), ByEnd::RolledBack(RolledBack::Shorter { end: 6, read: 7 }));
        let read = LastRead { sequence: 7, stored_at: None };
        assert_eq!(read.compare_end(6), ByEnd::RolledBack(RolledBack::Shorter { end: 6, read: 7 }));
    }

    #[test]
    fn the_place_is_read_only_if_the_moment_of_storing_is_known() {
        assert_eq!(LastRead { sequence: 7, stored_at: at(1) }.compare_end(7), ByEnd::ReadPlace(7));
        assert_eq!(LastRead { sequence: 7, stored_at: None }.compare_end(9), ByEnd::Same);
        assert_eq!(LastRead::default().compare_end(0), ByEnd::Same);
    }

    #[test]
    fn a_message_stored_at_another_moment_is_another_message() {
        let read = LastRead { sequence: 7, stored_at: at(1) };
        let there = |stored_at| AtPlace::Message { stored_at };
        assert_eq!(read.compare_place(there(at(2))), Some(RolledBack::Another { read: 7 }));
        assert_eq!(read.compare_place(there(at(1))), None);
        assert_eq!(read.compare_place(AtPlace::Nothing), None);
        assert_eq!(read.compare_kept_place(there(at(1))), None);
        assert_eq!(read.compare_kept_place(there(at(2))), Some(RolledBack::Another { read: 7 }));
    }

    #[test]
    fn an_empty_place_of_a_stream_that_keeps_everything_is_a_rollback() {
        let read = LastRead { sequence: 7, stored_at: at(1) };
        assert_eq!(read.compare_kept_place(AtPlace::Nothing), Some(RolledBack::Gone { read: 7 }));
    }
}
