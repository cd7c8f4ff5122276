//! A box: the ballots of one open round.
//!
//! Ballots that arrive while the last block is under way wait, and are then judged together, in order. The block of
//! the accepted ones is appended expecting the last sequence the box has folded, so the server refuses it if anyone
//! wrote in between; then the box reads what it missed and judges again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult,
    ResponseFuture, WrapFuture,
};
use metrics::{Gauge, counter, gauge, histogram};
use nats::{Clock, SayError};
use subjects::{BallotId, BallotsCast, Place, VoteMessage, Voter};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::Given;
use crate::rules::{Ballot, Draft, Fold, Refusal, Standing, Verdict};
use crate::store::{Appended, Log, Read};

/// How long a voter waits for an answer at the most.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often those who waited too long are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many messages lie in the box's mailbox before their senders wait.
const MAILBOX: usize = 1_024;

/// Casts a ballot. The answer comes when its block is in the log.
#[derive(Debug, Message)]
#[rtype(result = "Result<Accepted, NotAccepted>")]
pub struct CastBallot(pub Ballot);

/// A ballot that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub ballot: BallotId,
    /// Where it lies.
    pub place: Place,
}

/// Why a ballot was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// A rule forbids it. It is not in the log.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log cannot be written to now. It is not in the log.
    #[error("the log cannot take it now")]
    LogAway,
    /// Too many wait already. It is not in the log.
    #[error("too many ballots are waiting")]
    Full,
    /// No acknowledgement came in time. It may come to be in the log.
    #[error("the log has not confirmed it")]
    Unconfirmed,
}

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

/// What was read from the log.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct TakeIn(Read);

/// A ballot that waits for its answer.
struct Waiting {
    ballot: Ballot,
    since: Instant,
    /// It was in a block of which nobody can tell yet whether it will be stored.
    is_in_doubt: bool,
    reply: oneshot::Sender<Result<Accepted, NotAccepted>>,
}

/// A block that is being appended, and who waits for it.
struct UnderWay {
    block: BallotsCast,
    expected: u64,
    waiting: Vec<(Waiting, Verdict)>,
}

/// The box of one open round.
pub struct BallotBox {
    log: Log,
    clock: Clock,
    stop: CancellationToken,
    changeable: bool,
    waiting_max: usize,
    fold: Fold,
    /// What the reading along has seen folded, so that the box's own blocks are not decoded again.
    folded: Arc<AtomicU64>,
    caught_up: bool,
    /// Somebody else's message lies before this sequence; nothing is appended until it is folded.
    behind: u64,
    waiting: VecDeque<Waiting>,
    waiting_gauge: Gauge,
    under_way: Option<UnderWay>,
}

impl BallotBox {
    pub(crate) fn new(log: Log, changeable: bool, given: &Given) -> Self {
        let waiting_gauge = gauge!("urna_vote_waiting", "round" => log.round().to_string());
        Self {
            log,
            clock: given.clock.clone(),
            stop: given.stop.clone(),
            changeable,
            waiting_max: given.waiting_max,
            fold: Fold::default(),
            folded: Arc::default(),
            caught_up: false,
            behind: 0,
            waiting: VecDeque::new(),
            waiting_gauge,
            under_way: None,
        }
    }

    /// Judges what waits and appends the block of what is accepted, if the box is free to.
    fn append(&mut self, context: &mut Context<Self>) {
        self.waiting_gauge.set(self.waiting.len() as f64);
        if !self.caught_up || self.under_way.is_some() || self.fold.sequence() < self.behind {
            return;
        }
        let (draft, waiting) = self.judge_waiting();
        if self.fold.is_sealed() {
            context.stop();
        }
        if draft.is_empty() {
            return;
        }
        let ballots = draft.into_ballots();
        histogram!("urna_vote_block_ballots").record(ballots.len() as f64);
        let block = BallotsCast { at: self.clock.now(), round: self.log.round().clone(), ballots };
        let expected = self.fold.sequence();
        self.under_way = Some(UnderWay { block: block.clone(), expected, waiting });
        let appended = self.log.clone().append(block, expected).into_actor(self);
        context.spawn(appended.map(|outcome, this, context| this.settle(&outcome, context)));
    }

    /// Judges waiting ballots in order, until the block is full. What needs no block is answered at once.
    fn judge_waiting(&mut self) -> (Draft, Vec<(Waiting, Verdict)>) {
        let mut draft = Draft::default();
        let mut with_block = Vec::new();
        while let Some(waiting) = self.waiting.pop_front() {
            match self.fold.judge(&mut draft, &waiting.ballot, self.changeable) {
                Verdict::NoRoom => {
                    self.waiting.push_front(waiting);
                    break;
                }
                Verdict::InLog(ballot, place) => waiting.answer(Ok(Accepted { ballot, place }), "repeated"),
                Verdict::Refused(refusal) => waiting.answer(Err(refusal.into()), "refused"),
                verdict @ (Verdict::InBlock(..) | Verdict::RefusedByBlock(_)) => {
                    with_block.push((waiting, verdict))
                }
            }
        }
        (draft, with_block)
    }

    /// Takes note of what became of the block under way.
    fn settle(&mut self, outcome: &Appended, context: &mut Context<Self>) {
        let Some(mut under_way) = self.under_way.take() else { return };
        match outcome {
            Appended::Stored => self.settle_stored(under_way),
            Appended::Conflict => {
                counter!("urna_vote_conflicts_total").increment(1);
                self.behind = under_way.expected + 1;
                self.judge_again(under_way);
            }
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
        let UnderWay { block, expected, waiting } = under_way;
        let sequence = expected + 1;
        let mut seen = 0;
        for (waiting, verdict) in waiting {
            match verdict {
                Verdict::InBlock(ballot, index) => {
                    let outcome = match block.ballots[index as usize].replaces {
                        _ if index < seen => "repeated",
                        Some(_) => "changed",
                        None => "accepted",
                    };
                    seen = seen.max(index + 1);
                    waiting.answer(Ok(Accepted { ballot, place: Place { sequence, index } }), outcome);
                }
                Verdict::RefusedByBlock(refusal) => waiting.answer(Err(refusal.into()), "refused"),
                Verdict::InLog(..) | Verdict::Refused(_) | Verdict::NoRoom => {}
            }
        }
        // Which is first, the acknowledgement or the same block read along, is a matter of chance.
        self.fold.take(sequence, &VoteMessage::Cast(block));
        self.folded.store(self.fold.sequence(), Ordering::Release);
    }

    /// Puts the ballots of a block that was not stored back in front, in their order: those that somebody still
    /// waits for.
    fn judge_again(&mut self, under_way: UnderWay) {
        for (waiting, _) in under_way.waiting.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Answers those who waited too long.
    fn dismiss_late(&mut self) {
        let is_late = |waiting: &Waiting| waiting.since.elapsed() > ANSWER_WITHIN;
        while self.waiting.front().is_some_and(is_late) {
            if let Some(waiting) = self.waiting.pop_front() {
                waiting.turn_away();
            }
        }
        self.waiting_gauge.set(self.waiting.len() as f64);
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

impl Waiting {
    /// Answers that the log cannot take it now: nothing was accepted, unless that is in doubt.
    fn turn_away(self) {
        if self.is_in_doubt {
            self.answer(Err(NotAccepted::Unconfirmed), "unconfirmed");
        } else {
            self.answer(Err(NotAccepted::LogAway), "log_away");
        }
    }

    fn answer(self, answer: Result<Accepted, NotAccepted>, outcome: &'static str) {
        counter!("urna_vote_cast_total", "outcome" => outcome).increment(1);
        // Whoever closed the connection while waiting can ask again with the same ballot id.
        let _ = self.reply.send(answer);
    }
}

impl Actor for BallotBox {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(LOOK_EVERY, |this, _| this.dismiss_late());
        let (mut reading, folded, to) =
            (self.log.read(), Arc::clone(&self.folded), context.address().downgrade());
        let read_along = async move {
            loop {
                let read = reading.next(|| folded.load(Ordering::Acquire)).await;
                let Some(to) = to.upgrade() else { return };
                if to.send(TakeIn(read)).await.is_err() {
                    return;
                }
            }
        };
        let stop = self.stop.clone();
        self.log.spawn(async move {
            stop.run_until_cancelled(read_along).await;
        });
    }
}

impl Handler<CastBallot> for BallotBox {
    type Result = ResponseFuture<Result<Accepted, NotAccepted>>;

    fn handle(&mut self, CastBallot(ballot): CastBallot, context: &mut Context<Self>) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { ballot, since: Instant::now(), is_in_doubt: false, reply };
        if !self.log.is_there() {
            waiting.turn_away();
        } else if self.waiting.len() >= self.waiting_max {
            waiting.answer(Err(NotAccepted::Full), "full");
        } else {
            self.waiting.push_back(waiting);
            self.append(context);
        }
        Box::pin(async move { answer.await.unwrap_or(Err(NotAccepted::Unconfirmed)) })
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
            self.waiting.len() + self.under_way.as_ref().map_or(0, |under_way| under_way.waiting.len());
        let (sequence, voters) = (self.fold.sequence(), self.fold.voters());
        MessageResult(Observed { caught_up: self.caught_up, sequence, voters, waiting })
    }
}

impl Handler<TakeIn> for BallotBox {
    type Result = ();

    fn handle(&mut self, TakeIn(read): TakeIn, context: &mut Context<Self>) {
        for (sequence, message) in read.messages {
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
