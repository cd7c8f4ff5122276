//! Which rounds this tally counts: tallies share them by locks in Postgres.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr};
use nats::intake::{Intake, Position, Run};
use subjects::{Durable, RoundId, RoundState};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::rules::{Scoreboard, Totals};
use crate::store::{Locks, StoreError};
use crate::{Count, Tally, newest_announcement};

/// How often a tally looks for rounds that nobody counts, and shows Postgres that it is alive.
const SHARE_EVERY: Duration = Duration::from_secs(1);

impl Tally {
    /// Takes the locks of rounds and counts them, for as long as Postgres keeps the locks; then begins again.
    pub(crate) async fn share(self) {
        while !self.given.stop.is_cancelled() {
            let mut counting = HashMap::new();
            let ended = match self.store.locks().await {
                Ok(mut locks) => self.count_held(&mut locks, &mut counting).await,
                Err(away) => Err(away),
            };
            if let Err(away) = ended {
                warn!(%away, "counting waits");
            }
            for count in counting.into_values() {
                count.end().await;
            }
            let _ = tokio::time::timeout(SHARE_EVERY, self.given.stop.cancelled()).await;
        }
    }

    async fn count_held(
        &self,
        locks: &mut Locks,
        counting: &mut HashMap<RoundId, Counting>,
    ) -> Result<(), StoreError> {
        let mut rounds = self.rounds.clone();
        // As long as the locks are held: a Postgres that was away may have come back with less.
        let mut finished = HashSet::new();
        while !self.given.stop.is_cancelled() {
            counting.retain(|_, count| !count.task.is_finished());
            self.count_free(locks, counting, self.all(RoundState::Open)).await?;
            let mut closed = self.all(RoundState::Closed);
            closed.retain(|round| !finished.contains(round));
            let (mut wanted, mut shared) = (Vec::new(), Instant::now());
            for round in closed {
                if self.given.stop.is_cancelled() {
                    return Ok(());
                }
                if self.is_done(&round).await? {
                    self.finish(&round, locks, counting.remove(&round)).await?;
                    finished.insert(round);
                } else if !counting.contains_key(&round) {
                    wanted.push(round);
                }
                // There may be thousands that nobody has to count any more.
                if shared.elapsed() > SHARE_EVERY {
                    wanted.extend(self.all(RoundState::Open));
                    self.count_free(locks, counting, std::mem::take(&mut wanted)).await?;
                    shared = Instant::now();
                }
            }
            if !wanted.is_empty() {
                self.count_free(locks, counting, wanted).await?;
            }
            tokio::select! {
                _ = rounds.changed() => {}
                () = tokio::time::sleep(SHARE_EVERY) => {}
                () = self.given.stop.cancelled() => {}
            }
        }
        Ok(())
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
        counting: &mut HashMap<RoundId, Counting>,
        mut wanted: Vec<RoundId>,
    ) -> Result<(), StoreError> {
        wanted.retain(|round| !counting.contains_key(round));
        for round in locks.take(&wanted).await? {
            let count = self.count(&round);
            counting.insert(round, count);
        }
        Ok(())
    }

    /// Whether a round is counted to its seal and everyone was told: whoever counted it may have died in between.
    async fn is_done(&self, round: &RoundId) -> Result<bool, StoreError> {
        if !self.store.read(round).await?.is_final {
            return Ok(false);
        }
        let newest = newest_announcement(&self.given.bus, round).await;
        Ok(newest.is_ok_and(|newest| newest.tally.is_some_and(|tally| tally.is_final)))
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
