//! The closing of a round: from its organiser's word, or its closing time, to the sealed log.
//!
//! The word is written down first, as the round's new state. Everything after it follows from that state and can be
//! done by any process, again after every crash, any number of times:
//!
//! 1. the seal is written into the log, once: it expects that there is none;
//! 2. the voter key is destroyed;
//! 3. when the tally has passed the seal, the stream itself is sealed: the server refuses every further message.

use std::collections::BTreeSet;
use std::time::Duration;

use nats::{Bus, Clock, Expect, Latest, SayError, TraceContext, Unavailable};
use subjects::{
    Change, Heard, MessageId, Round, RoundChanged, RoundId, RoundSealed, RoundState, Stream, TallyCounted,
    VoterKeyMade,
};
use tracing::{info, warn};

use crate::rules::{self, NotClosable};

/// The longest wait before the clock is looked at again: it may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Why a round is sealed, in the seal.
const WHY: &str = "it was closed";

/// Why a round was not closed.
#[derive(Debug, thiserror::Error)]
pub enum NotClosed {
    /// There is no such round.
    #[error("there is no round {0}")]
    NoSuchRound(RoundId),
    /// It is not open.
    #[error(transparent)]
    NotClosable(#[from] NotClosable),
    /// The bus did not do its part, or somebody else changed the round just now. Trying again is safe.
    #[error("failed to close the round: {0}")]
    Later(String),
}

/// Closes a round: writes its new state, if nobody has changed it meanwhile. The seal follows from that.
///
/// # Errors
/// [`NotClosed`].
pub async fn close(bus: &Bus, clock: &Clock, id: &RoundId) -> Result<(), NotClosed> {
    let subject = RoundChanged::subject_of(id);
    let newest = bus.newest_of(&Stream::rounds().name, &subject).await?;
    let Some(letter) = newest else { return Err(NotClosed::NoSuchRound(id.clone())) };
    let there = RoundChanged::hear(&letter.subject, &letter.payload);
    let there = there.map_err(|why| NotClosed::Later(why.to_string()))?;
    let changed =
        RoundChanged { at: clock.now(), change: Change::Closed, round: rules::close(&there.round)? };
    let expected = Expect::LastOfSubject(letter.sequence);
    let said = bus.say(&changed, &MessageId::random(), expected, TraceContext::start()).await;
    said.map(|_| ()).map_err(|fault| NotClosed::Later(fault.to_string()))
}

/// Closes rounds whose time has come, and takes each closed round to its end.
pub(crate) struct Closing {
    pub bus: Bus,
    pub clock: Clock,
    pub rounds: Latest<RoundChanged>,
    pub tallies: Latest<TallyCounted>,
}

impl Closing {
    /// Goes on until its future is dropped.
    pub async fn keep(self) {
        let mut rounds = self.rounds.clone();
        let mut sealed = BTreeSet::new();
        loop {
            let mut unfinished = false;
            for newest in self.rounds.all() {
                let round = &newest.message.round;
                if rules::is_over(round, self.clock.now()) {
                    self.close_in_time(&round.id).await;
                } else if round.state == RoundState::Closed && !sealed.contains(&round.id) {
                    match self.finish(round).await {
                        Ok(true) => {
                            info!(round.id = %round.id, "sealed for ever");
                            sealed.insert(round.id.clone());
                        }
                        Ok(false) => unfinished = true,
                        Err(fault) => {
                            warn!(round.id = %round.id, %fault, "will try again");
                            unfinished = true;
                        }
                    }
                }
            }
            self.wait(&mut rounds, unfinished).await;
        }
    }

    /// Waits for news of a round, for the clock, and while one is unfinished for news of its counts.
    async fn wait(&self, rounds: &mut Latest<RoundChanged>, unfinished: bool) {
        let mut tallies = self.tallies.clone();
        tokio::select! {
            _ = rounds.changed() => {}
            _ = tallies.changed(), if unfinished => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }

    async fn close_in_time(&self, id: &RoundId) {
        match close(&self.bus, &self.clock, id).await {
            Ok(()) => info!(round.id = %id, "closed at its time"),
            // Another process was first.
            Err(NotClosed::NotClosable(_)) => {}
            Err(fault) => warn!(round.id = %id, %fault, "will try again"),
        }
    }

    /// Takes a closed round as far as it can go now. Whether that is its end.
    async fn finish(&self, round: &Round) -> Result<bool, Unavailable> {
        let log = Stream::votes(&round.id).name;
        if self.bus.is_sealed(&log).await? {
            return Ok(true);
        }
        let seal = RoundSealed { at: self.clock.now(), round: round.id.clone(), why: WHY.to_owned() };
        let said =
            self.bus.say(&seal, &MessageId::random(), Expect::LastOfSubject(0), TraceContext::start()).await;
        match said {
            Ok(sequence) => info!(round.id = %round.id, sequence, "wrote the seal"),
            // It is there.
            Err(SayError::Conflict | SayError::Sealed) => {}
            Err(fault) => {
                warn!(round.id = %round.id, %fault, "the seal is not written yet");
                return Ok(false);
            }
        }
        self.bus.destroy_newest(&Stream::keys().name, &VoterKeyMade::subject_of(&round.id)).await?;
        let counted = self.tallies.get(&TallyCounted::subject_of(&round.id));
        if counted.is_none_or(|newest| !newest.message.is_final) {
            return Ok(false);
        }
        self.bus.seal(&log).await?;
        Ok(true)
    }
}

impl From<Unavailable> for NotClosed {
    fn from(cause: Unavailable) -> Self {
        Self::Later(cause.to_string())
    }
}
