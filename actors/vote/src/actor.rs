//! The actor of a box: a thin shell that carries out what the state machine decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::dev::Request;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message,
    MessageResult, WrapFuture,
};
use metrics::{Gauge, counter, gauge, histogram};
use nats::{Clock, Monotonic, StoredMessage};
use subjects::{MessageId, Round, Voter};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::Given;
use crate::ballot_box::{BallotBox, WAKE_EVERY};
use crate::event::{Action, Event, Read, Report};
use crate::in_flight::is_own;
use crate::outcomes::count;
use crate::queue::Queue;
use crate::rules::Standing;
use crate::store::Log;
use crate::waiting::{Accepted, NotAccepted};

/// How many messages the box's mailbox holds before their senders wait.
const MAILBOX: usize = 1_024;

/// What a voter's answer is sent with.
pub(crate) type Reply = oneshot::Sender<Result<Accepted, NotAccepted>>;

/// Finds the ballot that counts for a voter.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<Standing>")]
pub(crate) struct FindBallot(pub Voter);

/// Asks how the box is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Observed")]
pub(crate) struct Observe;

/// How a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Whether it has folded everything that was in the log when it opened.
    pub caught_up: bool,
    /// The last sequence it has folded.
    pub sequence: u64,
    /// How many voters have a ballot in it.
    pub voters: usize,
    /// How many ballots wait for an answer.
    pub waiting: usize,
}

/// Ballots wait in the queue of a box that had nothing to do.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Look;

/// What was read of the log; `None` when reading was interrupted.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct TakeIn(Option<Read>);

/// What the task that reads the log along knows of the box: its own blocks that it has folded need not be decoded. Cheap to
/// clone.
#[derive(Clone)]
struct OwnBlocks {
    name: MessageId,
    folded: Arc<AtomicU64>,
    is_caught_up: Arc<AtomicBool>,
}

impl OwnBlocks {
    fn note<R>(&self, ballot_box: &BallotBox<R>) {
        self.folded.store(ballot_box.sequence(), Ordering::Release);
        self.is_caught_up.store(ballot_box.is_caught_up(), Ordering::Release);
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up.load(Ordering::Acquire)
    }

    fn is_folded(&self, stored: &StoredMessage) -> bool {
        stored.sequence <= self.folded.load(Ordering::Acquire) && is_own(&self.name, stored.id.as_deref())
    }
}

/// Carries out what the ballot box of one open round decides.
pub(crate) struct BoxActor {
    ballot_box: BallotBox<Reply>,
    queue: Queue<Reply>,
    log: Log,
    clock: Clock,
    /// Of the reading along: nothing follows a seal.
    stop: CancellationToken,
    own: OwnBlocks,
    waiting_gauge: Gauge,
    /// Kept for its memory; empty between two events.
    actions: Vec<Action<Reply>>,
}

impl BoxActor {
    /// Starts the actor of a round's box, on `arbiter`.
    pub fn start_for(
        round: &Round,
        log: Log,
        queue: Queue<Reply>,
        given: &Given,
        arbiter: &ArbiterHandle,
    ) -> Addr<Self> {
        // Metrics can be read by people who may not see the results, so a round whose results are hidden has none.
        let waiting_gauge = match round.shows_results_to_all() {
            true => gauge!("urna_vote_waiting", "round" => round.id.to_string()),
            false => Gauge::noop(),
        };
        let own =
            OwnBlocks { name: MessageId::random(), folded: Arc::default(), is_caught_up: Arc::default() };
        let actor = Self {
            ballot_box: BallotBox::new(round.id.clone(), round.allow_changes, own.name.clone()),
            queue,
            log,
            clock: given.clock.clone(),
            stop: given.stop.child_token(),
            own,
            waiting_gauge,
            actions: Vec::new(),
        };
        Self::start_in_arbiter(arbiter, move |_| actor)
    }

    /// Hands an event to the box, with all ballots that wait, and carries out what it decides.
    fn on(&mut self, event: Event, context: &mut Context<Self>) {
        let mut actions = std::mem::take(&mut self.actions);
        let mut event = Some(event);
        while let Some(happened) = event.take() {
            self.ballot_box.hand_in(self.queue.take());
            self.ballot_box.on(happened, self.clock.moment(), &mut actions);
            self.queue.note_held(self.ballot_box.waiting());
            for action in actions.drain(..) {
                self.carry_out(action, context);
            }
            if self.ballot_box.is_idle() && !self.queue.rest() {
                event = Some(Event::BallotsWait);
            }
        }
        self.own.note(&self.ballot_box);
        self.actions = actions;
    }

    fn carry_out(&mut self, action: Action<Reply>, context: &mut Context<Self>) {
        match action {
            Action::Answer { reply, answer, outcome } => {
                count(outcome);
                // A voter who closed the connection while waiting can ask again with the same ballot id.
                let _ = reply.send(answer);
            }
            Action::Append { block, id, ballots, expected } => {
                histogram!("urna_vote_block_ballots").record(ballots.ballots.len() as f64);
                let log = self.log.clone();
                let append = async move { log.append(&id, &ballots, expected).await };
                self.ask(append, move |outcome| Event::Appended { block, outcome }, context);
            }
            Action::ReadPlace { block, sequence } => {
                let log = self.log.clone();
                let read = async move { log.read_place(sequence).await };
                self.ask(read, move |found| Event::PlaceRead { block, found }, context);
            }
            Action::AskEnd { block } => {
                let log = self.log.clone();
                let ask = async move { log.end().await };
                self.ask(ask, move |end| Event::EndTold { block, end }, context);
            }
            Action::WakeAt(moment) => self.wake_at(moment, context),
            Action::Report(report) => self.report(report),
            Action::Stop => context.stop(),
            Action::Fail => {
                panic!("the log of round {} has lost messages that were folded", self.log.round())
            }
        }
    }

    /// Asks the log, and hands the answer to the box as an event.
    fn ask<T: 'static>(
        &self,
        question: impl Future<Output = T> + 'static,
        event: impl FnOnce(T) -> Event + 'static,
        context: &mut Context<Self>,
    ) {
        let question = question.into_actor(self);
        context.spawn(question.map(move |answer, this, context| this.on(event(answer), context)));
    }

    fn wake_at(&self, moment: Monotonic, context: &mut Context<Self>) {
        let after = moment.since(self.clock.monotonic());
        context.run_later(after, |this, context| this.on(Event::Wake, context));
    }

    fn report(&self, report: Report) {
        let round = self.log.round();
        match report {
            Report::Conflict => counter!("urna_vote_conflicts_total").increment(1),
            Report::Unconfirmed => warn!(round.id = %round, "a block is not confirmed"),
            Report::Refused(why) => error!(round.id = %round, why, "the log refused a block"),
            Report::PassedOver { sequence, why } => {
                error!(round.id = %round, sequence, %why, "passed over a message of the log");
            }
        }
    }

    /// Reads the log along, for as long as the box is there.
    async fn read_along(log: Log, own: OwnBlocks, to: actix::WeakAddr<Self>) {
        let mut reading = log.read();
        let mut taking_in: Option<Request<Self, TakeIn>> = None;
        loop {
            // While the box takes in what was read, what is stored behind it is decoded.
            let before = taking_in.take();
            let is_taken_in = async {
                match before {
                    Some(taking_in) => taking_in.await.is_ok(),
                    None => true,
                }
            };
            let next = reading.next(|stored| own.is_folded(stored));
            let (true, read) = tokio::join!(is_taken_in, next) else { return };
            // The box's own blocks, which it has folded. One that has not caught up waits to hear of them.
            if own.is_caught_up() && read.as_ref().is_some_and(|read| read.messages.is_empty()) {
                continue;
            }
            let Some(to) = to.upgrade() else { return };
            taking_in = Some(to.send(TakeIn(read)));
        }
    }
}

impl Actor for BoxActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(WAKE_EVERY, |this, context| {
            // Here a call shows, too, that was lost in a mailbox that was full.
            this.on(Event::Wake, context);
            this.waiting_gauge.set((this.queue.len() + this.ballot_box.waiting()) as f64);
        });
        let (log, own, to) = (self.log.clone(), self.own.clone(), context.address().downgrade());
        let (read_along, stop) = (Self::read_along(log, own, to), self.stop.clone());
        self.log.spawn(async move {
            stop.run_until_cancelled(read_along).await;
        });
    }

    fn stopped(&mut self, context: &mut Context<Self>) {
        self.stop.cancel();
        let left = self.queue.close();
        // Of a process that stops, the others are told that their ballot is not confirmed.
        if self.ballot_box.is_sealed() {
            self.ballot_box.hand_in(left);
            self.on(Event::BallotsWait, context);
        }
    }
}

impl Handler<Look> for BoxActor {
    type Result = ();

    fn handle(&mut self, _: Look, context: &mut Context<Self>) {
        self.on(Event::BallotsWait, context);
    }
}

impl Handler<TakeIn> for BoxActor {
    type Result = ();

    fn handle(&mut self, TakeIn(read): TakeIn, context: &mut Context<Self>) {
        self.on(read.map_or(Event::ReadingInterrupted, Event::LogRead), context);
    }
}

impl Handler<FindBallot> for BoxActor {
    type Result = MessageResult<FindBallot>;

    fn handle(&mut self, FindBallot(voter): FindBallot, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.ballot_box.standing(voter))
    }
}

impl Handler<Observe> for BoxActor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let ballot_box = &self.ballot_box;
        MessageResult(Observed {
            caught_up: ballot_box.is_caught_up(),
            sequence: ballot_box.sequence(),
            voters: ballot_box.voters(),
            waiting: self.queue.len() + ballot_box.waiting() + ballot_box.in_flight(),
        })
    }
}
