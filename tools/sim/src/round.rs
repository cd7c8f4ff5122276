//! A round process: the shipped life of a round, with a shell that is the simulator's.

use std::sync::Arc;

use nats::StartAt;
use nats::ordered_reader::Event as Reading;
use round::Entry;
use round::lifecycle::{Action, Event, Lifecycle, LogState};
use round::writing::{Answer as Written, Step, Stored as Version};
use subjects::{Change, MessageId, Method, OptionId, Round, RoundChanged, RoundOption, RoundState};

use crate::agenda::MILLI;
use crate::election::{BEGIN, Election, Happening, timestamp};
use crate::process::Kind;
use crate::readers::Along;
use crate::server::{
    Answer, Call, Content, Expect, Owner, Part, Publish, Refusal, Stored, StreamName, Subject,
};
use crate::voters::OPTIONS;

/// A round process.
pub(crate) struct RoundProcess {
    pub lifecycle: Lifecycle,
    pub rounds: Along,
    pub tallies: Along,
    /// The newest version that was read, and its sequence.
    newest: Option<(u64, Arc<RoundChanged>)>,
    /// The version that the life was told last.
    told: u64,
    /// Whether the counts are final, and whether the life was told so.
    pub is_counted: bool,
    is_told_counted: bool,
    /// What was asked for and is not answered yet.
    asked: Option<Asked>,
}

/// What a life asks for.
#[derive(Clone, Debug)]
enum Asked {
    Step(Step, Option<MessageId>),
    LookAtLog,
    WriteSeal,
    DestroyKey,
    SealLog,
}

impl Election {
    /// The round, as a draft whose time is to come.
    pub fn make_round(&mut self) {
        let options = OPTIONS.map(|id| RoundOption::new(OptionId::parse(id).expect("a slug"), id));
        let at = |micros: u64| Some(timestamp(BEGIN + i64::try_from(micros / MILLI).unwrap_or(0)));
        let round = Round {
            title: "Cats or dogs?".into(),
            options: options.into(),
            state: RoundState::Draft,
            opens_at: at(self.plan.opens_at),
            closes_at: if self.plan.closes_by_clock { at(self.plan.closes_at) } else { None },
            allow_changes: self.plan.allow_changes,
            method: if self.plan.is_approval { Method::Approval } else { Method::Plurality },
            ..Round::blank(self.round.clone())
        };
        self.publish_round(Change::Created, round);
    }

    fn publish_round(&mut self, change: Change, round: Round) {
        let changed = RoundChanged { at: timestamp(BEGIN), change, round };
        let id = format!("round-by-hand-{}", self.next_id());
        self.store(Publish {
            stream: StreamName::Rounds,
            subject: Subject::Round,
            id,
            content: Content::Round(Arc::new(changed)),
            expect: Expect::Nothing,
        });
    }

    /// An organiser closes the round.
    pub fn close_round(&mut self) {
        let newest = self.server.stream(StreamName::Rounds).newest_of(Subject::Round);
        let Some(Content::Round(changed)) = newest.map(|stored| &stored.content) else { return };
        let round = changed.round.clone();
        let is_stuck = self.plan.closes_by_clock && !self.is_calm;
        if round.state == RoundState::Closed || is_stuck {
            return;
        }
        if round.state == RoundState::Open && !self.server.is_down && self.server.proposed.is_none() {
            self.publish_round(Change::Closed, Round { state: RoundState::Closed, ..round });
        } else {
            self.after(100 * MILLI, Happening::Close);
        }
    }

    pub fn start_round(&mut self, number: usize) {
        let life = self.processes[number].life;
        let round = RoundProcess {
            lifecycle: Lifecycle::new(self.round.clone()),
            rounds: Along::new(StreamName::Rounds, StartAt::NewestPerSubject),
            tallies: Along::new(StreamName::Tallies, StartAt::NewestPerSubject),
            newest: None,
            told: 0,
            is_counted: false,
            is_told_counted: false,
            asked: None,
        };
        self.processes[number].kind = Kind::Round(Box::new(round));
        for part in [Part::RoundsReader, Part::TalliesReader] {
            self.reader_happens(Owner { process: number, life, part }, Reading::Wake);
        }
    }

    fn life(&mut self, number: usize) -> Option<&mut RoundProcess> {
        match &mut self.processes[number].kind {
            Kind::Round(round) => Some(round),
            _ => None,
        }
    }

    /// Versions of the round were read, by who follows them.
    pub fn rounds_are_read(&mut self, number: usize, messages: &[Stored]) {
        for stored in messages {
            let Content::Round(changed) = &stored.content else { continue };
            match &mut self.processes[number].kind {
                Kind::Round(round) => round.newest = Some((stored.sequence, Arc::clone(changed))),
                Kind::Tally(tally) => tally.round = Some(Arc::clone(changed)),
                Kind::Vote(_) => self.vote_hears(number, Arc::clone(changed)),
                _ => {}
            }
        }
        self.round_hears(number);
        self.tally_hears(number);
    }

    /// Tells a life what is new, unless it waits for an answer.
    pub fn round_hears(&mut self, number: usize) {
        let Some(round) = self.life(number) else { return };
        if round.asked.is_some() || round.lifecycle.is_done() {
            return;
        }
        if round.is_counted != round.is_told_counted {
            round.is_told_counted = round.is_counted;
            let is_final = round.is_counted;
            self.round_happens(number, Event::Counted { is_final });
            return self.round_hears(number);
        }
        if let Some((version, changed)) = &round.newest
            && *version > round.told
        {
            let entry = Entry { version: *version, round: changed.round.clone() };
            round.told = *version;
            self.round_happens(number, Event::Changed(Box::new(entry)));
            self.round_hears(number);
        }
    }

    pub fn round_wakes(&mut self, number: usize) {
        if self.life(number).is_some_and(|round| round.asked.is_none()) {
            self.round_happens(number, Event::Woke);
        } else if self.life(number).is_some() {
            // The product wakes it when the answer has come.
            let owner = Owner { process: number, life: self.processes[number].life, part: Part::Lifecycle };
            self.after(10 * MILLI, Happening::Wake(owner));
        }
    }

    fn round_happens(&mut self, number: usize, event: Event) {
        let now = self.clocks(number);
        let owner = Owner { process: number, life: self.processes[number].life, part: Part::Lifecycle };
        let Some(round) = self.life(number) else { return };
        for action in round.lifecycle.on(event, now) {
            match action {
                Action::WakeAt(moment) => {
                    let moment = self.moment_of(number, moment);
                    self.agenda.plan(moment.max(self.now + 1), Happening::Wake(owner));
                }
                Action::LogChanged(state) => self.say(format_args!("process {number}: {state:?}")),
                Action::LogNotChanged(why) => self.say(format_args!("process {number}: {why}")),
                Action::Step(step) => self.take_step(owner, step),
                Action::LookAtLog => self.ask_life(owner, Asked::LookAtLog, Call::IsSealed),
                Action::WriteSeal(seal) => {
                    let id = format!("seal-{}", self.next_id());
                    let publish = Publish {
                        stream: StreamName::Votes,
                        subject: Subject::Sealed,
                        id,
                        content: Content::Seal(seal),
                        expect: Expect::LastOfSubject(0),
                    };
                    self.ask_life(owner, Asked::WriteSeal, Call::Publish(publish));
                }
                Action::DestroyKey => {
                    let call = Call::NewestOf(StreamName::Keys, Subject::Key);
                    self.ask_life(owner, Asked::DestroyKey, call);
                }
                Action::SealLog => self.ask_life(owner, Asked::SealLog, Call::Seal),
            }
        }
    }

    fn take_step(&mut self, owner: Owner, step: Step) {
        let mut id = None;
        let call = match &step {
            Step::Read => Call::NewestOf(StreamName::Rounds, Subject::Round),
            Step::FindKey | Step::DestroyKey => Call::NewestOf(StreamName::Keys, Subject::Key),
            Step::MakeLog => Call::IsSealed,
            Step::MakeKey => Call::Publish(self.some_key()),
            Step::Publish { changed, expected } => {
                let name = format!("round-{}-{}", owner.process, self.next_id());
                id = Some(MessageId::named(name.clone()));
                Call::Publish(Publish {
                    stream: StreamName::Rounds,
                    subject: Subject::Round,
                    id: name,
                    content: Content::Round(Arc::new((**changed).clone())),
                    expect: Expect::LastOfSubject(*expected),
                })
            }
        };
        self.ask_life(owner, Asked::Step(step, id), call);
    }

    fn some_key(&mut self) -> Publish {
        Publish {
            stream: StreamName::Keys,
            subject: Subject::Key,
            id: format!("key-{}", self.next_id()),
            content: Content::Key,
            expect: Expect::LastOfSubject(0),
        }
    }

    fn ask_life(&mut self, owner: Owner, asked: Asked, call: Call) {
        if let Some(round) = self.life(owner.process) {
            round.asked = Some(asked);
        }
        self.call(owner, call);
    }

    pub fn round_is_answered(&mut self, number: usize, call: &Call, answer: Answer) {
        let owner = Owner { process: number, life: self.processes[number].life, part: Part::Lifecycle };
        let Some(asked) = self.life(number).and_then(|round| round.asked.take()) else { return };
        let destroys = matches!(asked, Asked::DestroyKey | Asked::Step(Step::DestroyKey, _));
        if let (true, Call::NewestOf(..), Answer::Message(Some(key))) = (destroys, call, &answer) {
            return self.ask_life(owner, asked, Call::Destroy(StreamName::Keys, key.sequence));
        }
        let event = match (asked, answer) {
            (Asked::Step(step, id), answer) => Event::Answered(written(&step, id, answer)),
            (Asked::LookAtLog, Answer::Sealed(true)) => Event::LogSeen(LogState::Sealed),
            (Asked::LookAtLog, Answer::Sealed(false)) => Event::LogSeen(LogState::Writable),
            (
                Asked::WriteSeal,
                Answer::Published(_) | Answer::Refused(Refusal::Conflict | Refusal::Sealed),
            ) => Event::SealWritten,
            (Asked::DestroyKey, Answer::Message(None) | Answer::Done) => Event::KeyDestroyed,
            (Asked::SealLog, Answer::Done) => Event::LogSealed,
            _ => Event::Failed,
        };
        self.round_happens(number, event);
        self.round_hears(number);
    }

    /// Nothing that is stored ties a person to a ballot once the log is sealed. Another key that arrives late ties nobody.
    pub fn check_key(&mut self) {
        let key = self.server.stream(StreamName::Keys).newest_of(Subject::Key);
        if key.is_some_and(|key| self.voter_key.as_ref() == Some(&key.id)) {
            self.violate("the log is sealed, and the voter key is still there");
        }
    }

    /// What is stored must fit what is stored already.
    pub fn check_stored(&mut self, content: &Content) {
        let newest = self.server.stream(StreamName::Rounds).newest_of(Subject::Round);
        let state = match newest.map(|stored| &stored.content) {
            Some(Content::Round(changed)) => Some(changed.round.state),
            _ => None,
        };
        let key = self.server.stream(StreamName::Keys).newest_of(Subject::Key).map(|key| key.id.clone());
        match content {
            Content::Seal(_) if state != Some(RoundState::Closed) => {
                self.violate(format_args!("the seal is written into the log of a round that is {state:?}"));
            }
            Content::Round(changed)
                if state == Some(RoundState::Closed) && changed.round.state != RoundState::Closed =>
            {
                self.violate("a closed round is opened again");
            }
            Content::Round(changed) if changed.change == Change::Opened => {
                if key.is_none() {
                    self.violate("the round is open and has no key");
                }
                self.voter_key = key;
            }
            Content::Counts(counts) => {
                self.was_final |= counts.is_final;
                self.check_announced(counts);
            }
            _ => {}
        }
    }

    /// Nobody can read a log on once it is sealed for good, so it is counted before.
    pub fn check_counted_before_sealing(&mut self) {
        if !self.was_final && !self.is_log_rolled_back {
            self.violate("the log is sealed for good, and its counts are not final");
        }
    }

    /// At rest the log is sealed for good, the key is gone, and what cannot be decoded is dead-lettered.
    pub fn check_closed(&mut self) {
        self.check_key();
        if self.books.sealed_at().is_none() || !self.server.stream(StreamName::Votes).is_sealed {
            self.violate("the log is not sealed at rest");
        }
        let votes = self.server.stream(StreamName::Votes);
        // An operator's recount passes over it by itself.
        let garbage =
            votes.from(self.repaired_to + 1).filter(|stored| matches!(stored.content, Content::Garbage));
        let names: Vec<String> = garbage.map(|stored| format!("dead-{}", stored.sequence)).collect();
        for name in names {
            if !self.server.stream(StreamName::Dead).from(1).any(|stored| stored.id == name) {
                self.violate(format_args!("there is no {name}"));
            }
        }
    }
}

fn written(step: &Step, id: Option<MessageId>, answer: Answer) -> Written {
    match (step, answer) {
        (Step::Read, Answer::Message(None)) => Written::Read(None),
        (
            Step::Read,
            Answer::Message(Some(Stored { sequence, id, content: Content::Round(changed), .. })),
        ) => {
            let entry = Entry { version: sequence, round: changed.round.clone() };
            Written::Read(Some(Box::new(Version { entry, id: Some(id) })))
        }
        (Step::MakeKey, Answer::Published(_)) => Written::KeyMade,
        (Step::MakeKey, Answer::Refused(Refusal::Conflict)) => Written::KeyExists,
        (Step::FindKey, Answer::Message(key)) => Written::KeyFound(key.is_some()),
        (Step::MakeLog, Answer::Sealed(_)) => Written::LogMade,
        (Step::Publish { .. }, Answer::Published(version)) => Written::Published(version),
        (Step::Publish { .. }, Answer::Refused(Refusal::Conflict)) => Written::Conflict,
        (Step::Publish { .. }, Answer::Unanswered) => match id {
            Some(id) => Written::Unanswered(id),
            None => Written::Failed("no answer".to_owned()),
        },
        (Step::DestroyKey, Answer::Message(None) | Answer::Done) => Written::KeyDestroyed,
        _ => Written::Failed("no answer".to_owned()),
    }
}
