//! The newest message of every subject of a stream, in memory, kept current.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use actix::{Message, Recipient};
use subjects::{Heard, Stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{Batch, Bus, Follower, Letter, StartAt, TraceContext};

/// A message and where it was found.
#[derive(Clone, Debug)]
pub struct Newest<M> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Where it stands in a chain of causes.
    pub trace: Option<TraceContext>,
    /// What it says.
    pub message: M,
}

/// The news that a subject has a new message.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Renewed {
    /// Which.
    pub subject: String,
    /// Where the message stands in a chain of causes.
    pub trace: Option<TraceContext>,
}

/// The newest message of every subject. Cheap to clone; readers never wait for the bus.
#[derive(Debug)]
pub struct Latest<M> {
    by_subject: Arc<RwLock<HashMap<String, Arc<Newest<M>>>>>,
    seen: watch::Receiver<Seen>,
}

impl<M> Clone for Latest<M> {
    fn clone(&self) -> Self {
        Self { by_subject: Arc::clone(&self.by_subject), seen: self.seen.clone() }
    }
}

/// How far a follower has come.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    caught_up: bool,
}

impl<M: Heard + Send + Sync + 'static> Latest<M> {
    /// Begins to follow `stream`, until `stop`.
    pub fn follow(bus: &Bus, stream: &Stream, stop: CancellationToken) -> Self {
        Self::follow_telling(bus, stream, stop, None)
    }

    /// The same, and tells an actor of every subject that has a new message.
    pub fn follow_telling(
        bus: &Bus,
        stream: &Stream,
        stop: CancellationToken,
        to: Option<Recipient<Renewed>>,
    ) -> Self {
        let by_subject = Arc::new(RwLock::new(HashMap::new()));
        let (tell, seen) = watch::channel(Seen::default());
        let latest = Self { by_subject, seen };
        let follower = Follower::new(bus.clone(), &stream.name, StartAt::NewestPerSubject);
        let keep = keep_current(follower, latest.clone(), tell, to);
        bus.spawn(async move { stop.run_until_cancelled(keep).await });
        latest
    }

    /// The newest message of `subject`.
    pub fn get(&self, subject: &str) -> Option<Arc<Newest<M>>> {
        self.by_subject.read().expect("no reader or writer panics").get(subject).cloned()
    }

    /// The newest message of every subject, in no order.
    pub fn all(&self) -> Vec<Arc<Newest<M>>> {
        self.by_subject.read().expect("no reader or writer panics").values().cloned().collect()
    }

    /// Forgets the message of `subject`, until there is a newer one.
    pub fn forget(&self, subject: &str) {
        self.by_subject.write().expect("no reader or writer panics").remove(subject);
    }

    /// Whether everything that was there at the start has been seen.
    pub fn is_caught_up(&self) -> bool {
        self.seen.borrow().caught_up
    }

    /// Waits until everything that was there at the start has been seen.
    pub async fn caught_up(&self) {
        // The other end is dropped only when the process stops.
        let _ = self.seen.clone().wait_for(|seen| seen.caught_up).await;
    }

    /// Waits for something that was not there at the last call of this on this clone; at the first call, for the next.
    /// `false` when nothing will come any more, because the process stops.
    pub async fn changed(&mut self) -> bool {
        self.seen.changed().await.is_ok()
    }
}

async fn keep_current<M: Heard>(
    mut follower: Follower,
    latest: Latest<M>,
    tell: watch::Sender<Seen>,
    to: Option<Recipient<Renewed>>,
) {
    loop {
        let Batch { letters, at_end } = follower.next().await;
        for Letter { sequence, subject, trace, payload, .. } in letters {
            match M::hear(&subject, &payload) {
                Ok(message) => {
                    let newest = Arc::new(Newest { sequence, trace, message });
                    latest
                        .by_subject
                        .write()
                        .expect("no reader or writer panics")
                        .insert(subject.clone(), newest);
                    if let Some(to) = &to {
                        // An actor that is gone takes its process with it.
                        let _ = to.send(Renewed { subject, trace }).await;
                    }
                }
                // Whoever wrote it is at fault; the one before it stays the newest that makes sense.
                Err(why) => error!(subject, sequence, %why, "passed over a message that cannot be read"),
            }
        }
        tell.send_modify(|seen| seen.caught_up |= at_end);
    }
}
