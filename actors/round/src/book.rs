//! The book of rounds: the stream ROUNDS, written by compare-and-set, so that nobody overwrites what they have not
//! read. Carries out what [`Making`] and [`Changing`] decide.

use metrics::counter;
use nats::{Bus, Clock, Expect, SayError, TraceContext, Unavailable};
use subjects::{Change, Heard, MessageId, Round, RoundChanged, RoundId, Stream, VoterKey, VoterKeyCreated};

use crate::changing::Changing;
use crate::making::Making;
use crate::order::{Entry, NotChanged, NotMade, Order};
use crate::rules::{By, Deed};
use crate::writing::{Answer, Next, Step, Stored};

/// Reads and writes rounds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub bus: Bus,
    pub clock: Clock,
}

/// Closes a round: writes its new state. The seal follows from that.
///
/// # Errors
/// [`NotChanged`].
pub async fn close(bus: &Bus, clock: &Clock, id: &RoundId) -> Result<(), NotChanged> {
    let book = Book { bus: bus.clone(), clock: clock.clone() };
    let order = Order { deed: Deed::Close, by: By::Operator, version: None };
    book.change(id, order).await.map(|_| ())
}

impl Book {
    /// Makes a round that is not there yet.
    pub async fn make(&self, round: Round) -> Result<Entry, NotMade> {
        let (id, trace) = (round.id.clone(), TraceContext::start());
        let (mut making, mut step) = Making::begin(round);
        loop {
            let answer = self.carry_out(&id, step, trace).await;
            match making.on(answer, self.clock.moment()) {
                Next::Step(next) => step = next,
                Next::End(outcome) => return outcome,
            }
        }
    }

    /// Changes a round. When somebody else writes first, it is decided anew about what they have written.
    pub async fn change(&self, id: &RoundId, order: Order) -> Result<Entry, NotChanged> {
        let trace = TraceContext::start();
        let (mut changing, mut step) = Changing::begin(id.clone(), order);
        loop {
            let answer = self.carry_out(id, step, trace).await;
            match changing.on(answer, self.clock.moment()) {
                Next::Step(next) => step = next,
                Next::End(outcome) => return outcome,
            }
        }
    }

    /// Carries out one step of writing a round.
    pub async fn carry_out(&self, id: &RoundId, step: Step, trace: TraceContext) -> Answer {
        match step {
            Step::Read => self.read(id).await,
            Step::MakeKey => self.make_key(id, trace).await,
            Step::FindKey => self.find_key(id).await,
            Step::MakeLog => match self.bus.create_log(&Stream::votes(id)).await {
                Ok(()) => Answer::LogMade,
                Err(fault) => Answer::Failed(fault.to_string()),
            },
            Step::Publish { changed, expected } => self.publish(&changed, expected, trace.next()).await,
            Step::DestroyKey => match self.destroy_key(id).await {
                Ok(()) => Answer::KeyDestroyed,
                Err(fault) => Answer::Failed(fault.to_string()),
            },
        }
    }

    async fn read(&self, id: &RoundId) -> Answer {
        let newest = self.bus.newest_of(&Stream::rounds().name, &RoundChanged::subject_of(id)).await;
        let stored = match newest {
            Ok(Some(stored)) => stored,
            Ok(None) => return Answer::Read(None),
            Err(fault) => return Answer::Failed(fault.to_string()),
        };
        match RoundChanged::hear(&stored.subject, &stored.payload) {
            Ok(changed) => {
                let entry = Entry { version: stored.sequence, round: changed.round };
                Answer::Read(Some(Box::new(Stored { entry, id: stored.id })))
            }
            Err(why) => Answer::Failed(why.to_string()),
        }
    }

    async fn make_key(&self, round: &RoundId, trace: TraceContext) -> Answer {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).expect("the system has random numbers");
        let key =
            VoterKeyCreated { at: self.clock.now(), round: round.clone(), key: VoterKey::from_bytes(bits) };
        match self.bus.say(&key, &MessageId::random(), Expect::LastOfSubject(0), trace).await {
            Ok(_) => Answer::KeyMade,
            // Somebody else made the key, or we did before we died. There must only ever be one.
            Err(SayError::Conflict) => Answer::KeyExists,
            Err(fault) => Answer::Failed(fault.to_string()),
        }
    }

    async fn find_key(&self, round: &RoundId) -> Answer {
        match self.bus.newest_of(&Stream::keys().name, &VoterKeyCreated::subject_of(round)).await {
            Ok(key) => Answer::KeyFound(key.is_some()),
            Err(fault) => Answer::Failed(fault.to_string()),
        }
    }

    /// Destroys the voter key of a round, if there is any.
    pub async fn destroy_key(&self, round: &RoundId) -> Result<(), Unavailable> {
        self.bus.destroy_newest(&Stream::keys().name, &VoterKeyCreated::subject_of(round)).await
    }

    async fn publish(&self, changed: &RoundChanged, expected: u64, trace: TraceContext) -> Answer {
        let id = MessageId::random();
        match self.bus.say(changed, &id, Expect::LastOfSubject(expected), trace).await {
            Ok(version) => {
                counter!("urna_round_changes_total", "change" => name(changed.change)).increment(1);
                Answer::Published(version)
            }
            Err(SayError::Conflict) => Answer::Conflict,
            Err(SayError::Unanswered) => Answer::Unanswered(id),
            Err(fault @ (SayError::Away | SayError::Sealed | SayError::Refused(_))) => {
                Answer::Failed(fault.to_string())
            }
        }
    }
}

fn name(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Edited => "edited",
        Change::Opened => "opened",
        Change::Closed => "closed",
    }
}
