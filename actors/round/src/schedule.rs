//! What happens to rounds by themselves: they open and close at their time, and a closed one is sealed.
//!
//! Any process does it, again after every crash, any number of times. A round that is to open gets its key and its log
//! first (see [`crate::book`]). The word that it is closed is written down first, as its new state, and everything else
//! follows from that state:
//!
//! 1. the seal is written into the log, once: it expects that there is none;
//! 2. the voter key is destroyed;
//! 3. when the tally has passed the seal, the stream itself is sealed: the server refuses every further message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use nats::{Expect, Projection, SayError, TraceContext, Unavailable};
use subjects::{
    MessageId, Round, RoundChanged, RoundId, RoundSealed, RoundState, Stream, TallyCounted, VoterKeyMade,
};
use tracing::{info, warn};

use crate::book::{Book, NotChanged, Order};
use crate::rules::{self, By, Deed};

/// The longest wait before the clock is looked at again: it may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether the log of a closed round is back that an operator has deleted.
const LOOK_FOR_LOG_EVERY: Duration = Duration::from_secs(60);
/// Why a round is sealed, in the seal.
const WHY: &str = "it was closed";

/// How far a closed round is from its end.
enum End {
    /// The server refuses every further message.
    Sealed,
    /// Something is still to be done.
    Ahead,
    /// An operator has deleted the log, and may put it back.
    WithoutLog,
}

/// Opens and closes rounds whose time has come, and takes each closed round to its end.
pub(crate) struct Schedule {
    pub book: Book,
    pub rounds: Projection<RoundId, RoundChanged>,
    pub tallies: Projection<RoundId, TallyCounted>,
}

impl Schedule {
    /// Goes on until its future is dropped.
    pub async fn keep(self) {
        let (mut rounds, mut tallies) = (self.rounds.clone(), self.tallies.clone());
        let (mut sealed, mut without_log) = (BTreeSet::new(), BTreeMap::<RoundId, Instant>::new());
        loop {
            let mut unfinished = false;
            for newest in self.rounds.all() {
                let round = &newest.message.round;
                let now = self.book.clock.now();
                if rules::is_due(round, now) {
                    self.in_time(&round.id, Deed::Open).await;
                } else if rules::is_over(round, now) {
                    self.in_time(&round.id, Deed::Close).await;
                } else if round.state == RoundState::Closed
                    && !sealed.contains(&round.id)
                    && without_log.get(&round.id).is_none_or(|since| since.elapsed() > LOOK_FOR_LOG_EVERY)
                {
                    match self.finish(round).await {
                        Ok(End::Sealed) => {
                            sealed.insert(round.id.clone());
                        }
                        Ok(End::WithoutLog) => {
                            without_log.insert(round.id.clone(), Instant::now());
                        }
                        Ok(End::Ahead) => unfinished = true,
                        Err(fault) => {
                            warn!(round.id = %round.id, %fault, "will try again");
                            unfinished = true;
                        }
                    }
                }
            }
            // News of a round, its time, and while one is unfinished news of its counts.
            tokio::select! {
                _ = rounds.changed() => {}
                _ = tallies.changed(), if unfinished => {}
                () = tokio::time::sleep(self.until_next()) => {}
            }
        }
    }

    /// How long nothing happens by itself, as far as the clock can be trusted.
    fn until_next(&self) -> Duration {
        let now = self.book.clock.now();
        let moments = self.rounds.all().into_iter().filter_map(|it| rules::next_moment(&it.message.round));
        let ahead = moments.filter(|moment| *moment > now).min();
        ahead.map_or(LOOK_EVERY, |moment| moment.since(now).min(LOOK_EVERY))
    }

    async fn in_time(&self, id: &RoundId, deed: Deed) {
        let order = Order { deed, by: By::Clock, version: None };
        match self.book.change(id, &order).await {
            Ok(entry) => info!(round.id = %id, state = ?entry.round.state, "changed at its time"),
            // Another process was first, or somebody has put it off.
            Err(NotChanged::Refused(_)) => {}
            Err(fault) => warn!(round.id = %id, %fault, "will try again"),
        }
    }

    /// Takes a closed round as far as it can go now.
    async fn finish(&self, round: &Round) -> Result<End, Unavailable> {
        let log = Stream::votes(&round.id).name;
        match self.book.bus.is_sealed(&log).await? {
            // By whoever was here before, or by an operator, by hand.
            Some(true) => {
                self.destroy_key(&round.id).await?;
                return Ok(End::Sealed);
            }
            Some(false) => {}
            None => {
                self.destroy_key(&round.id).await?;
                return Ok(End::WithoutLog);
            }
        }
        let seal = RoundSealed { at: self.book.clock.now(), round: round.id.clone(), why: WHY.to_owned() };
        let said = self
            .book
            .bus
            .say(&seal, &MessageId::random(), Expect::LastOfSubject(0), TraceContext::start())
            .await;
        match said {
            Ok(sequence) => info!(round.id = %round.id, sequence, "wrote the seal"),
            // It is there.
            Err(SayError::Conflict | SayError::Sealed) => {}
            Err(fault) => {
                warn!(round.id = %round.id, %fault, "the seal is not written yet");
                return Ok(End::Ahead);
            }
        }
        self.destroy_key(&round.id).await?;
        let counted = self.tallies.get(&round.id);
        if counted.is_none_or(|newest| !newest.message.is_final) {
            return Ok(End::Ahead);
        }
        self.book.bus.seal(&log).await?;
        info!(round.id = %round.id, "sealed for ever");
        Ok(End::Sealed)
    }

    async fn destroy_key(&self, id: &RoundId) -> Result<(), Unavailable> {
        self.book.bus.destroy_newest(&Stream::keys().name, &VoterKeyMade::subject_of(id)).await
    }
}
