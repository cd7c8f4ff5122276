//! A tally process: the shipped count, share and intake, with a shell that is the simulator's.

use std::collections::BTreeMap;
use std::sync::Arc;

use nats::intake::ordered::{Action as Feed, Event as Fed, OrderedIntake};
use nats::intake::{InOrder, Run};
use nats::{AtPlace, Delivered, Monotonic, SayError, StartAt};
use subjects::{RoundChanged, RoundState, TallyCounted, Unreadable, VoteMessage};
use tally::announcement::{NewestAnnouncement, is_done};
use tally::count::{Action, Count, Event};
use tally::rules::{Scoreboard, Totals};
use tally::share::{Action as Do, Event as Seen, Rounds, Share};
use urna_mutation::{Mutation, is_on};

use crate::agenda::{MILLI, SECOND};
use crate::election::{Election, Happening};
use crate::process::Kind;
use crate::readers::Along;
use crate::scoreboard::{Row, Statement};
use crate::server::{
    Answer, Call, Content, Expect, Owner, Part, Publish, Refusal, Stored, StreamName, Subject,
};

/// Decoded messages of the log.
type Batch = Vec<InOrder<Totals>>;

/// A tally process.
pub(crate) struct TallyProcess {
    pub rounds: Along,
    pub round: Option<Arc<RoundChanged>>,
    share: Share,
    /// Until when the share waits for news.
    waits_until: Option<Monotonic>,
    counting: Option<Counting>,
    /// What a check has read, before it asks for the announcement.
    checking: Option<Scoreboard>,
    /// Whether the count of the round has ended by itself.
    has_ended: bool,
    pub is_done: bool,
}

/// A round that is counted.
struct Counting {
    intake: OrderedIntake<Stored, Batch>,
    count: Count,
    consumer: Option<u64>,
    decoding: BTreeMap<u64, Vec<Delivered<Stored>>>,
    /// Counts up when everything that was asked for is void.
    asks: u32,
    /// The same for the count.
    questions: u32,
}

impl Election {
    pub fn start_tally(&mut self, number: usize) {
        let life = self.processes[number].life;
        let tally = TallyProcess {
            rounds: Along::new(StreamName::Rounds, StartAt::NewestPerSubject),
            round: None,
            share: Share::default(),
            waits_until: None,
            counting: None,
            checking: None,
            has_ended: false,
            is_done: false,
        };
        self.processes[number].kind = Kind::Tally(Box::new(tally));
        let owner = Owner { process: number, life, part: Part::RoundsReader };
        self.reader_happens(owner, nats::ordered_reader::Event::Wake);
        self.see(number);
    }

    pub fn tally(&mut self, number: usize) -> Option<&mut TallyProcess> {
        match &mut self.processes[number].kind {
            Kind::Tally(tally) => Some(tally),
            _ => None,
        }
    }

    fn owner(&self, number: usize, part: Part) -> Owner {
        Owner { process: number, life: self.processes[number].life, part }
    }

    /// The share is told what is to be seen.
    fn see(&mut self, number: usize) {
        let (connected, id) = (self.processes[number].is_connected, self.round.clone());
        let Some(tally) = self.tally(number) else { return };
        tally.waits_until = None;
        let mut rounds = Rounds::default();
        match tally.round.as_ref().map(|changed| changed.round.state) {
            Some(RoundState::Open) => rounds.open.push(id.clone()),
            Some(RoundState::Closed) => rounds.closed.push(id.clone()),
            Some(RoundState::Draft) | None => {}
        }
        let ended = if std::mem::take(&mut tally.has_ended) { vec![id] } else { Vec::new() };
        self.share_happens(number, Seen::Seen { connected, rounds, ended });
    }

    /// There is news of the round.
    pub fn tally_hears(&mut self, number: usize) {
        if self.tally(number).is_some_and(|tally| tally.waits_until.is_some()) {
            self.see(number);
        }
    }

    pub fn share_happens(&mut self, number: usize, event: Seen) {
        let now = self.clocks(number);
        let owner = self.owner(number, Part::Share);
        let Some(tally) = self.tally(number) else { return };
        for action in tally.share.on(event, now) {
            match action {
                Do::OpenSession => self.ask_scores(owner, Statement::OpenSession),
                Do::LookForReplaced => self.ask_scores(owner, Statement::Replaced),
                Do::TakeLocks(rounds) => {
                    self.ask_scores(owner, Statement::TakeLock { is_wanted: !rounds.is_empty() });
                }
                Do::Check(_) => self.ask_scores(owner, Statement::Read),
                Do::Look => self.after(1, Happening::Wake(owner)),
                Do::Wait(until) => {
                    let moment = self.moment_of(number, until);
                    if let Some(tally) = self.tally(number) {
                        tally.waits_until = Some(until);
                    }
                    self.agenda.plan(moment.max(self.now + 1), Happening::Wake(owner));
                }
                Do::BeginCount(_) => self.begin_count(number),
                Do::EndCount(_) => self.end_count(number),
                Do::DeleteDurable(_) => {
                    if let Some(tally) = self.tally(number) {
                        tally.is_done = true;
                    }
                    self.call(self.owner(number, Part::Nobody), Call::DeleteDurable);
                }
                Do::ReleaseLock(_) => self.scores.release(number),
                Do::LetGo => {
                    self.end_count(number);
                    self.scores.end_session(number);
                }
            }
        }
    }

    /// A moment that the share waits for has come.
    pub fn share_wakes(&mut self, number: usize) {
        let now = self.clocks(number).monotonic;
        let Some(tally) = self.tally(number) else { return };
        if tally.waits_until.is_none_or(|until| until <= now) {
            self.see(number);
        }
    }

    pub fn scores_answer(&mut self, owner: Owner, statement: &Statement, row: Row) {
        let number = owner.process;
        match (owner.part, statement, row) {
            (Part::Count(questions), statement, row) => {
                self.count_answered(number, questions, statement, row)
            }
            (_, Statement::Replaced, Row::Replaced(times)) => {
                let replaced = if times > 0 { vec![(self.round.clone(), times)] } else { Vec::new() };
                self.share_happens(number, Seen::ReplacedFound(replaced));
            }
            (_, Statement::Replaced, _) => self.share_happens(number, Seen::ReplacedFound(Vec::new())),
            (_, Statement::OpenSession, Row::Opened) => self.share_happens(number, Seen::SessionOpened),
            (_, Statement::TakeLock { .. }, Row::Locked(is_held)) => {
                let held = if is_held { vec![self.round.clone()] } else { Vec::new() };
                self.share_happens(number, Seen::LocksHeld(held));
            }
            (_, Statement::Read, Row::Counts(counts)) if !counts.is_final => {
                self.share_happens(number, Seen::Checked { is_done: false });
            }
            (_, Statement::Read, Row::Counts(counts)) => {
                if let Some(tally) = self.tally(number) {
                    tally.checking = Some(*counts);
                }
                self.call(owner, Call::NewestOf(StreamName::Tallies, Subject::Counted));
            }
            _ => self.share_happens(number, Seen::SessionLost),
        }
    }

    /// The newest announcement is read, to check whether a closed round is done.
    pub fn check_answered_by_server(&mut self, number: usize, answer: Answer) {
        let round = self.round.clone();
        let Some(tally) = self.tally(number) else { return };
        let newest = newest(answer).and_then(|newest| newest.counts);
        let is_done = tally.checking.take().is_some_and(|counts| is_done(&round, &counts, newest.as_ref()));
        self.share_happens(number, Seen::Checked { is_done });
    }

    fn begin_count(&mut self, number: usize) {
        self.say(format_args!("process {number} counts the round"));
        let round = self.round.clone();
        let Some(tally) = self.tally(number) else { return };
        tally.is_done = false;
        tally.counting = Some(Counting {
            intake: OrderedIntake::new(),
            count: Count::new(round),
            consumer: None,
            decoding: BTreeMap::new(),
            asks: 0,
            questions: 0,
        });
        self.intake_happens(number, Fed::Wake);
    }

    fn end_count(&mut self, number: usize) {
        self.intake_happens(number, Fed::Stop);
    }

    /// Something happens to the intake.
    pub fn intake_happens(&mut self, number: usize, event: Fed<Stored, Batch>) {
        let now = self.clocks(number);
        let Some(counting) = self.tally(number).and_then(|tally| tally.counting.as_mut()) else { return };
        for action in counting.intake.on(event, now) {
            self.feed(number, action);
        }
    }

    fn counting(&mut self, number: usize) -> Option<&mut Counting> {
        self.tally(number)?.counting.as_mut()
    }

    fn feed(&mut self, number: usize, action: Feed<Stored, Batch>) {
        let Some(counting) = self.counting(number) else { return };
        let (asks, consumer) = (counting.asks, counting.consumer);
        let owner = self.owner(number, Part::Intake(asks));
        match action {
            Feed::AskPosition => self.ask_position(number),
            Feed::AskEnd => self.call(owner, Call::LastSequence(StreamName::Votes)),
            Feed::ReadPlace(sequence) => self.call(owner, Call::MessageAt(StreamName::Votes, sequence)),
            Feed::Open { next } => self.call(owner, Call::OpenDurable(next)),
            Feed::Read => match consumer.and_then(|number| self.server.consumers.get_mut(&number)) {
                Some(consumer) => {
                    consumer.is_asked = true;
                    self.send_ready(StreamName::Votes);
                }
                None => self.after(4 * SECOND, Happening::ConsumerGone(owner, consumer.unwrap_or(0))),
            },
            Feed::Decode { number: batch, messages } => {
                if let Some(counting) = self.counting(number) {
                    counting.decoding.insert(batch, messages);
                }
                let takes = self.random.between(50, 2 * MILLI);
                self.after(takes, Happening::Wake(self.owner(number, Part::Decoder(asks, batch))));
            }
            Feed::DeadLetter { number: batch, message, .. } => {
                let publish = Publish {
                    stream: StreamName::Dead,
                    subject: Subject::Dead,
                    id: format!("dead-{}", message.sequence),
                    content: Content::Garbage,
                    expect: Expect::Nothing,
                };
                self.call(self.owner(number, Part::DeadLetters(asks, batch)), Call::Publish(publish));
            }
            Feed::HandOver { batch, behind } => {
                self.count_happens(number, Event::BatchArrived(Run { messages: batch, behind }));
            }
            Feed::Acknowledge(_) => {}
            Feed::WakeAt(moment) => {
                let moment = self.moment_of(number, moment);
                self.agenda.plan(moment.max(self.now + 1), Happening::Wake(owner));
            }
            Feed::Pause { until, because } => {
                self.say(format_args!("process {number} pauses its intake: {because}"));
                let moment = self.moment_of(number, until);
                let Some(counting) = self.counting(number) else { return };
                counting.asks += 1;
                counting.consumer = None;
                counting.decoding.clear();
                let owner = Owner { part: Part::Intake(counting.asks), ..owner };
                self.agenda.plan(moment.max(self.now + 1), Happening::Wake(owner));
            }
            Feed::End(_) => {
                self.say(format_args!("process {number} counts the round no more"));
                if let Some(tally) = self.tally(number) {
                    tally.counting = None;
                    tally.has_ended = true;
                }
            }
        }
    }

    /// Whether what was asked for is not void.
    pub fn is_asked(&mut self, number: usize, asks: u32) -> bool {
        self.counting(number).is_some_and(|counting| counting.asks == asks)
    }

    pub fn intake_is_answered(&mut self, number: usize, answer: Answer) {
        let event = match answer {
            Answer::Sequence(end) => Fed::EndTold(end),
            Answer::Message(None) => Fed::PlaceTold(AtPlace::Nothing),
            Answer::Message(Some(stored)) => {
                Fed::PlaceTold(AtPlace::Message { stored_at: Some(stored.stored_at) })
            }
            Answer::Opened(consumer, _) => {
                if let Some(counting) = self.counting(number) {
                    counting.consumer = Some(consumer);
                }
                Fed::Opened
            }
            _ => Fed::Failed("no answer".to_owned()),
        };
        self.intake_happens(number, event);
    }

    pub fn dead_letter_is_answered(&mut self, number: usize, batch: u64, answer: Answer) {
        let event = match answer {
            Answer::Published(_) => Fed::DeadLettered(batch),
            _ => Fed::Failed("failed to dead-letter".to_owned()),
        };
        self.intake_happens(number, event);
    }

    /// Messages of the tally's consumer arrive.
    pub fn intake_is_delivered(&mut self, owner: Owner, consumer: u64, messages: Vec<Delivered<Stored>>) {
        let Some(counting) = self.counting(owner.process) else { return };
        if counting.consumer == Some(consumer) {
            self.intake_happens(owner.process, Fed::Delivered(messages));
        }
    }

    /// The tally's consumer is gone.
    pub fn intake_has_no_consumer(&mut self, number: usize, consumer: u64) {
        if self.counting(number).is_some_and(|counting| counting.consumer == Some(consumer)) {
            self.intake_happens(number, Fed::Failed("no heartbeat".to_owned()));
        }
    }

    /// A batch is decoded.
    pub fn decoded(&mut self, number: usize, batch: u64) {
        let Some(messages) = self.counting(number).and_then(|it| it.decoding.remove(&batch)) else { return };
        let (mut decoded, mut undecodable) = (Vec::with_capacity(messages.len()), Vec::new());
        for Delivered { sequence, stored_at, message, .. } in messages {
            let totals = match &message.content {
                Content::Block(block) => Ok(Totals::of(&VoteMessage::Cast((**block).clone()))),
                Content::Seal(seal) => Ok(Totals::of(&VoteMessage::Sealed(seal.clone()))),
                _ => Err(Unreadable::because("garbage")),
            };
            if totals.is_err() {
                undecodable.push((message, "garbage".to_owned()));
            }
            decoded.push(InOrder { sequence, trace: None, stored_at, message: totals });
        }
        self.intake_happens(number, Fed::Decoded { number: batch, batch: decoded, undecodable });
    }

    fn ask_position(&mut self, number: usize) {
        if let Some(counting) = self.counting(number) {
            // What was asked before is given up.
            counting.questions += 1;
        }
        self.count_happens(number, Event::PositionAsked);
    }

    fn count_happens(&mut self, number: usize, event: Event) {
        let now = self.clocks(number);
        let Some(counting) = self.counting(number) else { return };
        let actions = counting.count.on(event, now);
        let part = Part::Count(counting.questions);
        let owner = self.owner(number, part);
        for action in actions {
            match action {
                Action::ReadAnnouncement => {
                    self.call(owner, Call::NewestOf(StreamName::Tallies, Subject::Counted));
                }
                Action::ReadScoreboard => self.ask_scores(owner, Statement::Read),
                Action::Commit { from, to } => self.ask_scores(owner, Statement::Commit { from, to }),
                Action::Announce { counts, expected, .. } => self.announce(owner, *counts, expected),
                Action::AnswerPosition(position) => self.intake_happens(number, Fed::Position(position)),
                Action::Acknowledge => self.intake_happens(number, Fed::Done),
                Action::Retry(why) => self.intake_happens(number, Fed::Failed(why)),
            }
        }
    }

    fn announce(&mut self, owner: Owner, counts: TallyCounted, expected: u64) {
        let publish = Publish {
            stream: StreamName::Tallies,
            subject: Subject::Counted,
            id: format!("counts-{}-{}", owner.process, self.next_id()),
            content: Content::Counts(Arc::new(counts)),
            expect: if is_on(Mutation::AnnounceWithoutExpectation) {
                Expect::Nothing
            } else {
                Expect::LastOfSubject(expected)
            },
        };
        self.call(owner, Call::Publish(publish));
    }

    fn count_answered(&mut self, number: usize, questions: u32, statement: &Statement, row: Row) {
        let event = match (statement, row) {
            (Statement::Read, Row::Counts(counts)) => Event::ScoreboardRead(*counts),
            (Statement::Read, _) => Event::ReadFailed("Postgres is away".to_owned()),
            (_, Row::Committed) => Event::Committed,
            (_, Row::Moved) => Event::CursorMoved,
            _ => Event::CommitUnanswered("Postgres is away".to_owned()),
        };
        self.count_is_answered(number, questions, event);
    }

    pub fn count_is_answered_by_server(
        &mut self,
        number: usize,
        questions: u32,
        call: &Call,
        answer: Answer,
    ) {
        let event = match (call, answer) {
            (Call::Publish(_), Answer::Published(sequence)) => Event::Announced(sequence),
            (Call::Publish(_), Answer::Refused(Refusal::Conflict)) => Event::NotAnnounced(SayError::Conflict),
            (Call::Publish(_), Answer::Away) => Event::NotAnnounced(SayError::Away),
            (Call::Publish(_), _) => Event::NotAnnounced(SayError::Unanswered),
            (_, answer) => match newest(answer) {
                Some(newest) => Event::AnnouncementRead(newest),
                None => Event::ReadFailed("NATS is away".to_owned()),
            },
        };
        self.count_is_answered(number, questions, event);
    }

    fn count_is_answered(&mut self, number: usize, questions: u32, event: Event) {
        if self.counting(number).is_some_and(|counting| counting.questions == questions) {
            self.count_happens(number, event);
        }
    }

    /// Announced counts are those of the log up to their sequence.
    pub fn check_announced(&mut self, counts: &TallyCounted) {
        let Some(prefix) = self.books.prefix(counts.sequence) else { return };
        let mut votes = counts.counts.clone();
        votes.retain(|_, votes| *votes != 0);
        let mut truth = prefix.votes.clone();
        truth.retain(|_, votes| *votes > 0);
        let is_true = votes.len() == truth.len()
            && votes.iter().zip(&truth).all(|(one, other)| one.0 == other.0 && *one.1 as i64 == *other.1)
            && counts.ledger == prefix.ledger
            && counts.is_final == prefix.is_final;
        if !is_true && !self.is_log_rolled_back {
            let prefix = prefix.clone();
            self.violate(format_args!("announced are {counts:?}, but the log has {prefix:?}"));
        }
    }

    /// The connection of a tally is lost.
    pub fn lose_intake(&mut self, number: usize) {
        if self.counting(number).is_some_and(|counting| counting.consumer.is_some()) {
            self.intake_happens(number, Fed::Failed("the connection is lost".to_owned()));
        }
    }
}

impl TallyProcess {
    /// What it is doing, for people.
    pub fn words(&self) -> String {
        let count = self.counting.as_ref().map(|counting| &counting.count);
        format!("{:?}, {count:?}", self.share)
    }
}

/// The newest announcement, if the server has answered.
fn newest(answer: Answer) -> Option<NewestAnnouncement> {
    match answer {
        Answer::Message(Some(Stored { sequence, content: Content::Counts(counts), .. })) => {
            Some(NewestAnnouncement { sequence, counts: Some((*counts).clone()) })
        }
        Answer::Message(_) => Some(NewestAnnouncement::default()),
        _ => None,
    }
}
