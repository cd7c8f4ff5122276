//! Projections: the newest message of everything that a stream tells of, in memory, kept current.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use actix::{Message, Recipient};
use subjects::{Heard, Keyed, Stream, Unreadable};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::bus::Bus;
use crate::follower::{Batch, Follower};
use crate::ordered_reader::StartAt;
use crate::stored::StoredMessage;
use crate::trace::TraceContext;

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

/// The news that there is a newer message of something.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Renewed<K: 'static> {
    /// Of what.
    pub key: K,
    /// Where the message stands in a chain of causes.
    pub trace: Option<TraceContext>,
}

/// The newest message of every key. Cheap to clone; readers never wait for the bus.
#[derive(Debug)]
pub struct Projection<K, M> {
    by_key: Arc<RwLock<HashMap<K, Arc<Newest<M>>>>>,
    /// Changes with every batch. Says whether everything that was there at the start has been seen.
    is_caught_up: watch::Receiver<bool>,
}

impl<K, M> Clone for Projection<K, M> {
    fn clone(&self) -> Self {
        Self { by_key: Arc::clone(&self.by_key), is_caught_up: self.is_caught_up.clone() }
    }
}

impl<K, M> Projection<K, M>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Heard + Keyed<Key = K> + Send + Sync + 'static,
{
    /// Begins to follow `stream`, until `stop`.
    pub fn follow(bus: &Bus, stream: &Stream, stop: CancellationToken) -> Self {
        Self::begin(bus, stream, stop, None)
    }

    /// The same, and sends an actor the key of every newer message.
    pub fn follow_for(
        bus: &Bus,
        stream: &Stream,
        stop: CancellationToken,
        to: Recipient<Renewed<K>>,
    ) -> Self {
        Self::begin(bus, stream, stop, Some(to))
    }

    fn begin(bus: &Bus, stream: &Stream, stop: CancellationToken, to: Option<Recipient<Renewed<K>>>) -> Self {
        let (caught_up, is_caught_up) = watch::channel(false);
        let projection = Self { by_key: Arc::default(), is_caught_up };
        let follower = Follower::new(bus.clone(), stream, StartAt::NewestPerSubject);
        let keep = keep_current(follower, projection.clone(), caught_up, to);
        bus.spawn(async move { stop.run_until_cancelled(keep).await });
        projection
    }

    /// Takes in a message.
    fn apply(&self, stored: &StoredMessage) -> Result<Renewed<K>, Unreadable> {
        let key = M::key_of(&stored.subject)?;
        let message = M::hear(&stored.subject, &stored.payload)?;
        let StoredMessage { sequence, trace, .. } = *stored;
        self.write().insert(key.clone(), Arc::new(Newest { sequence, trace, message }));
        Ok(Renewed { key, trace })
    }
}

impl<K: Eq + Hash, M> Projection<K, M> {
    /// The newest message of `key`.
    pub fn get(&self, key: &K) -> Option<Arc<Newest<M>>> {
        self.read().get(key).cloned()
    }

    /// The newest message of every key, in no order.
    pub fn all(&self) -> Vec<Arc<Newest<M>>> {
        self.read().values().cloned().collect()
    }

    /// Forgets the message of `key`, until there is a newer one.
    pub fn forget(&self, key: &K) {
        self.write().remove(key);
    }

    /// Whether everything that was there at the start has been seen.
    pub fn is_caught_up(&self) -> bool {
        *self.is_caught_up.borrow()
    }

    /// Waits until everything that was there at the start has been seen.
    pub async fn caught_up(&self) {
        // The other end is dropped only when the process stops.
        let _ = self.is_caught_up.clone().wait_for(|is_caught_up| *is_caught_up).await;
    }

    /// Waits for something that was not there at the last call of this on this clone; at the first call, for the next.
    /// `false` when nothing will come any more, because the process stops.
    pub async fn changed(&mut self) -> bool {
        self.is_caught_up.changed().await.is_ok()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<K, Arc<Newest<M>>>> {
        self.by_key.read().expect("no reader or writer panics")
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<K, Arc<Newest<M>>>> {
        self.by_key.write().expect("no reader or writer panics")
    }
}

async fn keep_current<K, M>(
    mut follower: Follower,
    projection: Projection<K, M>,
    caught_up: watch::Sender<bool>,
    to: Option<Recipient<Renewed<K>>>,
) where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    M: Heard + Keyed<Key = K> + Send + Sync + 'static,
{
    loop {
        let Batch { messages, at_end } = follower.next().await;
        for stored in messages {
            match (projection.apply(&stored), &to) {
                // An actor that is gone takes its process with it.
                (Ok(renewed), Some(to)) => drop(to.send(renewed).await),
                (Ok(_), None) => {}
                // The publisher is at fault; the message before it stays the newest that makes sense.
                (Err(why), _) => {
                    let StoredMessage { subject, sequence, .. } = stored;
                    error!(subject, sequence, %why, "passed over a message that cannot be read");
                }
            }
        }
        caught_up.send_modify(|is_caught_up| *is_caught_up |= at_end);
    }
}

#[cfg(test)]
mod tests {
    use subjects::{RoundChanged, RoundId};

    use super::*;

    fn projection() -> Projection<RoundId, RoundChanged> {
        Projection { by_key: Arc::default(), is_caught_up: watch::channel(false).1 }
    }

    fn stored(sequence: u64, subject: &str, title: &str) -> StoredMessage {
        let payload = format!(
            r#"{{"at":"2026-11-21T09:30:00Z","change":"created","round":{{"id":"board","title":"{title}","options":[],
            "method":"plurality","eligibility":"anyone","program_voters":"anyone","allow_changes":false,"state":"draft"}}}}"#
        );
        let subject = subject.to_owned();
        StoredMessage { sequence, subject, id: None, trace: None, stored_at: None, payload: payload.into() }
    }

    #[test]
    fn the_newest_message_of_a_key_takes_the_place_of_the_one_before() {
        let (rounds, board) = (projection(), RoundId::parse("board").unwrap());
        for (sequence, title) in [(1, "Board"), (2, "The board")] {
            let renewed = rounds.apply(&stored(sequence, "round.board", title)).unwrap();
            assert_eq!(renewed.key, board);
            let newest = rounds.get(&board).unwrap();
            assert_eq!((newest.sequence, newest.message.round.title.as_str()), (sequence, title));
        }
        assert_eq!(rounds.all().len(), 1);
        rounds.forget(&board);
        assert!(rounds.get(&board).is_none());
    }

    #[test]
    fn a_message_that_cannot_be_decoded_leaves_the_one_before() {
        let (rounds, board) = (projection(), RoundId::parse("board").unwrap());
        rounds.apply(&stored(1, "round.board", "Board")).unwrap();
        let garbage = StoredMessage { payload: "?".into(), ..stored(2, "round.board", "") };
        assert!(rounds.apply(&garbage).is_err());
        assert!(rounds.apply(&stored(3, "round.No Round", "Board")).is_err());
        assert_eq!(rounds.get(&board).unwrap().sequence, 1);
    }
}
