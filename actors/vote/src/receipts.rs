//! What became of a ballot, by its receipt: whether it lies in the log, counts, or has been replaced.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use subjects::{BallotId, Place, Round, RoundId, VoteMessage, Voter};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::event::Logged;
use crate::store::Log;
use crate::{OpenBox, Vote};

/// Of how many closed rounds this process remembers which ballots were replaced.
const REMEMBERED: usize = 16;
/// How long somebody waits for a closed round's log to be read.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// What became of an accepted ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lies in the log, and the tally has not come to it yet.
    Waiting,
    /// It counts.
    Counted,
    /// Its voter has cast another since.
    Replaced,
}

/// Why it cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    /// There is no ballot.
    NoSuchBallot,
    /// The log, or the box, cannot be asked now.
    NotReady,
}

/// The ballots of closed rounds that were replaced. Cheap to clone.
///
/// A log is read once for each, one log at a time, and what is remembered is as large as there are replaced ballots.
#[derive(Clone)]
pub(crate) struct Closed {
    /// The newest last.
    rounds: Arc<Mutex<Vec<(RoundId, Replaced)>>>,
    one_at_a_time: Arc<Semaphore>,
}

/// What a log says was replaced, when it has been read to its end.
type Replaced = watch::Receiver<Option<Arc<HashSet<(Voter, BallotId)>>>>;

impl Default for Closed {
    fn default() -> Self {
        Self { rounds: Arc::default(), one_at_a_time: Arc::new(Semaphore::new(1)) }
    }
}

impl Vote {
    /// What became of the ballot that lies at `place` in the log of `round`.
    pub(crate) async fn fate(&self, round: &Round, place: Place) -> Result<Fate, Untold> {
        let log = Log::of(self.given.bus.clone(), round.id.clone());
        let cast = log.ballot_at(place).await.map_err(|_| Untold::NotReady)?.ok_or(Untold::NoSuchBallot)?;
        let is_replaced = match self.open_box(&round.id) {
            _ if !round.allow_changes => false,
            Some(open) => is_replaced_in_box(&open, cast.0, place).await?,
            None => self.closed.holds(&log, cast).await?,
        };
        if is_replaced {
            return Ok(Fate::Replaced);
        }
        let tally = self.tallies.get(&round.id);
        let is_counted = tally.is_some_and(|newest| newest.message.sequence >= place.sequence);
        Ok(if is_counted { Fate::Counted } else { Fate::Waiting })
    }
}

/// A voter's ballot at `place` is replaced when the one that counts for them lies behind it.
async fn is_replaced_in_box(open: &OpenBox, voter: Voter, place: Place) -> Result<bool, Untold> {
    if !open.observe().await.is_some_and(|observed| observed.caught_up) {
        return Err(Untold::NotReady);
    }
    Ok(open.find(voter).await.is_some_and(|standing| standing.place > place))
}

impl Closed {
    /// Whether this ballot of a closed round was replaced.
    async fn holds(&self, log: &Log, cast: (Voter, BallotId)) -> Result<bool, Untold> {
        let mut replaced = self.replaced_in(log);
        let read = timeout(READ_WITHIN, replaced.wait_for(Option::is_some)).await;
        let read = read.map_err(|_| Untold::NotReady)?.map_err(|_| Untold::NotReady)?;
        Ok(read.as_ref().is_some_and(|replaced| replaced.contains(&cast)))
    }

    fn replaced_in(&self, log: &Log) -> Replaced {
        let mut rounds = self.rounds.lock().expect("nobody panics with it");
        let known = rounds.iter().position(|(round, _)| round == log.round());
        if let Some(known) = known.map(|place| rounds.remove(place)) {
            // A reading that has ended without an end of the log is begun again.
            if known.1.borrow().is_some() || known.1.has_changed().is_ok() {
                let replaced = known.1.clone();
                rounds.push(known);
                return replaced;
            }
        }
        if rounds.len() == REMEMBERED {
            rounds.remove(0);
        }
        let (to, replaced) = watch::channel(None);
        rounds.push((log.round().clone(), replaced.clone()));
        let (log, one_at_a_time) = (log.clone(), Arc::clone(&self.one_at_a_time));
        log.clone().spawn(async move {
            let Ok(_turn) = one_at_a_time.acquire().await else { return };
            // Nobody waits for a round that was forgotten in the meantime.
            if to.is_closed() {
                return;
            }
            if let Some(found) = read_replaced(&log).await {
                to.send_replace(Some(Arc::new(found)));
            }
        });
        replaced
    }
}

/// Reads a log from its start to its seal.
async fn read_replaced(log: &Log) -> Option<HashSet<(Voter, BallotId)>> {
    let mut replaced = HashSet::new();
    let mut reading = log.read();
    loop {
        // An operator may have deleted it meanwhile; other rounds wait for their turn.
        let Some(read) = timeout(READ_WITHIN, reading.next(|_| false)).await.ok()? else { continue };
        for Logged { message, .. } in read.messages {
            match message {
                Ok(VoteMessage::Cast(block)) => replaced.extend(
                    block.ballots.into_iter().filter_map(|cast| Some((cast.voter, cast.replaces?.ballot))),
                ),
                Ok(VoteMessage::Sealed(_)) => return Some(replaced),
                Err(_) => {}
            }
        }
        // The seal is still to be written. Until then there is nothing to be remembered for good.
        if read.at_end {
            return None;
        }
    }
}
