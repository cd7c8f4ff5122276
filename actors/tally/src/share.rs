//! Which rounds this tally counts: tallies share them by locks in Postgres.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr};
use nats::intake::{Intake, Position, Run};
use subjects::{Durable, RoundId, RoundState, TallyCounted};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::rules::{Scoreboard, Totals};
use crate::store::{Locks, StoreError};
use crate::{Count, Tally, announcement, newest_announcement, same};

/// How often a tally looks for rounds that nobody counts, and shows Postgres that it is alive.
const SHARE_EVERY: Duration = Duration::from_secs(1);
/// How long NATS may be away before the rounds are left to another tally: it may reach what this one does not.
const LET_GO_AFTER: Duration = Duration::from_secs(5);

impl Tally {
    /// Takes the locks of rounds and counts them, for as long as Postgres keeps the locks; then begins again.
    pub(crate) async fn share(self) {
        while !self.given.stop.is_cancelled() {
            if self.given.bus.is_connected() {
                self.hold().await;
            }
            let _ = tokio::time::timeout(SHARE_EVERY, self.given.stop.cancelled()).await;
        }
    }

    async fn hold(&self) {
        let mut held = Held::default();
        let ended = match self.store.locks().await {
            Ok(mut locks) => self.count_held(&mut locks, &mut held).await,
            Err(away) => Err(away),
        };
        if let Err(away) = ended {
            warn!(%away, "counting waits");
        }
        held.counting.values().for_each(|count| count.stop.cancel());
        for count in held.counting.into_values() {
            count.end().await;
        }
    }

    async fn count_held(&self, locks: &mut Locks, held: &mut Held) -> Result<(), StoreError> {
        let mut rounds = self.rounds.clone();
        let mut connected = Instant::now();
        while !self.given.stop.is_cancelled() {
            if self.given.bus.is_connected() {
                connected = Instant::now();
            } else if connected.elapsed() > LET_GO_AFTER {
                warn!("NATS is away: whoever reaches it may count the rounds");
                return Ok(());
            }
            held.counting.retain(|_, count| !count.task.is_finished());
            self.look_for_replaced(held).await;
            self.count_free(locks, held, self.all(RoundState::Open)).await?;
            self.count_closed(locks, held).await?;
            tokio::select! {
                _ = rounds.changed() => {}
                () = tokio::time::sleep(SHARE_EVERY) => {}
                () = self.given.stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Counts closed rounds to their seal. There may be thousands that nobody has to count any more.
    async fn count_closed(&self, locks: &mut Locks, held: &mut Held) -> Result<(), StoreError> {
        let mut closed = self.all(RoundState::Closed);
        closed.retain(|round| !held.finished.contains(round));
        let (mut wanted, mut shared) = (Vec::new(), Instant::now());
        for round in closed {
            if self.given.stop.is_cancelled() || !self.given.bus.is_connected() {
                return Ok(());
            }
            if self.is_done(&round).await? {
                self.finish(&round, locks, held.counting.remove(&round)).await?;
                held.finished.insert(round);
            } else if !held.counting.contains_key(&round) {
                wanted.push(round);
            }
            if shared.elapsed() > SHARE_EVERY {
                wanted.extend(self.all(RoundState::Open));
                self.count_free(locks, held, std::mem::take(&mut wanted)).await?;
                shared = Instant::now();
            }
        }
        if !wanted.is_empty() {
            self.count_free(locks, held, wanted).await?;
        }
        Ok(())
    }

    /// Begins anew with rounds in which somebody has put other counts in place, those that were counted to their seal
    /// too: nobody would be told otherwise until the next ballot, or never.
    async fn look_for_replaced(&self, held: &mut Held) {
        let replaced = self.store.replaced().await.unwrap_or_else(|away| {
            // The next look will tell. It is the lock session that says whether the rounds are still ours.
            debug!(%away, "did not look for counts that were replaced");
            Vec::new()
        });
        for (round, times) in replaced {
            if held.replaced.insert(round.clone(), times) == Some(times) {
                continue;
            }
            held.finished.remove(&round);
            if let Some(count) = held.counting.remove(&round) {
                count.end().await;
            }
        }
    }

    /// The rounds in this state.
    fn all(&self, state: RoundState) -> Vec<RoundId> {
        let rounds = self.rounds.all();
        let in_state = rounds.iter().map(|newest| &newest.message.round).filter(|round| round.state == state);
        in_state.map(|round| round.id.clone()).collect()
    }

    /// Counts those of these rounds that nobody counts. Postgres is asked even for none: it sees that this tally is
    /// alive.
    async fn count_free(
        &self,
        locks: &mut Locks,
        held: &mut Held,
        mut wanted: Vec<RoundId>,
    ) -> Result<(), StoreError> {
        wanted.retain(|round| !held.counting.contains_key(round));
        for round in locks.take(&wanted).await? {
            let count = self.count(&round);
            held.counting.insert(round, count);
        }
        Ok(())
    }

    /// Whether a round is counted to its seal and everyone was told: whoever counted it may have died in between.
    async fn is_done(&self, round: &RoundId) -> Result<bool, StoreError> {
        let scoreboard = self.store.read(round).await?;
        if !scoreboard.is_final {
            return Ok(false);
        }
        let newest = newest_announcement(&self.given.bus, round).await;
        let says = |told: &TallyCounted| same(told, &announcement(round, &scoreboard, told.at, told.head));
        Ok(newest.is_ok_and(|newest| newest.tally.as_ref().is_some_and(says)))
    }

    /// Lets go of a round that is counted to its seal: nothing is left to be read.
    async fn finish(
        &self,
        round: &RoundId,
        locks: &mut Locks,
        count: Option<Counting>,
    ) -> Result<(), StoreError> {
        if let Some(count) = count {
            count.end().await;
        }
        if let Err(fault) = self.given.bus.forget(&Durable::tally(round)).await {
            debug!(round.id = %round, %fault, "its durable stays behind");
        }
        locks.release(round).await
    }

    fn count(&self, round: &RoundId) -> Counting {
        info!(round.id = %round, "counting");
        let actor = Count {
            bus: self.given.bus.clone(),
            clock: self.given.clock.clone(),
            store: Arc::clone(&self.store),
            rounds: self.rounds.clone(),
            round: round.clone(),
            scoreboard: Scoreboard::default(),
            head: 0,
            announced: 0,
            announced_at: Instant::now(),
        };
        let address: Addr<Count> = Count::start_in_arbiter(&self.arbiter, move |_| actor);
        let stop = self.given.stop.child_token();
        let (bus, clock) = (self.given.bus.clone(), self.given.clock.clone());
        let intake = Intake { bus, durable: Durable::tally(round), clock, stop: stop.clone() };
        let feed =
            intake.in_order(address.clone().recipient::<Position>(), address.recipient::<Run<Totals>>());
        let task = self.given.bus.spawn(async move {
            if feed.await.is_err() {
                warn!("a count ended early");
            }
        });
        Counting { stop, task }
    }
}

/// What a tally knows for as long as it holds its locks: a Postgres that was away may have come back with less.
#[derive(Default)]
struct Held {
    counting: HashMap<RoundId, Counting>,
    finished: HashSet<RoundId>,
    /// How often somebody has put other counts in place.
    replaced: HashMap<RoundId, i64>,
}

/// A round that is being counted here.
struct Counting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Counting {
    /// Ends it, once the run in hand is committed or given up.
    async fn end(self) {
        self.stop.cancel();
        // It is a task of this process: it can only have ended.
        let _ = self.task.await;
    }
}
