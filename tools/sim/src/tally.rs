//! A tally process: the shipped count, share and intake, with a shell that is the simulator's.

use std::collections::VecDeque;
use std::sync::Arc;

use nats::intake::ordered::Event as Fed;
use nats::{Monotonic, StartAt};
use subjects::{RoundChanged, RoundState};
use tally::announcement::is_done;
use tally::rules::Scoreboard;
use tally::share::{Action as Do, Event as Seen, Rounds, Share};

use crate::counting::{Counting, newest};
use crate::election::{Election, Happening};
use crate::process::Kind;
use crate::readers::Along;
use crate::scoreboard::{Row, Statement};
use crate::server::{Answer, Call, Owner, Part, StreamName, Subject};

/// A tally process.
pub(crate) struct TallyProcess {
    pub rounds: Along,
    pub round: Option<Arc<RoundChanged>>,
    share: Share,
    /// What the share has decided and is not carried out yet: it waits for a count to end.
    to_do: VecDeque<Do>,
    /// Until when the share waits for news.
    waits_until: Option<Monotonic>,
    pub counting: Option<Counting>,
    /// What a check has read, before it asks for the announcement.
    checking: Option<Scoreboard>,
    pub is_done: bool,
}

impl Election {
    pub fn start_tally(&mut self, number: usize) {
        let life = self.processes[number].life;
        let tally = TallyProcess {
            rounds: Along::new(StreamName::Rounds, StartAt::NewestPerSubject),
            round: None,
            share: Share::default(),
            to_do: VecDeque::new(),
            waits_until: None,
            counting: None,
            checking: None,
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

    pub fn owner(&self, number: usize, part: Part) -> Owner {
        Owner { process: number, life: self.processes[number].life, part }
    }

    /// The share is told what is to be seen.
    fn see(&mut self, number: usize) {
        let (connected, id) = (self.processes[number].is_connected, self.round.clone());
        let Some(tally) = self.tally(number) else { return };
        tally.waits_until = None;
        let mut rounds = Rounds::default();
        match tally.round.as_ref().map(|changed| changed.round.state) {
            Some(RoundState::Open) => rounds.open.push(id),
            Some(RoundState::Closed) => rounds.closed.push(id),
            Some(RoundState::Draft) | None => {}
        }
        // No count ends by itself here.
        self.share_happens(number, Seen::Seen { connected, rounds, ended: Vec::new() });
    }

    /// There is news of the round.
    pub fn tally_hears(&mut self, number: usize) {
        if self.tally(number).is_some_and(|tally| tally.waits_until.is_some()) {
            self.see(number);
        }
    }

    pub fn share_happens(&mut self, number: usize, event: Seen) {
        let now = self.clocks(number);
        let Some(tally) = self.tally(number) else { return };
        tally.to_do.extend(tally.share.on(event, now));
        self.share_goes_on(number);
    }

    /// Carries out what the share has decided, up to a count that ends: it is waited for.
    pub fn share_goes_on(&mut self, number: usize) {
        while let Some(tally) = self.tally(number)
            && !tally.counting.as_ref().is_some_and(|counting| counting.is_ending)
            && let Some(action) = tally.to_do.pop_front()
        {
            self.carry_out(number, action);
        }
    }

    fn carry_out(&mut self, number: usize, action: Do) {
        let owner = self.owner(number, Part::Share);
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
            Do::LetGo => match self.tally(number) {
                // The locks are given back once the count has ended.
                Some(tally) if tally.counting.is_some() => {
                    tally.to_do.push_front(Do::LetGo);
                    self.end_count(number);
                }
                _ => self.scores.end_session(number),
            },
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
        let counting = Counting::new(self.round.clone(), self.next_id(), self.next_id());
        let Some(tally) = self.tally(number) else { return };
        tally.is_done = false;
        tally.counting = Some(counting);
        self.intake_happens(number, Fed::Wake);
    }

    fn end_count(&mut self, number: usize) {
        if let Some(counting) = self.tally(number).and_then(|tally| tally.counting.as_mut()) {
            counting.is_ending = true;
        }
        self.intake_happens(number, Fed::Stop);
    }
}

impl TallyProcess {
    /// What it is doing, for people.
    pub fn words(&self) -> String {
        let count = self.counting.as_ref().map(|counting| &counting.count);
        format!("{:?}, {count:?}", self.share)
    }
}
