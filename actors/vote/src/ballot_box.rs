//! A box: the ballots of one open round.
//!
//! Ballots that arrive while the last block is under way wait, and are then judged together, in order. The block of
//! the accepted ones is appended expecting the last sequence the box has folded, so the server refuses it if anyone
//! wrote in between; then the box reads what it missed and judges again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::dev::Request;
use actix::{
    Actor, ActorContext, ActorFutureExt, ArbiterHandle, AsyncContext, Context, Handler, Message,
    MessageResult, WrapFuture,
};
use metrics::{Gauge, counter, gauge, histogram};
use nats::{Clock, SayError};
use subjects::{BallotsCast, MessageId, Round, Voter};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::Given;
use crate::open_box::OpenBox;
use crate::pace::Pace;
use crate::queue::{Accepted, Outcome, Queue, Waiting};
use crate::rules::{Draft, Fold, Standing, Verdict};
use crate::store::{Appended, Log, Logged, Read};
use crate::under_way::UnderWay;

/// How long a voter waits for an answer at the most.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often those who waited too long are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After how long it is asked for what lies where a refused block should have gone, if it was not read by then.
const LOOK_AFTER: Duration = Duration::from_millis(200);
/// How many messages lie in the box's mailbox before their senders wait.
const MAILBOX: usize = 1_024;

/// Finds the ballot that counts for a voter.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<Standing>")]
pub struct FindBallot(pub Voter);

/// Asks how the box is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Observed")]
pub struct Observe;

/// How a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Whether it has folded everything that was in the log when it opened.
    pub caught_up: bool,
    /// The last sequence it has folded.
    pub sequence: u64,
    /// How many voters have a ballot in it.
    pub voters: usize,
    /// How many ballots wait to be judged.
    pub waiting: usize,
}

/// Ballots wait in the queue of a box that had nothing to do.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Look;

/// What was read from the log.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct TakeIn(Read);

/// The box of one open round.
pub struct BallotBox {
    log: Log,
    clock: Clock,
    /// Of the reading along: nothing follows a seal.
    stop: CancellationToken,
    changeable: bool,
    queue: Queue,
    fold: Fold,
    /// What the reading along has seen folded, so that the box's own blocks are not decoded again.
    folded: Arc<AtomicU64>,
    caught_up: bool,
    waiting_gauge: Gauge,
    under_way: Option<UnderWay>,
    pace: Pace,
    /// The box comes back here by itself.
    is_pausing: bool,
}

impl BallotBox {
    /// Opens the box of a round, on `arbiter`.
    pub(crate) fn open(log: Log, round: &Round, given: &Given, arbiter: &ArbiterHandle) -> OpenBox {
        let queue = Queue::new(given.waiting_max);
        let opened = Self::new(log.clone(), queue.clone(), round, given);
        let address = Self::start_in_arbiter(arbiter, move |_| opened);
        OpenBox::new(log, queue, address)
    }

    fn new(log: Log, queue: Queue, round: &Round, given: &Given) -> Self {
        // Metrics are read by whoever can reach them, so a round whose results are hidden has none.
        let waiting_gauge = match round.shows_results_to_all() {
            true => gauge!("urna_vote_waiting", "round" => log.round().to_string()),
            false => Gauge::noop(),
        };
        Self {
            log,
            clock: given.clock.clone(),
            stop: given.stop.child_token(),
            changeable: round.changeable,
            queue,
            fold: Fold::default(),
            folded: Arc::default(),
            caught_up: false,
            waiting_gauge,
            under_way: None,
            pace: Pace::default(),
            is_pausing: false,
        }
    }

    /// Judges what waits and appends the block of what is accepted, if the box is free to. If it is not, it comes back
    /// here when it is.
    fn append(&mut self, context: &mut Context<Self>) {
        while self.caught_up && self.under_way.is_none() {
            if let Some(moment) = self.pace.wait(Instant::now()) {
                return self.append_after(moment, context);
            }
            let (draft, waiting) = self.judge_waiting();
            if self.fold.is_sealed() {
                return context.stop();
            }
            if !draft.is_empty() {
                return self.append_block(draft, waiting, context);
            }
            if self.queue.rest() {
                return;
            }
        }
    }

    fn append_after(&mut self, moment: Duration, context: &mut Context<Self>) {
        if !std::mem::replace(&mut self.is_pausing, true) {
            context.run_later(moment, |this, context| {
                this.is_pausing = false;
                this.append(context);
            });
        }
    }

    fn append_block(&mut self, draft: Draft, waiting: Vec<(Waiting, Verdict)>, context: &mut Context<Self>) {
        let ballots = draft.into_ballots();
        self.pace.note(ballots.len(), Instant::now());
        histogram!("urna_vote_block_ballots").record(ballots.len() as f64);
        let block = Arc::new(BallotsCast { at: self.clock.now(), round: self.log.round().clone(), ballots });
        let (id, expected) = (MessageId::random(), self.fold.sequence());
        self.under_way = Some(UnderWay::new(id.clone(), Arc::clone(&block), expected, waiting));
        let (log, name) = (self.log.clone(), id.clone());
        self.settle_after(id, async move { log.append(&name, block, expected).await }, context);
    }

    /// Settles the block of this name by what comes of asking the log.
    fn settle_after(
        &self,
        id: MessageId,
        asking: impl Future<Output = Appended> + 'static,
        context: &mut Context<Self>,
    ) {
        let asking = asking.into_actor(self);
        context.spawn(asking.map(move |outcome, this, context| this.settle(&id, &outcome, context)));
    }

    /// Judges waiting ballots in order, until the block is full. What needs no block is answered at once.
    fn judge_waiting(&mut self) -> (Draft, Vec<(Waiting, Verdict)>) {
        let mut draft = Draft::default();
        let mut with_block = Vec::new();
        let mut queue = self.queue.take();
        while let Some(waiting) = queue.pop_front() {
            match self.fold.judge(&mut draft, &waiting.ballot, self.changeable) {
                Verdict::NoRoom => {
                    queue.push_front(waiting);
                    break;
                }
                Verdict::InLog(ballot, place) => {
                    waiting.answer(Ok(Accepted { ballot, place }), Outcome::Repeated);
                }
                Verdict::Refused(refusal) => waiting.answer(Err(refusal.into()), Outcome::Refused),
                verdict @ (Verdict::InBlock(..) | Verdict::RefusedByBlock(_)) => {
                    with_block.push((waiting, verdict))
                }
            }
        }
        self.queue.put_back(queue);
        (draft, with_block)
    }

    /// Takes note of what became of the block of this name, unless that is settled.
    fn settle(&mut self, id: &MessageId, outcome: &Appended, context: &mut Context<Self>) {
        let Some(mut under_way) = self.under_way.take_if(|under_way| under_way.id == *id) else { return };
        match outcome {
            Appended::Stored => self.settle_stored(under_way),
            Appended::Conflict => match under_way.is_there {
                Some(true) => self.settle_stored(under_way),
                Some(false) => self.judge_again(under_way),
                None => return self.wait_for_place(under_way, context),
            },
            Appended::NotStored => {
                for (waiting, _) in &mut under_way.waiting {
                    waiting.is_in_doubt = true;
                }
                self.judge_again(under_way);
            }
            Appended::LogIsShorter => {
                // Whoever starts this process again lets it fold what the log now holds.
                panic!("the log of round {} has lost messages that were folded", self.log.round())
            }
            Appended::Refused(why) => {
                if *why != SayError::Away {
                    error!(round.id = %self.log.round(), %why, "the log refused a block");
                }
                for (waiting, _) in under_way.waiting {
                    waiting.turn_away();
                }
            }
        }
        self.append(context);
    }

    fn settle_stored(&mut self, under_way: UnderWay) {
        let (sequence, block) = (under_way.expected + 1, Arc::clone(&under_way.block));
        under_way.answer_stored();
        // Which is first, the acknowledgement or the same block read along, is a matter of chance.
        self.fold.take_block(sequence, &block);
        self.folded.store(self.fold.sequence(), Ordering::Release);
    }

    /// What lies where the block should have gone comes with the reading along, mostly in this very moment. To ask for
    /// it takes so long that whoever was first would be first again, so it is asked for only when it does not come.
    fn wait_for_place(&mut self, under_way: UnderWay, context: &mut Context<Self>) {
        let id = under_way.id.clone();
        self.under_way = Some(UnderWay { is_refused: true, ..under_way });
        context.run_later(LOOK_AFTER, move |this, context| {
            let Some(refused) = this.under_way.as_ref().filter(|under_way| under_way.id == id) else {
                return;
            };
            let (log, name, sequence) = (this.log.clone(), id.clone(), refused.expected + 1);
            this.settle_after(id, async move { log.look_for(&name, sequence).await }, context);
        });
    }

    /// Takes note of what lies where the block under way should, and settles it when that was waited for.
    fn note_place(&mut self, logged: &Logged) {
        let Some(under_way) = &mut self.under_way else { return };
        under_way.note_place(logged);
        let is_settled = |under_way: &mut UnderWay| under_way.is_refused && under_way.is_there.is_some();
        match self.under_way.take_if(is_settled) {
            Some(stored) if stored.is_there == Some(true) => self.settle_stored(stored),
            Some(refused) => self.judge_again(refused),
            None => {}
        }
    }

    /// Puts the ballots of a block that was not stored back in front, in their order: those that somebody still
    /// waits for.
    fn judge_again(&self, under_way: UnderWay) {
        if under_way.is_there == Some(false) {
            counter!("urna_vote_conflicts_total").increment(1);
        }
        self.queue.put_back(under_way.waiting.into_iter().map(|(waiting, _)| waiting).collect());
    }

    /// Answers those who waited too long.
    fn dismiss_late(&mut self) {
        let is_late = |waiting: &Waiting| waiting.since.elapsed() > ANSWER_WITHIN;
        self.queue.take_while(is_late).into_iter().for_each(Waiting::turn_away);
        self.waiting_gauge.set(self.queue.len() as f64);
        let Some(under_way) = &mut self.under_way else { return };
        if !under_way.waiting.iter().any(|(waiting, _)| is_late(waiting)) {
            return;
        }
        warn!(round.id = %self.log.round(), "a block is not confirmed");
        for (mut waiting, _) in std::mem::take(&mut under_way.waiting) {
            waiting.is_in_doubt = true;
            waiting.turn_away();
        }
    }
}

impl Actor for BallotBox {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.stop.cancel();
        self.queue.close();
    }

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(LOOK_EVERY, |this, context| {
            this.dismiss_late();
            // A call may have been lost in a mailbox that was full.
            this.append(context);
        });
        let (mut reading, folded, to) =
            (self.log.read(), Arc::clone(&self.folded), context.address().downgrade());
        let read_along = async move {
            let mut is_told = false;
            let mut taking_in: Option<Request<Self, TakeIn>> = None;
            loop {
                // While the box takes in what was read, what lies behind it is decoded.
                let before = taking_in.take();
                let is_taken_in = async {
                    match before {
                        Some(taking_in) => taking_in.await.is_ok(),
                        None => true,
                    }
                };
                let next = reading.next(|| folded.load(Ordering::Acquire));
                let (true, read) = tokio::join!(is_taken_in, next) else { return };
                // The box's own blocks, which it has folded.
                if read.messages.is_empty() && is_told {
                    continue;
                }
                is_told |= read.at_end;
                let Some(to) = to.upgrade() else { return };
                taking_in = Some(to.send(TakeIn(read)));
            }
        };
        let stop = self.stop.clone();
        self.log.spawn(async move {
            stop.run_until_cancelled(read_along).await;
        });
    }
}

impl Handler<Look> for BallotBox {
    type Result = ();

    fn handle(&mut self, _: Look, context: &mut Context<Self>) {
        self.append(context);
    }
}

impl Handler<FindBallot> for BallotBox {
    type Result = MessageResult<FindBallot>;

    fn handle(&mut self, FindBallot(voter): FindBallot, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.fold.standing(voter))
    }
}

impl Handler<Observe> for BallotBox {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Self::Result {
        let waiting =
            self.queue.len() + self.under_way.as_ref().map_or(0, |under_way| under_way.waiting.len());
        let (sequence, voters) = (self.fold.sequence(), self.fold.voters());
        MessageResult(Observed { caught_up: self.caught_up, sequence, voters, waiting })
    }
}

impl Handler<TakeIn> for BallotBox {
    type Result = ();

    fn handle(&mut self, TakeIn(read): TakeIn, context: &mut Context<Self>) {
        for logged in read.messages {
            self.note_place(&logged);
            let Logged { sequence, message, .. } = logged;
            match message {
                Ok(message) => self.fold.take(sequence, &message),
                Err(why) => {
                    error!(round.id = %self.log.round(), sequence, %why, "passed over a message of the log");
                    self.fold.pass_over(sequence);
                }
            }
        }
        self.folded.store(self.fold.sequence(), Ordering::Release);
        self.caught_up |= read.at_end;
        self.append(context);
    }
}
