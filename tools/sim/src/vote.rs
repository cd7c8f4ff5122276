//! A vote process: the shipped ballot box and queue, with a shell that is the simulator's.

use std::sync::Arc;
use std::time::Duration;

use nats::StartAt;
use nats::ordered_reader::Event as ReaderEvent;
use subjects::{MessageId, RoundChanged, RoundState, Unreadable, VoteMessage};
use urna_mutation::{Mutation, is_on};
use vote::ballot_box::WAKE_EVERY;
use vote::event::{Action, Appended, Event, Logged, PlaceRead, Read};
use vote::queue::{Queue, TurnedAway};
use vote::rules::{Refusal as BallotRefusal, takes_ballots};
use vote::{BallotBox, NotAccepted, Waiting};

use crate::agenda::Moment;
use crate::election::{Election, Happening};
use crate::process::Kind;
use crate::readers::Along;
use crate::server::{
    Answer, Call, Content, Expect, Owner, Part, Publish, Refusal, Stored, StreamName, Subject,
};

/// What a voter's answer is sent with: the number of the request.
type Reply = usize;

/// A vote process.
#[derive(Debug)]
pub(crate) struct VoteProcess {
    pub ballot_box: BallotBox<Reply>,
    pub queue: Queue<Reply>,
    pub reader: Along,
    pub rounds: Along,
    /// The round as it knows it.
    pub round: Option<Arc<RoundChanged>>,
    /// The last sequence that was read along.
    read_to: u64,
    /// Whether it has opened a box.
    is_open: bool,
    /// Whether the seal is in the log and the box has nothing left to do.
    pub is_stopped: bool,
    /// Whether the log went back to an older state since it was started.
    pub is_behind_a_rollback: bool,
    /// When it last had to turn voters away.
    pub trouble_at: Option<Moment>,
    /// When it last appended a block.
    pub appended_at: Option<Moment>,
}

impl VoteProcess {
    /// Whether it has nothing left to do: its box has read the seal, or it never opened one.
    pub fn is_at_rest(&self) -> bool {
        let is_closed = self.round.as_ref().is_some_and(|changed| changed.round.state == RoundState::Closed);
        is_closed && (self.is_stopped || !self.is_open)
    }
}

impl Election {
    pub fn start_vote(&mut self, number: usize) {
        let life = self.processes[number].life;
        let name = MessageId::named(format!("box-{number}-{life}"));
        let vote = VoteProcess {
            ballot_box: BallotBox::new(self.round.clone(), self.plan.allow_changes, name),
            queue: Queue::new(self.plan.waiting_max),
            reader: Along::new(StreamName::Votes, StartAt::Sequence(1)),
            rounds: Along::new(StreamName::Rounds, StartAt::NewestPerSubject),
            round: None,
            read_to: 0,
            is_open: false,
            is_stopped: false,
            is_behind_a_rollback: false,
            trouble_at: None,
            appended_at: None,
        };
        self.processes[number].kind = Kind::Vote(Box::new(vote));
        let owner = Owner { process: number, life, part: Part::RoundsReader };
        self.reader_happens(owner, ReaderEvent::Wake);
    }

    /// A vote process hears of the round: it opens a box for an open one.
    pub fn vote_hears(&mut self, number: usize, changed: Arc<RoundChanged>) {
        let life = self.processes[number].life;
        let Some(vote) = self.vote(number) else { return };
        let opens = !vote.is_open && changed.round.state == RoundState::Open;
        vote.is_open |= opens;
        vote.round = Some(changed);
        if opens {
            let owner = Owner { process: number, life, part: Part::BoxReader };
            self.reader_happens(owner, ReaderEvent::Wake);
            self.after(micros(WAKE_EVERY), Happening::Interval(number, life));
        }
    }

    /// The vote process of this number, if it is up.
    pub fn vote(&mut self, number: usize) -> Option<&mut VoteProcess> {
        match &mut self.processes[number].kind {
            Kind::Vote(vote) => Some(vote),
            _ => None,
        }
    }

    pub fn interval(&mut self, number: usize, life: u32) {
        let process = &self.processes[number];
        if process.life != life || matches!(process.kind, Kind::Down) {
            return;
        }
        if let Some(resumes_at) = self.paused_until(number) {
            return self.agenda.plan(resumes_at, Happening::Interval(number, life));
        }
        self.box_happens(number, Event::Wake);
        let since = self.now.saturating_sub(micros(vote::ballot_box::ANSWER_WITHIN) + 1);
        self.check_answered(number, since);
        if self.vote(number).is_some_and(|vote| !vote.is_stopped) {
            self.after(micros(WAKE_EVERY), Happening::Interval(number, life));
        }
    }

    pub fn look(&mut self, number: usize, life: u32) {
        let process = &self.processes[number];
        if process.life != life || matches!(process.kind, Kind::Down) {
            return;
        }
        if let Some(resumes_at) = self.paused_until(number) {
            return self.agenda.plan(resumes_at, Happening::Look(number, life));
        }
        self.box_happens(number, Event::BallotsWait);
    }

    /// A ballot reaches a vote process.
    pub fn cast(&mut self, number: usize, request: usize) {
        let since = self.clocks(number).monotonic;
        let (is_connected, life) = (self.processes[number].is_connected, self.processes[number].life);
        let now = self.now;
        let ballot = self.voters.requests[request].ballot.clone();
        self.voters.requests[request].is_at(life, self.now);
        let now_there = self.clocks(number).wall;
        let Some(vote) = self.vote(number) else { return };
        let takes_ballots = match &vote.round {
            Some(changed) => takes_ballots(&changed.round, now_there),
            None => Err(BallotRefusal::NotYetOpen),
        };
        if let Err(refusal) = takes_ballots {
            return self.answer(number, request, Err(NotAccepted::Refused(refusal)));
        }
        if !is_connected {
            vote.trouble_at = Some(now);
            return self.answer(number, request, Err(NotAccepted::LogAway));
        }
        match vote.queue.push(Waiting::new(ballot, since, request)) {
            Ok(true) => {
                // The call goes through the box's mailbox.
                let on_its_way = self.random.between(1, 100);
                self.after(on_its_way, Happening::Look(number, life));
            }
            Ok(false) => {}
            Err(TurnedAway { reply, why, .. }) => self.answer(number, reply, Err(why)),
        }
    }

    /// Hands an event to the box, with all ballots that wait, and carries out what it decides.
    pub fn box_happens(&mut self, number: usize, event: Event) {
        let now = self.clocks(number);
        let mut event = Some(event);
        while let Some(happened) = event.take() {
            let Some(vote) = self.vote(number) else { return };
            let mut actions = Vec::new();
            vote.ballot_box.hand_in(vote.queue.take());
            vote.ballot_box.on(happened, now, &mut actions);
            vote.queue.note_held(vote.ballot_box.waiting());
            let life = self.processes[number].life;
            for action in actions {
                if self.vote(number).is_some() && self.processes[number].life == life {
                    self.box_acts(number, action);
                }
            }
            if let Some(vote) = self.vote(number)
                && vote.ballot_box.is_idle()
                && !vote.queue.rest()
            {
                event = Some(Event::BallotsWait);
            }
        }
    }

    fn box_acts(&mut self, number: usize, action: Action<Reply>) {
        let life = self.processes[number].life;
        let owner = |block| Owner { process: number, life, part: Part::Box(block) };
        match action {
            Action::Answer { reply, answer, .. } => self.answer(number, reply, answer),
            Action::Append { block, id, ballots, expected } => {
                self.say(format_args!(
                    "box {number} appends {} of {} ballots behind {expected}",
                    id.as_str(),
                    ballots.ballots.len()
                ));
                let publish = Publish {
                    stream: StreamName::Votes,
                    subject: Subject::Cast,
                    id: id.as_str().to_owned(),
                    content: Content::Block(ballots),
                    expect: if is_on(Mutation::AppendWithoutExpectation) {
                        Expect::Nothing
                    } else {
                        Expect::LastOfStream(expected)
                    },
                };
                let now = self.now;
                if let Some(vote) = self.vote(number) {
                    vote.appended_at = Some(now);
                }
                self.call(owner(block), Call::Publish(publish));
            }
            Action::ReadPlace { block, sequence } => {
                self.call(owner(block), Call::MessageAt(StreamName::Votes, sequence));
            }
            Action::AskEnd { block } => self.call(owner(block), Call::LastSequence(StreamName::Votes)),
            Action::WakeAt(moment) => {
                let moment = self.moment_of(number, moment);
                self.agenda.plan(moment, Happening::Wake(owner(0)));
            }
            Action::Report(report) => self.say(format_args!("box {number} reports {report:?}")),
            Action::Stop => self.stop_box(number),
            Action::Fail => {
                self.say(format_args!("box {number} fails: the log has lost messages"));
                if !self.vote(number).is_some_and(|vote| vote.is_behind_a_rollback) {
                    self.violate(format_args!("box {number} fails, though the log has lost nothing"));
                }
                let pause = self.restart_pause();
                self.die(number, pause);
            }
        }
    }

    fn stop_box(&mut self, number: usize) {
        self.say(format_args!("box {number} has read the seal"));
        let Some(vote) = self.vote(number) else { return };
        vote.is_stopped = true;
        vote.ballot_box.hand_in(vote.queue.close());
        self.box_happens(number, Event::BallotsWait);
    }

    /// The answer to a call of a box.
    pub fn box_is_answered(&mut self, number: usize, block: u64, call: &Call, answer: Answer) {
        let is_stored = matches!(answer, Answer::Published(_));
        let is_cluster = self.plan.is_cluster;
        let event = match (call, answer) {
            (Call::Publish(_), answer) => {
                let outcome = match answer {
                    Answer::Published(sequence) => Appended::Stored(sequence),
                    Answer::Refused(Refusal::Conflict) => Appended::Conflict,
                    Answer::Refused(Refusal::Sealed) => Appended::Sealed,
                    // Of its own disk: those of the others may have taken it.
                    Answer::Refused(Refusal::Full) if is_cluster => Appended::Unanswered,
                    Answer::Refused(Refusal::Full) => Appended::Refused("the disk is full".to_owned()),
                    Answer::Away => Appended::Away,
                    _ => Appended::Unanswered,
                };
                let now = self.now;
                if matches!(outcome, Appended::Away | Appended::Refused(_))
                    && let Some(vote) = self.vote(number)
                {
                    vote.trouble_at = Some(now);
                }
                self.say(format_args!("box {number} hears of block {block}: {outcome:?}"));
                Event::Appended { block, outcome }
            }
            (Call::LastSequence(_), Answer::Sequence(end)) => Event::EndTold { block, end: Some(end) },
            (Call::LastSequence(_), _) => Event::EndTold { block, end: None },
            (_, Answer::Message(None)) => Event::PlaceRead { block, found: PlaceRead::Nothing },
            (_, Answer::Message(Some(stored))) => {
                Event::PlaceRead { block, found: PlaceRead::Message(Some(stored.id)) }
            }
            _ => Event::PlaceRead { block, found: PlaceRead::Unavailable },
        };
        self.box_happens(number, event);
        if is_stored {
            self.acknowledged();
        }
    }

    /// Messages of the log that were read along reach the box.
    pub fn box_reads(&mut self, number: usize, messages: Vec<Stored>, at_end: bool) {
        let own = format!("box-{number}-{}-", self.processes[number].life);
        let Some(vote) = self.vote(number) else { return };
        vote.read_to = messages.last().map_or(vote.read_to, |stored| stored.sequence);
        let (read_to, folded) = (vote.read_to, vote.ballot_box.sequence());
        // As in the product, the box's own blocks are passed over once it has folded them.
        let is_folded = |stored: &Stored| stored.sequence <= folded && stored.id.starts_with(&own);
        let messages: Vec<Logged> =
            messages.into_iter().filter(|stored| !is_folded(stored)).map(logged).collect();
        if messages.is_empty() && vote.ballot_box.is_caught_up() {
            return;
        }
        self.box_happens(number, Event::LogRead(Read { messages, read_to, at_end }));
    }

    /// What reads the log along for a box is interrupted.
    pub fn box_reading_is_interrupted(&mut self, number: usize) {
        self.box_happens(number, Event::ReadingInterrupted);
    }
}

fn logged(stored: Stored) -> Logged {
    let message = match stored.content {
        Content::Block(block) => Ok(VoteMessage::Cast((*block).clone())),
        Content::Seal(seal) => Ok(VoteMessage::Sealed(seal)),
        _ => Err(Unreadable::because("garbage")),
    };
    Logged { sequence: stored.sequence, id: Some(stored.id), message }
}

pub(crate) fn micros(duration: Duration) -> Moment {
    u64::try_from(duration.as_micros()).unwrap_or(Moment::MAX / 2)
}
