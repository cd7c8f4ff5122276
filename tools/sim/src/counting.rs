//! How a tally process counts: the shipped intake and count.

use std::collections::BTreeMap;
use std::sync::Arc;

use nats::intake::ordered::{Action as Feed, Event as Fed, OrderedIntake};
use nats::intake::{InOrder, Run};
use nats::{AtPlace, Delivered, Monotonic, SayError};
use subjects::{RoundId, TallyCounted, Unreadable, VoteMessage};
use tally::announcement::NewestAnnouncement;
use tally::count::{Action, Count, Event};
use tally::rules::Totals;
use urna_mutation::{Mutation, is_on};

use crate::agenda::{MILLI, SECOND};
use crate::election::{Election, Happening};
use crate::scoreboard::{Row, Statement};
use crate::server::{
    Answer, Call, Content, Expect, Owner, Part, Publish, Refusal, Stored, StreamName, Subject,
};

/// Decoded messages of the log.
type Batch = Vec<InOrder<Totals>>;

/// A round that is counted.
pub(crate) struct Counting {
    intake: OrderedIntake<Stored, Batch>,
    pub count: Count,
    consumer: Option<u64>,
    decoding: BTreeMap<u64, Vec<Delivered<Stored>>>,
    /// Under which number the intake asks. It has another one when everything is void that was asked for, and no two counts
    /// of a process have the same.
    asks: u64,
    /// The same for the count.
    questions: u64,
    /// Whether it was told to end, and finishes the batch in hand.
    pub is_ending: bool,
}

impl Counting {
    /// The count of a round of which nothing is read yet.
    pub fn new(round: RoundId, asks: u64, questions: u64) -> Self {
        Self {
            intake: OrderedIntake::new(),
            count: Count::new(round),
            consumer: None,
            decoding: BTreeMap::new(),
            asks,
            questions,
            is_ending: false,
        }
    }
}

impl Election {
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
                self.dead_letter(self.owner(number, Part::DeadLetters(asks, batch)), message.sequence);
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
                self.pause_intake(number, until);
            }
            Feed::End(_) => {
                self.say(format_args!("process {number} counts the round no more"));
                if let Some(tally) = self.tally(number) {
                    tally.counting = None;
                }
                self.share_goes_on(number);
            }
        }
    }

    /// Everything that the intake has asked for is void.
    fn pause_intake(&mut self, number: usize, until: Monotonic) {
        let (moment, asks) = (self.moment_of(number, until), self.next_id());
        let Some(counting) = self.counting(number) else { return };
        counting.asks = asks;
        counting.consumer = None;
        counting.decoding.clear();
        self.agenda.plan(moment.max(self.now + 1), Happening::Wake(self.owner(number, Part::Intake(asks))));
    }

    fn dead_letter(&mut self, owner: Owner, sequence: u64) {
        let publish = Publish {
            stream: StreamName::Dead,
            subject: Subject::Dead,
            id: format!("dead-{sequence}"),
            content: Content::Garbage,
            expect: Expect::Nothing,
        };
        self.call(owner, Call::Publish(publish));
    }

    /// Whether what was asked for is not void.
    pub fn is_asked(&mut self, number: usize, asks: u64) -> bool {
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
        let questions = self.next_id();
        if let Some(counting) = self.counting(number) {
            // What was asked before is given up.
            counting.questions = questions;
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

    pub fn count_answered(&mut self, number: usize, questions: u64, statement: &Statement, row: Row) {
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
        questions: u64,
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

    fn count_is_answered(&mut self, number: usize, questions: u64, event: Event) {
        if self.counting(number).is_some_and(|counting| counting.questions == questions) {
            self.count_happens(number, event);
        }
    }

    /// Announced counts are those of the log up to their sequence. An announcement that was on its way when an operator
    /// repaired the counts still has those of before; the next one has the repaired ones.
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
        let committed = self.scores.committed().generation;
        let was_on_its_way = i64::try_from(counts.generation).is_ok_and(|generation| generation < committed);
        if !is_true && !self.is_log_rolled_back && !was_on_its_way {
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

/// The newest announcement, if the server has answered.
pub(crate) fn newest(answer: Answer) -> Option<NewestAnnouncement> {
    match answer {
        Answer::Message(Some(Stored { sequence, content: Content::Counts(counts), .. })) => {
            Some(NewestAnnouncement { sequence, counts: Some((*counts).clone()) })
        }
        Answer::Message(_) => Some(NewestAnnouncement::default()),
        _ => None,
    }
}
