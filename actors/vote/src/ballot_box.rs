//! The ballot box of one open round, as a state machine: no I/O, no clock, no framework.
//!
//! Ballots that arrive while a block is in flight wait, and are then judged together, in order. The block of the
//! accepted ones is appended expecting the last sequence that was folded, so the log refuses it if another box wrote in
//! between; then this box folds what it missed and judges again.
//!
//! | state | what it waits for |
//! |---|---|
//! | catching up | the end of the log: the box has just opened, or reading it was interrupted |
//! | idle | a ballot |
//! | waiting | the moment at which the next block of a crowd may begin |
//! | in flight | the acknowledgement of a block |
//! | conflicted | the message that is stored where the refused block should have gone |
//! | in doubt | a look at the place of a block that was not acknowledged |
//! | sealed | nothing: voters who are late are told what the log says |

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nats::{BELIEVED_AFTER, Monotonic, Now};
use subjects::{BallotsCast, MessageId, RoundId, Voter};
use urna_mutation::{Mutation, is_on};

use crate::event::{Action, Appended, Event, PlaceRead, Read, Report};
use crate::in_flight::{InFlightBlock, Whose, id_of};
use crate::judge::Judge;
use crate::pace::Pace;
use crate::rules::{BlockBuilder, Standing, Verdict};
use crate::search::{Conclusion, Question, Search};
use crate::waiting::Waiting;

/// A voter is answered within this time.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often [`Event::Wake`] comes, whatever moments were asked for.
pub const WAKE_EVERY: Duration = Duration::from_millis(250);
/// A refused block's place is read when it was not read along by then.
const READ_PLACE_AFTER: Duration = Duration::from_millis(200);

/// The ballot box of one open round. `R` is what an answer is sent with.
#[derive(Debug)]
pub struct BallotBox<R> {
    round: RoundId,
    /// The ids of its blocks begin with this.
    name: MessageId,
    judge: Judge<R>,
    /// How many blocks it has appended.
    blocks: u64,
    pace: Pace,
    reading: Reading,
    state: State<R>,
}

/// How far the log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Not to its end since the box opened, or since reading was interrupted.
    Behind,
    /// To its end. Nothing was interrupted since.
    Current,
    /// To its end, which is before the box's own block that was acknowledged last: the log may have been restored to an
    /// older state. It has looked so since this moment.
    Shorter(Monotonic),
}

#[derive(Debug)]
enum State<R> {
    CatchingUp,
    Idle,
    Waiting(Monotonic),
    InFlight(InFlightBlock<R>),
    /// The place is read at this moment if it was not read along by then.
    Conflicted(InFlightBlock<R>, Monotonic),
    InDoubt(InFlightBlock<R>, Search),
    Sealed,
}

/// When an event comes, and where its actions go.
struct Step<'a, R> {
    now: Now,
    actions: &'a mut Vec<Action<R>>,
}

impl<R> BallotBox<R> {
    /// A box that has folded nothing. No other box may ever have this name.
    pub fn new(round: RoundId, allow_changes: bool, name: MessageId) -> Self {
        Self {
            round,
            judge: Judge::new(allow_changes, name.clone()),
            name,
            blocks: 0,
            pace: Pace::default(),
            reading: Reading::Behind,
            state: State::CatchingUp,
        }
    }

    /// Hands in ballots, oldest first. They are judged with the next event, if the box is free.
    pub fn hand_in(&mut self, ballots: VecDeque<Waiting<R>>) {
        self.judge.hand_in(ballots);
    }

    /// Takes note of an event; pushes what is to be done about it, in order.
    pub fn on(&mut self, event: Event, now: Now, actions: &mut Vec<Action<R>>) {
        let mut step = Step { now, actions };
        let is_wake = matches!(event, Event::Wake);
        self.state = self.after(event, &mut step);
        if let Reading::Shorter(since) = self.reading
            && now.monotonic.since(since) > BELIEVED_AFTER
        {
            step.actions.push(Action::Fail);
        }
        if is_wake && !is_on(Mutation::LetLateVotersWait) {
            self.dismiss_late(&mut step);
        }
        match self.state {
            State::CatchingUp | State::Idle if self.reading != Reading::Current => {
                self.state = State::CatchingUp
            }
            State::CatchingUp | State::Idle => self.state = self.begin_block(&mut step),
            State::Sealed => {
                self.judge.judge(step.actions);
            }
            _ => {}
        }
    }

    /// Whether it has folded everything that was in the log when it opened, or when reading was last interrupted.
    pub fn is_caught_up(&self) -> bool {
        self.reading == Reading::Current
    }

    /// Whether it has nothing to do until a ballot comes.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the seal is in the log and everyone was answered.
    pub fn is_sealed(&self) -> bool {
        matches!(self.state, State::Sealed)
    }

    /// The last sequence that was folded.
    pub fn sequence(&self) -> u64 {
        self.judge.fold.sequence()
    }

    /// How many voters have a ballot in it.
    pub fn voters(&self) -> usize {
        self.judge.fold.voters()
    }

    /// How many ballots were handed in and not judged yet.
    pub fn waiting(&self) -> usize {
        self.judge.waiting()
    }

    /// How many ballots wait for the block in flight.
    pub fn in_flight(&self) -> usize {
        match &self.state {
            State::InFlight(block) | State::Conflicted(block, _) | State::InDoubt(block, _) => {
                block.waiting.len()
            }
            State::CatchingUp | State::Idle | State::Waiting(_) | State::Sealed => 0,
        }
    }

    /// The ballot that counts for a voter.
    pub fn standing(&self, voter: Voter) -> Option<Standing> {
        self.judge.fold.standing(voter)
    }

    /// The transitions. When it is idle, or has caught up, the next block begins.
    fn after(&mut self, event: Event, step: &mut Step<R>) -> State<R> {
        let now = step.now.monotonic;
        match (std::mem::replace(&mut self.state, State::Idle), event) {
            (state, Event::ReadingInterrupted) => {
                if !is_on(Mutation::AppendWhileInterrupted) {
                    self.reading = Reading::Behind;
                }
                match state {
                    State::Waiting(_) => State::Idle,
                    state => state,
                }
            }
            (State::InFlight(mut block), Event::LogRead(read)) => {
                self.read(read, Some(&mut block), step);
                State::InFlight(block)
            }
            (State::Conflicted(mut block, read_at), Event::LogRead(read)) => {
                self.read(read, Some(&mut block), step);
                self.settle(block, step).unwrap_or_else(|block| State::Conflicted(block, read_at))
            }
            (State::InDoubt(mut block, search), Event::LogRead(read)) => {
                self.read(read, Some(&mut block), step);
                self.settle(block, step).unwrap_or_else(|block| State::InDoubt(block, search))
            }
            (state, Event::LogRead(read)) => {
                self.read(read, None, step);
                state
            }
            (State::InFlight(block), Event::Appended { block: number, outcome })
                if block.number == number =>
            {
                self.appended(block, outcome, step)
            }
            (State::InDoubt(block, search), Event::PlaceRead { block: number, found })
                if block.number == number =>
            {
                self.place_read(block, search, &found, step)
            }
            (State::InDoubt(block, search), Event::EndTold { block: number, end })
                if block.number == number =>
            {
                self.end_told(block, search, end, step)
            }
            (State::Conflicted(block, read_at), Event::Wake) if read_at <= now => search(block, step),
            (State::InDoubt(block, mut search), Event::Wake) => {
                ask(&block, search.wake(now), step);
                State::InDoubt(block, search)
            }
            (State::Waiting(until), Event::Wake) if until <= now => State::Idle,
            // Ballots wait for their turn; it is not time yet; or an answer is about a block that is settled.
            (state, _) => state,
        }
    }

    fn read(&mut self, read: Read, block: Option<&mut InFlightBlock<R>>, step: &mut Step<R>) {
        self.judge.take_in(read.messages, block, step.actions);
        let has_all = read.read_to >= self.judge.fold.sequence() || is_on(Mutation::TrustAcknowledgedBlock);
        self.reading = match self.reading {
            Reading::Current => Reading::Current,
            Reading::Behind | Reading::Shorter(_) if has_all && read.at_end => Reading::Current,
            Reading::Behind if read.at_end => Reading::Shorter(step.now.monotonic),
            reading => reading,
        };
    }

    /// What the log answered to the block in flight.
    fn appended(&mut self, block: InFlightBlock<R>, outcome: Appended, step: &mut Step<R>) -> State<R> {
        let outcome = mutated(outcome, &block);
        match outcome {
            Appended::Stored(sequence) if sequence == block.sequence() => self.stored(block, step),
            Appended::Stored(_) | Appended::Unanswered => {
                self.settle(block, step).unwrap_or_else(|block| search(block, step))
            }
            Appended::Conflict | Appended::Sealed => {
                self.settle(block, step).unwrap_or_else(|block| wait_for_place(block, step))
            }
            Appended::Away => self.turned_away(block, step),
            Appended::Refused(why) => {
                step.actions.push(Action::Report(Report::Refused(why)));
                self.turned_away(block, step)
            }
        }
    }

    /// Settles a block whose place was read along; returns one whose place was not.
    fn settle(&mut self, block: InFlightBlock<R>, step: &mut Step<R>) -> Result<State<R>, InFlightBlock<R>> {
        match block.place {
            Some(Whose::Own) => Ok(self.stored(block, step)),
            Some(Whose::Another) => {
                step.actions.push(Action::Report(Report::Conflict));
                Ok(self.judge_again(block))
            }
            None => Err(block),
        }
    }

    fn place_read(
        &mut self,
        block: InFlightBlock<R>,
        mut search: Search,
        found: &PlaceRead,
        step: &mut Step<R>,
    ) -> State<R> {
        let now = step.now.monotonic;
        let wake_at = match found {
            PlaceRead::Message(id) if block.whose(id.as_deref()) == Whose::Own => {
                return self.stored(block, step);
            }
            // It is folded before anything is judged again.
            PlaceRead::Message(_) => return wait_for_place(block, step),
            PlaceRead::Nothing if is_on(Mutation::TakeNothingForStored) => return self.stored(block, step),
            PlaceRead::Nothing => search.nothing_there(now),
            PlaceRead::Unavailable => search.read_again(now),
        };
        step.actions.push(Action::WakeAt(wake_at));
        State::InDoubt(block, search)
    }

    fn end_told(
        &mut self,
        mut block: InFlightBlock<R>,
        mut search: Search,
        end: Option<u64>,
        step: &mut Step<R>,
    ) -> State<R> {
        match search.conclude(end, block.expected, step.now.monotonic) {
            Conclusion::NotStored => {
                // What is appended next expects the same sequence, so at most one of the two is ever stored.
                if !is_on(Mutation::ForgetDoubt) {
                    block.doubt();
                }
                self.judge_again(block)
            }
            Conclusion::AskAgainAt(moment) => {
                step.actions.push(Action::WakeAt(moment));
                State::InDoubt(block, search)
            }
            Conclusion::LogIsShorter => {
                step.actions.push(Action::Fail);
                State::InDoubt(block, search)
            }
        }
    }

    fn stored(&mut self, mut block: InFlightBlock<R>, step: &mut Step<R>) -> State<R> {
        block.answer_stored(step.actions);
        // The acknowledgement and the same block read along come in either order.
        self.judge.fold.take_block(block.sequence(), &block.block);
        State::Idle
    }

    fn turned_away(&mut self, mut block: InFlightBlock<R>, step: &mut Step<R>) -> State<R> {
        block.turn_away(step.actions);
        State::Idle
    }

    /// Those of its ballots that a voter still waits for come first in the next block.
    fn judge_again(&mut self, block: InFlightBlock<R>) -> State<R> {
        self.judge.put_back(block);
        State::Idle
    }

    /// Answers voters who have waited too long.
    fn dismiss_late(&mut self, step: &mut Step<R>) {
        let now = step.now.monotonic;
        let is_late = |since: Monotonic| now.since(since) > ANSWER_WITHIN;
        self.judge.turn_away_while(is_late, step.actions);
        if let State::InFlight(block) | State::Conflicted(block, _) | State::InDoubt(block, _) =
            &mut self.state
            && is_late(block.oldest)
            && !block.waiting.is_empty()
        {
            step.actions.push(Action::Report(Report::Unconfirmed));
            if !is_on(Mutation::TellLateVotersNothingStored) {
                block.doubt();
            }
            block.turn_away(step.actions);
        }
    }

    /// Judges what waits and appends the block of what is accepted, if it is time.
    fn begin_block(&mut self, step: &mut Step<R>) -> State<R> {
        if let Some(until) = self.pace.until(step.now.monotonic) {
            step.actions.push(Action::WakeAt(until));
            return State::Waiting(until);
        }
        let (builder, waiting) = self.judge.judge(step.actions);
        if self.judge.fold.is_sealed() {
            step.actions.push(Action::Stop);
            return State::Sealed;
        }
        if builder.is_empty() {
            return State::Idle;
        }
        self.append(builder, waiting, step)
    }

    fn append(
        &mut self,
        builder: BlockBuilder,
        waiting: Vec<(Waiting<R>, Verdict)>,
        step: &mut Step<R>,
    ) -> State<R> {
        let ballots = builder.into_ballots();
        self.pace.note(ballots.len(), step.now.monotonic);
        self.blocks += 1;
        let (number, expected) = (self.blocks, self.judge.fold.sequence());
        let id = id_of(&self.name, number);
        let block = Arc::new(BallotsCast { at: step.now.wall, round: self.round.clone(), ballots });
        let oldest = waiting.iter().map(|(waiting, _)| waiting.since).min().unwrap_or_default();
        step.actions.push(Action::Append {
            block: number,
            id: id.clone(),
            ballots: Arc::clone(&block),
            expected,
        });
        let mut block = InFlightBlock { number, id, block, expected, place: None, oldest, waiting };
        if is_on(Mutation::AnswerBeforeAcknowledgement) {
            block.answer_stored(step.actions);
        }
        State::InFlight(block)
    }
}

/// What the log answered, as some mutations understand it.
fn mutated<R>(outcome: Appended, block: &InFlightBlock<R>) -> Appended {
    match outcome {
        Appended::Conflict if is_on(Mutation::TakeConflictForStored) => Appended::Stored(block.sequence()),
        Appended::Conflict if is_on(Mutation::TurnAwayAtConflict) => Appended::Away,
        Appended::Unanswered if is_on(Mutation::TakeSilenceForStored) => Appended::Stored(block.sequence()),
        Appended::Unanswered if is_on(Mutation::TakeSilenceForRefused) => Appended::Away,
        outcome => outcome,
    }
}

/// What is stored at the place of a refused block mostly arrives in this very moment with what is read along. To ask for
/// it takes so long that the box that was first would be first again.
fn wait_for_place<R>(block: InFlightBlock<R>, step: &mut Step<R>) -> State<R> {
    let read_at = step.now.monotonic + READ_PLACE_AFTER;
    step.actions.push(Action::WakeAt(read_at));
    State::Conflicted(block, read_at)
}

/// Looks for a block where it must be if it is stored.
fn search<R>(block: InFlightBlock<R>, step: &mut Step<R>) -> State<R> {
    ask(&block, Some(Question::Place), step);
    State::InDoubt(block, Search::begin())
}

fn ask<R>(block: &InFlightBlock<R>, question: Option<Question>, step: &mut Step<R>) {
    match question {
        Some(Question::Place) => {
            step.actions.push(Action::ReadPlace { block: block.number, sequence: block.sequence() });
        }
        Some(Question::End) => step.actions.push(Action::AskEnd { block: block.number }),
        None => {}
    }
}

#[cfg(test)]
mod tests;
