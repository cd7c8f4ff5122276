//! The album: keeps the pictures of options in the object store, and those that are looked at in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::web::Bytes;
use nats::{Bus, Clock, Object, Projection, Unavailable};
use subjects::{Bucket, PictureId, Round, RoundChanged, RoundId, Stream, Timestamp};
use tokio::sync::Semaphore;
use tracing::{error, info, warn};

use crate::picture::{self, NotAPicture, Picture};

/// How many bytes of pictures are kept in memory: a crowd that opens a vote page asks for all of them at once.
const AT_HAND_BYTES: usize = 32 * 1024 * 1024;
/// How long whoever sends a picture waits for those that were sent before.
const TURN_WITHIN: Duration = Duration::from_secs(20);
/// How long whoever looks at a picture waits for it.
const FOUND_WITHIN: Duration = Duration::from_secs(6);
/// How often pictures that no round shows any more are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(60 * 60);
/// For how long a picture may lie there that no round shows yet, in milliseconds.
const UNSHOWN_FOR_MILLIS: i64 = 60 * 60 * 1_000;

/// The pictures. Cheap to clone.
#[derive(Clone)]
pub struct Album {
    bus: Bus,
    at_hand: Arc<Mutex<Shelf>>,
    /// One picture is made at a time, so that their memory does not add up.
    turn: Arc<Semaphore>,
    /// One is fetched at a time, so that a crowd that asks for the same one has it fetched once.
    fetching: Arc<Semaphore>,
}

/// Why a picture was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It is none.
    #[error(transparent)]
    NotAPicture(#[from] NotAPicture),
    /// Too many were sent at once.
    #[error("other pictures are being made")]
    Busy,
    /// It could not be stored, or nobody knows whether it is.
    #[error(transparent)]
    Away(#[from] Away),
    /// It could not be made: our fault.
    #[error("failed to make a picture: {0}")]
    Failed(String),
}

/// The object store cannot be asked now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Away(String);

impl Album {
    /// The pictures that lie on this bus.
    pub fn new(bus: Bus) -> Self {
        let [turn, fetching] = [(); 2].map(|()| Arc::new(Semaphore::new(1)));
        Self { bus, at_hand: Arc::default(), turn, fetching }
    }

    /// Makes a picture of what was sent, and stores it.
    ///
    /// # Errors
    /// Any [`NotTaken`].
    pub async fn take(&self, sent: Bytes) -> Result<PictureId, NotTaken> {
        let turn = tokio::time::timeout(TURN_WITHIN, Arc::clone(&self.turn).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(NotTaken::Busy) };
        let made = tokio::task::spawn_blocking(move || {
            // It is held until the work is done, even when nobody waits for it any more.
            let _turn = turn;
            picture::make(&sent)
        });
        let made = made.await.map_err(|fault| NotTaken::Failed(fault.to_string()))?;
        let Picture { id, bytes } = made?;
        let bytes = Bytes::from(bytes);
        let (bus, object) = (self.bus.clone(), bytes.clone());
        let put = async move { bus.put_object(&Bucket::pictures(), &id.to_string(), &object).await };
        self.on_the_bus(put).await?;
        self.shelf().put(id, bytes);
        Ok(id)
    }

    /// A picture as it is shown; `None` when it is not in the object store, though it should be.
    ///
    /// # Errors
    /// [`Away`] when it cannot be read now.
    pub async fn find(&self, id: PictureId) -> Result<Option<Bytes>, Away> {
        if let Some(bytes) = self.shelf().get(id) {
            return Ok(Some(bytes));
        }
        let fetched = tokio::time::timeout(FOUND_WITHIN, self.fetch(id)).await;
        fetched.unwrap_or_else(|_| Err(Away(format!("failed to read the picture {id} in time"))))
    }

    async fn fetch(&self, id: PictureId) -> Result<Option<Bytes>, Away> {
        let _one_at_a_time = self.fetching.acquire().await;
        if let Some(bytes) = self.shelf().get(id) {
            return Ok(Some(bytes));
        }
        let bus = self.bus.clone();
        let read = async move { bus.object(&Bucket::pictures(), &id.to_string()).await };
        let found = self.on_the_bus(read).await?;
        match &found {
            Some(bytes) => self.shelf().put(id, bytes.clone()),
            None => error!(picture.id = %id, "a picture is not in the object store"),
        }
        Ok(found)
    }

    /// Deletes what no round shows any more, now and then, for ever.
    pub async fn keep_tidy(self, rounds: Projection<RoundId, RoundChanged>, clock: Clock) {
        self.bus.deployed().await;
        loop {
            rounds.caught_up().await;
            match self.tidy(&rounds, clock.now()).await {
                Ok(0) => {}
                Ok(deleted) => info!(pictures = deleted, "deleted pictures that no round shows any more"),
                Err(fault) => warn!(%fault, "will try again"),
            }
            tokio::time::sleep(TIDY_EVERY).await;
        }
    }

    async fn tidy(
        &self,
        rounds: &Projection<RoundId, RoundChanged>,
        now: Timestamp,
    ) -> Result<usize, Unavailable> {
        let there = self.bus.objects(&Bucket::pictures()).await?;
        // What is not known here of a round may be that it shows a picture.
        let written = self.bus.last_sequence(&Stream::rounds().name).await?;
        let known = rounds.all();
        if known.iter().map(|newest| newest.sequence).max().unwrap_or_default() < written {
            return Ok(0);
        }
        let left_over = left_over(&there, known.iter().map(|newest| &newest.message.round), now);
        for name in &left_over {
            self.bus.delete_object(&Bucket::pictures(), name).await?;
        }
        Ok(left_over.len())
    }

    /// What waits for the bus runs on the runtime that carries all traffic, and comes to its end.
    async fn on_the_bus<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Unavailable>> + Send + 'static,
    ) -> Result<T, Away> {
        let done = self.bus.spawn(work).await.map_err(|ended| Away(ended.to_string()))?;
        done.map_err(|cause| Away(cause.to_string()))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.at_hand.lock().expect("nobody who holds it panics")
    }
}

/// The pictures that none of these rounds shows, and that were not put there a moment ago by somebody who is about to.
fn left_over<'a>(
    there: &'a [Object],
    rounds: impl Iterator<Item = &'a Round>,
    now: Timestamp,
) -> Vec<&'a str> {
    let shown = rounds.flat_map(|round| &round.options).filter_map(|option| option.picture);
    let shown: HashSet<String> = shown.map(|picture| picture.to_string()).collect();
    let since = now.unix_millis() - UNSHOWN_FOR_MILLIS;
    let is_old = |object: &&Object| object.put_at.is_some_and(|put_at| put_at.unix_millis() < since);
    let left_over = there.iter().filter(is_old).map(|object| object.name.as_str());
    left_over.filter(|name| !shown.contains(*name)).collect()
}

/// The pictures at hand. When they take too much room, those go that nobody has looked at for longest.
#[derive(Default)]
struct Shelf {
    pictures: HashMap<PictureId, AtHand>,
    bytes: usize,
    looks: u64,
}

struct AtHand {
    bytes: Bytes,
    last_look: u64,
}

impl Shelf {
    fn get(&mut self, id: PictureId) -> Option<Bytes> {
        self.looks += 1;
        let there = self.pictures.get_mut(&id)?;
        there.last_look = self.looks;
        Some(there.bytes.clone())
    }

    fn put(&mut self, id: PictureId, bytes: Bytes) {
        self.looks += 1;
        self.bytes += bytes.len();
        if let Some(there) = self.pictures.insert(id, AtHand { bytes, last_look: self.looks }) {
            self.bytes -= there.bytes.len();
        }
        while self.bytes > AT_HAND_BYTES {
            let oldest = self.pictures.iter().min_by_key(|(_, there)| there.last_look).map(|(id, _)| *id);
            let Some(gone) = oldest.and_then(|id| self.pictures.remove(&id)) else { return };
            self.bytes -= gone.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{OptionId, RoundId, RoundOption};

    #[test]
    fn a_picture_is_left_over_when_no_round_shows_it_and_nobody_is_about_to() {
        let at = |millis| Timestamp::from_unix_millis(millis);
        let id = |number: u8| PictureId::from_bytes([number; 32]);
        let object = |number, put_at| Object { name: id(number).to_string(), put_at };
        let there = [object(1, at(0)), object(2, at(0)), object(3, at(1)), object(4, None)];
        let cats = RoundOption::new(OptionId::parse("cats").unwrap(), "Cats");
        let mut round = Round::blank(RoundId::parse("board").unwrap());
        round.options = vec![cats.clone(), RoundOption { picture: Some(id(2)), ..cats }];
        let now = at(UNSHOWN_FOR_MILLIS + 1).unwrap();
        assert_eq!(left_over(&there, [&round].into_iter(), now), [id(1).to_string()]);
        assert_eq!(left_over(&there, [].into_iter(), now).len(), 2);
    }

    #[test]
    fn the_pictures_at_hand_take_no_more_than_their_room_and_those_that_are_looked_at_stay() {
        let id = |number: u8| PictureId::from_bytes([number; 32]);
        let mut shelf = Shelf::default();
        let large = Bytes::from(vec![0; AT_HAND_BYTES / 4]);
        for number in 0..4 {
            shelf.put(id(number), large.clone());
        }
        shelf.put(id(3), large.clone());
        assert_eq!((shelf.pictures.len(), shelf.bytes), (4, AT_HAND_BYTES));
        assert!(shelf.get(id(0)).is_some());
        shelf.put(id(4), large.clone());
        assert_eq!((shelf.pictures.len(), shelf.bytes), (4, AT_HAND_BYTES));
        assert!(shelf.get(id(1)).is_none());
        assert!([0, 2, 3, 4].iter().all(|number| shelf.get(id(*number)).is_some()));
    }
}
