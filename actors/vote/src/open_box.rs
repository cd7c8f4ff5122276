//! The way into an open box.

use std::sync::Arc;

use actix::{Addr, ArbiterHandle};
use nats::Clock;
use subjects::{Round, Voter};
use tokio::sync::oneshot;

use crate::Given;
use crate::actor::{BoxActor, FindBallot, Look, Observe, Observed, Reply};
use crate::outcomes::count;
use crate::queue::{Queue, TurnedAway};
use crate::rules::{Ballot, Standing};
use crate::store::Log;
use crate::waiting::{Accepted, NotAccepted, Outcome, Waiting};

/// The way into an open box. Cheap to clone: every ballot takes one.
#[derive(Clone)]
pub struct OpenBox(Arc<Way>);

struct Way {
    log: Log,
    clock: Clock,
    queue: Queue<Reply>,
    address: Addr<BoxActor>,
}

impl OpenBox {
    /// Opens the box of a round, on `arbiter`.
    pub(crate) fn open(round: &Round, given: &Given, arbiter: &ArbiterHandle) -> Self {
        let log = Log::of(given.bus.clone(), round.id.clone());
        let queue = Queue::new(given.waiting_max);
        let address = BoxActor::start_for(round, log.clone(), queue.clone(), given, arbiter);
        Self(Arc::new(Way { log, clock: given.clock.clone(), queue, address }))
    }

    /// Casts a ballot. The answer comes when its block is in the log.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub async fn cast(&self, ballot: Ballot) -> Result<Accepted, NotAccepted> {
        let Way { log, clock, queue, address } = &*self.0;
        if !log.is_there() {
            count(Outcome::LogAway);
            return Err(NotAccepted::LogAway);
        }
        let (reply, answer) = oneshot::channel();
        match queue.push(Waiting::new(ballot, clock.monotonic(), reply)) {
            Ok(true) => {
                // A box that does not take it any more has closed its queue, or will when it has stopped.
                let _ = address.try_send(Look);
            }
            Ok(false) => {}
            Err(TurnedAway { why, outcome, .. }) => {
                count(outcome);
                return Err(why);
            }
        }
        answer.await.unwrap_or(Err(NotAccepted::Unconfirmed))
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
