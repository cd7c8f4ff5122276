//! The vote: accepts or refuses ballots.
//!
//! - hears   [`RoundChanged`], [`VoterKeyCreated`], [`TallyCounted`], and each open round's own log
//! - says    [`BallotsCast`](subjects::BallotsCast)
//! - keeps   nothing but the fold of each open round's log, in memory
//!
//! Promise: one voter has at most one ballot that counts, however many vote processes there are.
//!
//! Promise: a ballot that was answered with success is in the log.
//!
//! Promise: a ballot sent again gets the answer of the first time.

mod actor;
pub mod ballot_box;
pub mod event;
mod in_flight;
mod judge;
mod open_box;
mod outcomes;
mod pace;
mod page;
pub mod queue;
mod receipts;
pub mod rules;
mod search;
pub mod store;
mod waiting;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, RwLock};

use actix::ArbiterHandle;
use nats::{Bus, Clock, Newest, Projection};
use subjects::{Round, RoundChanged, RoundId, RoundState, Stream, TallyCounted, VoterKey, VoterKeyCreated};
use tokio_util::sync::CancellationToken;
use tracing::info;
use web::{Check, Edge};

pub use actor::Observed;
pub use ballot_box::BallotBox;
pub use open_box::OpenBox;
pub use pace::{CROWD, CROWD_EVERY};
pub use page::operations;
pub use waiting::{Accepted, NotAccepted, Outcome, Waiting};

use crate::receipts::Closed;

/// How many ballots may wait in one box, unless a setting says otherwise.
pub const WAITING_MAX: usize = 50_000;

/// What the vote actor is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The connection.
    pub bus: Bus,
    /// The present moment.
    pub clock: Clock,
    /// Tells who is calling, and how often they may.
    pub edge: Edge,
    /// How many ballots may wait in one box.
    pub waiting_max: usize,
    /// When to stop.
    pub stop: CancellationToken,
}

/// The open boxes of this process, and what they need to know. Cheap to clone.
#[derive(Clone)]
pub struct Vote {
    given: Given,
    rounds: Projection<RoundId, RoundChanged>,
    keys: Projection<RoundId, VoterKeyCreated>,
    /// Up to where each round is counted.
    tallies: Projection<RoundId, TallyCounted>,
    closed: Closed,
    boxes: Arc<RwLock<HashMap<RoundId, OpenBox>>>,
}

/// A round as this process knows it: shared, because every ballot asks for it.
struct KnownRound(Arc<Newest<RoundChanged>>);

impl Deref for KnownRound {
    type Target = Round;

    fn deref(&self) -> &Round {
        &self.0.message.round
    }
}

/// Begins to follow the rounds, and opens a box for each that is open, on `arbiter`.
pub fn start(given: Given, arbiter: ArbiterHandle) -> Vote {
    let rounds = Projection::follow(&given.bus, &Stream::rounds(), given.stop.clone());
    let keys = Projection::follow(&given.bus, &Stream::keys(), given.stop.clone());
    let tallies = Projection::follow(&given.bus, &Stream::tallies(), given.stop.clone());
    let vote = Vote { given, rounds, keys, tallies, closed: Closed::default(), boxes: Arc::default() };
    let keep = vote.clone().keep_boxes(arbiter);
    let stop = vote.given.stop.clone();
    vote.given.bus.spawn(async move {
        stop.run_until_cancelled(keep).await;
    });
    vote
}

impl Vote {
    /// What this process needs to accept ballots.
    pub fn checks(&self) -> [Check; 2] {
        let vote = self.clone();
        [Check::nats(&self.given.bus), Check::ready("boxes", move || vote.clone().is_ready())]
    }

    /// Whether every open round's box has folded its log.
    pub async fn is_ready(self) -> bool {
        if !self.rounds.is_caught_up() || !self.keys.is_caught_up() {
            return false;
        }
        for newest in self.open_rounds() {
            let Some(open) = self.open_box(&newest.message.round.id) else { return false };
            if !open.observe().await.is_some_and(|observed| observed.caught_up) {
                return false;
            }
        }
        true
    }

    /// The round as it is now.
    fn round(&self, id: &RoundId) -> Option<KnownRound> {
        self.rounds.get(id).map(KnownRound)
    }

    /// The secret that ties identities to this round's voters.
    fn key(&self, id: &RoundId) -> Option<VoterKey> {
        Some(self.keys.get(id)?.message.key.clone())
    }

    /// The box of an open round.
    pub fn open_box(&self, id: &RoundId) -> Option<OpenBox> {
        self.boxes.read().expect("no reader or writer panics").get(id).cloned()
    }

    fn open_rounds(&self) -> Vec<Arc<Newest<RoundChanged>>> {
        let mut rounds = self.rounds.all();
        rounds.retain(|newest| newest.message.round.state == RoundState::Open);
        rounds
    }

    async fn keep_boxes(self, arbiter: ArbiterHandle) {
        let mut rounds = self.rounds.clone();
        loop {
            for newest in self.open_rounds() {
                self.ensure_box(&newest.message.round, &arbiter);
            }
            self.close_boxes();
            if !rounds.changed().await {
                return;
            }
        }
    }

    fn ensure_box(&self, round: &Round, arbiter: &ArbiterHandle) {
        if self.open_box(&round.id).is_some() {
            return;
        }
        info!(round.id = %round.id, "opening the box");
        let opened = OpenBox::open(round, &self.given, arbiter);
        self.boxes.write().expect("no reader or writer panics").insert(round.id.clone(), opened);
    }

    /// Forgets the boxes and the keys of rounds that are closed. A box stops when it has read the seal.
    fn close_boxes(&self) {
        let is_open = |id: &RoundId| self.round(id).is_some_and(|round| round.state == RoundState::Open);
        let mut boxes = self.boxes.write().expect("no reader or writer panics");
        boxes.retain(|id, _| {
            let stays = is_open(id);
            if !stays {
                self.keys.forget(id);
            }
            stays
        });
    }
}
