//! Why reading was interrupted.

use crate::rollback::RolledBack;

/// Why reading was interrupted. It is tried again after a pause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// What was asked for failed, in words for people.
    #[error("{0}")]
    Failed(String),
    /// The connection broke. The server forgets a consumer without a durable name when it dies itself, so waiting for it
    /// is of no use.
    #[error("the connection to NATS was lost")]
    ConnectionLost,
    /// The consumer has sent a message that did not arrive.
    #[error("a message was lost on its way")]
    MessageLost,
    /// Another message came than the one that follows: the server has delivered something twice.
    #[error("sequence {came} came, not {expected}")]
    OutOfOrder {
        /// The sequence that follows.
        expected: u64,
        /// The sequence that came.
        came: u64,
    },
    /// The stream does not hold what was read of it.
    #[error(transparent)]
    RolledBack(#[from] RolledBack),
}
