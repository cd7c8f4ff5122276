//! Processes: which there are, and how they start, stop and lose their connections.

use crate::agenda::{MILLI, Moment, SECOND};
use crate::election::{Election, Happening};
use crate::plan::Plan;
use crate::random::Random;
use crate::result::ResultProcess;
use crate::round::RoundProcess;
use crate::server::{Answer, Call, Owner, Part};
use crate::tally::TallyProcess;
use crate::vote::VoteProcess;

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Vote,
    Tally,
    Round,
    Result,
}

/// A process, up or down.
pub(crate) struct Process {
    pub role: Role,
    pub kind: Kind,
    /// How often it was started.
    pub life: u32,
    pub started_at: Moment,
    /// It is stopped, and goes on at this moment.
    pub resumes_at: Option<Moment>,
    /// Whether it has its connection to the bus.
    pub is_connected: bool,
    /// By how much its wall clock is wrong, in milliseconds.
    pub wall_offset: i64,
}

/// What is in a process.
pub(crate) enum Kind {
    Down,
    Vote(Box<VoteProcess>),
    Tally(Box<TallyProcess>),
    Round(Box<RoundProcess>),
    Result(Box<ResultProcess>),
}

impl Process {
    /// The processes of a plan, all of them down.
    pub fn all(plan: &Plan) -> Vec<Self> {
        let roles = std::iter::repeat_n(Role::Vote, plan.votes)
            .chain(std::iter::repeat_n(Role::Tally, plan.tallies))
            .chain(std::iter::repeat_n(Role::Round, plan.rounds))
            .chain(std::iter::repeat_n(Role::Result, plan.results));
        let mut random = Random::new(plan.seed).fork(2);
        let mut offset = || {
            let offset = random.below(2 * plan.clocks_differ_by + 1);
            i64::try_from(offset).unwrap_or(0) - i64::try_from(plan.clocks_differ_by).unwrap_or(0)
        };
        let process = |role| Self {
            role,
            kind: Kind::Down,
            life: 0,
            started_at: 0,
            resumes_at: None,
            is_connected: true,
            wall_offset: offset(),
        };
        roles.map(process).collect()
    }

    /// Whether it has nothing left to do.
    pub fn is_at_rest(&self) -> bool {
        match &self.kind {
            Kind::Down => false,
            Kind::Vote(vote) => vote.is_at_rest(),
            Kind::Tally(tally) => tally.is_done,
            Kind::Round(round) => round.lifecycle.is_done(),
            Kind::Result(result) => result.is_final(),
        }
    }

    /// What it is doing, for people.
    pub fn words(&self) -> String {
        match &self.kind {
            Kind::Down => "is down".to_owned(),
            Kind::Vote(vote) => format!("{:?}", vote.ballot_box),
            Kind::Tally(tally) => tally.words(),
            Kind::Round(round) => format!("{:?}", round.lifecycle),
            Kind::Result(result) => format!("{:?}", result.newest),
        }
    }
}

impl Election {
    /// Whether the life of a process in which something was asked for is not over.
    pub fn is_alive(&self, owner: Owner) -> bool {
        let process = &self.processes[owner.process];
        process.life == owner.life && !matches!(process.kind, Kind::Down)
    }

    /// Until when a process is stopped.
    pub fn paused_until(&self, process: usize) -> Option<Moment> {
        self.processes[process].resumes_at.filter(|resumes_at| *resumes_at > self.now)
    }

    pub fn start(&mut self, number: usize) {
        let process = &mut self.processes[number];
        if !matches!(process.kind, Kind::Down) {
            return;
        }
        process.life += 1;
        process.started_at = self.now;
        process.resumes_at = None;
        process.is_connected = !self.server.is_down;
        let (role, life) = (process.role, process.life);
        self.say(format_args!("process {number} starts, life {life}"));
        match role {
            Role::Vote => self.start_vote(number),
            Role::Tally => self.start_tally(number),
            Role::Round => self.start_round(number),
            Role::Result => self.start_result(number),
        }
        if self.server.is_down {
            self.after(100 * MILLI, Happening::Connect(number, life));
        }
    }

    /// A process dies, and is started again after a while.
    pub fn die(&mut self, number: usize, back_after: Moment) {
        let process = &mut self.processes[number];
        if matches!(process.kind, Kind::Down) {
            return;
        }
        process.kind = Kind::Down;
        self.say(format_args!("process {number} dies"));
        self.server.forget_consumers(|consumer| {
            consumer.owner.process == number && !matches!(consumer.owner.part, Part::Intake(_))
        });
        self.scores.end_session(number);
        self.lose_requests(number);
        self.after(back_after, Happening::Start(number));
    }

    /// A process loses its connection to the bus.
    pub fn cut(&mut self, number: usize, back_after: Moment) {
        let process = &mut self.processes[number];
        if matches!(process.kind, Kind::Down) || !process.is_connected {
            return;
        }
        process.is_connected = false;
        let life = process.life;
        self.say(format_args!("process {number} loses its connection"));
        self.after(back_after, Happening::Connect(number, life));
        self.lose_calls(number);
        self.lose_readers(number);
        self.lose_intake(number);
    }

    /// A process has its connection back, if there is something to connect to.
    pub fn connect(&mut self, number: usize, life: u32) {
        if self.processes[number].life != life {
            return;
        }
        if self.server.is_down {
            return self.after(100 * MILLI, Happening::Connect(number, life));
        }
        self.processes[number].is_connected = true;
        self.say(format_args!("process {number} is connected"));
    }

    /// How long it takes until a process that has ended by itself is started again.
    pub fn restart_pause(&mut self) -> Moment {
        self.random.between(100 * MILLI, SECOND)
    }

    /// A moment that a part of a process asked for has come.
    pub fn wake(&mut self, owner: Owner) {
        if !self.is_alive(owner) {
            return;
        }
        if let Some(resumes_at) = self.paused_until(owner.process) {
            return self.agenda.plan(resumes_at, Happening::Wake(owner));
        }
        match owner.part {
            Part::Box(_) => self.box_happens(owner.process, vote::event::Event::Wake),
            Part::BoxReader | Part::RoundsReader | Part::TalliesReader => {
                self.reader_happens(owner, nats::ordered_reader::Event::Wake);
            }
            Part::Intake(asks) => {
                if self.is_asked(owner.process, asks) {
                    self.intake_happens(owner.process, nats::intake::ordered::Event::Wake);
                }
            }
            Part::Decoder(asks, batch) => {
                if self.is_asked(owner.process, asks) {
                    self.decoded(owner.process, batch);
                }
            }
            Part::Share => self.share_wakes(owner.process),
            Part::Lifecycle => self.round_wakes(owner.process),
            Part::Count(_) | Part::DeadLetters(..) | Part::Nobody => {}
        }
    }

    /// The answer to a call of a part of a process.
    pub fn answered(&mut self, owner: Owner, call: &Call, answer: Answer) {
        let process = owner.process;
        match owner.part {
            Part::Box(block) => self.box_is_answered(process, block, call, answer),
            Part::BoxReader | Part::RoundsReader | Part::TalliesReader => {
                self.reader_is_answered(owner, answer);
            }
            Part::Intake(asks) => {
                if self.is_asked(process, asks) {
                    self.intake_is_answered(process, answer);
                }
            }
            Part::DeadLetters(asks, batch) => {
                if self.is_asked(process, asks) {
                    self.dead_letter_is_answered(process, batch, answer);
                }
            }
            Part::Count(questions) => self.count_is_answered_by_server(process, questions, call, answer),
            Part::Share => self.check_answered_by_server(process, answer),
            Part::Lifecycle => self.round_is_answered(process, call, answer),
            Part::Decoder(..) | Part::Nobody => {}
        }
    }
}
