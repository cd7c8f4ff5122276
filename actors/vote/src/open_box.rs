//! The way into an open box.

use std::sync::Arc;

use actix::Addr;
use subjects::Voter;

use crate::ballot_box::{BallotBox, FindBallot, Look, Observe, Observed};
use crate::queue::{Accepted, NotAccepted, Outcome, Queue, count};
use crate::rules::{Ballot, Standing};
use crate::store::Log;

/// The way into an open box. Cheap to clone: every ballot takes one.
#[derive(Clone)]
pub struct OpenBox(Arc<Way>);

struct Way {
    log: Log,
    queue: Queue,
    address: Addr<BallotBox>,
}

impl OpenBox {
    pub(crate) fn new(log: Log, queue: Queue, address: Addr<BallotBox>) -> Self {
        Self(Arc::new(Way { log, queue, address }))
    }

    /// Casts a ballot. The answer comes when its block is in the log.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub async fn cast(&self, ballot: Ballot) -> Result<Accepted, NotAccepted> {
        if !self.0.log.is_there() {
            count(Outcome::LogAway);
            return Err(NotAccepted::LogAway);
        }
        let call = || {
            // A box that does not take it any more has closed its queue, or will when it has stopped.
            let _ = self.0.address.try_send(Look);
        };
        self.0.queue.cast(ballot, call).await
    }

    /// The ballot that counts for a voter.
    pub async fn find(&self, voter: Voter) -> Option<Standing> {
        self.0.address.send(FindBallot(voter)).await.ok().flatten()
    }

    /// How the box is; `None` when it has stopped.
    pub async fn observe(&self) -> Option<Observed> {
        self.0.address.send(Observe).await.ok()
    }
}
