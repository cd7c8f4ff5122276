//! Carries out what a tally's [`Share`] decides: the lock session, the counts that run here, and what they leave behind.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr};
use nats::Monotonic;
use nats::intake::{Intake, Position, Run};
use subjects::{Durable, RoundId, RoundState};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::Tally;
use crate::announcement::is_done;
use crate::count::Count;
use crate::counter::{Counter, newest_announcement};
use crate::rules::Totals;
use crate::share::{Action, Event, Rounds, Share};
use crate::store::{Locks, StoreError};

/// A tally's share of the rounds.
pub(crate) struct Sharing {
    tally: Tally,
    locks: Option<Locks>,
    counts: HashMap<RoundId, RunningCount>,
}

/// A round that is being counted here.
struct RunningCount {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl RunningCount {
    /// Ends it, once the batch in hand is committed or given up.
    async fn end(self) {
        self.stop.cancel();
        // It is a task of this process: it can only have ended.
        let _ = self.task.await;
    }
}

impl Sharing {
    pub fn new(tally: Tally) -> Self {
        Self { tally, locks: None, counts: HashMap::new() }
    }

    /// Goes on until the process stops, then ends every count.
    pub async fn keep(mut self) {
        let (mut share, stop) = (Share::default(), self.tally.given.stop.clone());
        let mut next = Some(self.look());
        while let Some(event) = next.take()
            && !stop.is_cancelled()
        {
            for action in share.on(event, self.tally.given.clock.moment()) {
                next = self.carry_out(action).await;
                if next == Some(Event::SessionLost) {
                    break;
                }
            }
        }
        self.let_go().await;
    }

    async fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::OpenSession => Some(self.open_session().await),
            Action::LookForReplaced => Some(self.look_for_replaced().await),
            Action::TakeLocks(rounds) => Some(self.take_locks(&rounds).await),
            Action::Check(round) => Some(self.check(&round).await),
            Action::Look => Some(self.look()),
            Action::Wait(until) => Some(self.wait(until).await),
            Action::BeginCount(round) => {
                let count = self.begin(&round);
                self.counts.insert(round, count);
                None
            }
            Action::EndCount(round) => {
                if let Some(count) = self.counts.remove(&round) {
                    count.end().await;
                }
                None
            }
            Action::DeleteDurable(round) => {
                if let Err(fault) = self.tally.given.bus.forget(&Durable::tally(&round)).await {
                    debug!(round.id = %round, %fault, "its durable stays behind");
                }
                None
            }
            Action::ReleaseLock(round) => self.release_lock(&round).await,
            Action::LetGo => {
                self.let_go().await;
                None
            }
        }
    }

    /// What is to be seen now.
    fn look(&mut self) -> Event {
        let (mut rounds, mut ended) = (Rounds::default(), Vec::new());
        for newest in self.tally.rounds.all() {
            let round = &newest.message.round;
            match round.state {
                RoundState::Draft => {}
                RoundState::Open => rounds.open.push(round.id.clone()),
                RoundState::Closed => rounds.closed.push(round.id.clone()),
            }
        }
        self.counts.retain(|round, count| {
            if count.task.is_finished() {
                ended.push(round.clone());
            }
            !count.task.is_finished()
        });
        Event::Seen { connected: self.tally.given.bus.is_connected(), rounds, ended }
    }

    async fn wait(&mut self, until: Monotonic) -> Event {
        let left = until.since(self.tally.given.clock.moment().monotonic);
        tokio::select! {
            _ = self.tally.rounds.changed() => {}
            () = tokio::time::sleep(left) => {}
            () = self.tally.given.stop.cancelled() => {}
        }
        self.look()
    }

    async fn open_session(&mut self) -> Event {
        match self.tally.store.locks().await {
            Ok(locks) => {
                self.locks = Some(locks);
                Event::SessionOpened
            }
            Err(fault) => session_lost(&fault),
        }
    }

    async fn look_for_replaced(&self) -> Event {
        Event::ReplacedFound(self.tally.store.replaced().await.unwrap_or_else(|fault| {
            debug!(%fault, "did not look for counts that were replaced");
            Vec::new()
        }))
    }

    async fn take_locks(&mut self, rounds: &[RoundId]) -> Event {
        let Some(locks) = &mut self.locks else { return Event::SessionLost };
        match locks.take(rounds).await {
            Ok(held) => Event::LocksHeld(held),
            Err(fault) => session_lost(&fault),
        }
    }

    async fn release_lock(&mut self, round: &RoundId) -> Option<Event> {
        match self.locks.as_mut()?.release(round).await {
            Ok(()) => None,
            Err(fault) => Some(session_lost(&fault)),
        }
    }

    async fn check(&self, round: &RoundId) -> Event {
        let scoreboard = match self.tally.store.read(round).await {
            Ok(scoreboard) => scoreboard,
            Err(fault) => return session_lost(&fault),
        };
        if !scoreboard.is_final {
            return Event::Checked { is_done: false };
        }
        let newest = newest_announcement(&self.tally.given.bus, round).await;
        let counts = newest.ok().and_then(|newest| newest.counts);
        Event::Checked { is_done: is_done(round, &scoreboard, counts.as_ref()) }
    }

    fn begin(&self, round: &RoundId) -> RunningCount {
        info!(round.id = %round, "counting");
        let given = &self.tally.given;
        let (bus, clock) = (given.bus.clone(), given.clock.clone());
        let counter = Counter {
            bus: bus.clone(),
            clock: clock.clone(),
            store: Arc::clone(&self.tally.store),
            rounds: self.tally.rounds.clone(),
            round: round.clone(),
            count: Count::new(round.clone()),
        };
        let address: Addr<Counter> = Counter::start_in_arbiter(&self.tally.arbiter, move |_| counter);
        let stop = given.stop.child_token();
        let intake = Intake { bus, durable: Durable::tally(round), clock, stop: stop.clone() };
        let feed =
            intake.in_order(address.clone().recipient::<Position>(), address.recipient::<Run<Totals>>());
        let task = given.bus.spawn(async move {
            if feed.await.is_err() {
                warn!("a count ended early");
            }
        });
        RunningCount { stop, task }
    }

    /// Ends every count, all at once, and gives the locks back with their session.
    async fn let_go(&mut self) {
        self.counts.values().for_each(|count| count.stop.cancel());
        for (_, count) in self.counts.drain() {
            count.end().await;
        }
        self.locks = None;
    }
}

fn session_lost(fault: &StoreError) -> Event {
    warn!(%fault, "counting waits");
    Event::SessionLost
}
