//! One election: the servers, the processes, the voters, and what happens to them, step by step.

use std::fmt;

use nats::{Monotonic, Now};
use subjects::{RoundId, Timestamp, VoteMessage};
use tally::rules::Scoreboard;

use crate::agenda::{Agenda, MILLI, Moment, SECOND};
use crate::books::{Books, Violation};
use crate::calls::Calls;
use crate::plan::{Fault, Plan};
use crate::process::{Kind, Process};
use crate::random::Random;
use crate::scoreboard::Scores;
use crate::server::{Content, Owner, Server, Stored, StreamName};
use crate::trace::Trace;
use crate::voters::Voters;

/// After calm, everything must come to rest within this time.
const REST_WITHIN: Moment = 90 * SECOND;
/// An election that takes more steps than this does not come to rest.
const STEPS_MAX: usize = 200_000;
/// When the election begins, in milliseconds since 1970.
pub(crate) const BEGIN: i64 = 1_795_253_400_000;

/// What happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A voter does something.
    Voter(usize),
    /// A request of a voter reaches its process.
    Request(usize),
    /// A call reaches the server.
    Arrive(usize),
    /// The cluster has stored what this call proposed.
    Commit(usize),
    /// The answer to a call reaches its process.
    Reply(usize),
    /// A call has waited too long for its answer.
    Timeout(usize),
    /// Messages of a consumer reach its process.
    Deliver(Owner, u64, Vec<(Stored, u64, u64)>),
    /// A process learns that a consumer is gone.
    ConsumerGone(Owner, u64),
    /// A box is called: ballots wait in its queue.
    Look(usize, u32),
    /// A moment that a part of a process asked for.
    Wake(Owner),
    /// The regular wake of a box.
    Interval(usize, u32),
    /// A statement reaches the scoreboard.
    Statement(usize),
    /// The answer to a statement reaches its process, or it is too late for one.
    Row(usize),
    /// A process starts.
    Start(usize),
    /// Something goes wrong.
    Fault(Fault),
    /// It has been put right.
    Mend(Fault),
    /// A process has its connections back.
    Connect(usize, u32),
    /// The round is closed.
    Close,
    /// Nothing goes wrong any more.
    Calm,
}

/// What an election was like.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many things happened.
    pub steps: usize,
    /// How many ballots were accepted.
    pub accepted: u64,
    /// What must not be, if there was anything.
    pub violation: Option<Violation>,
    /// What happened, if it was to be kept.
    pub trace: String,
}

/// What an election leaves behind when everything is at rest.
#[derive(Clone, Debug)]
pub struct Ending {
    /// What must not be, if there was anything.
    pub violation: Option<Violation>,
    /// The messages of the log, in order; `None` for one that cannot be decoded.
    pub log: Vec<Option<VoteMessage>>,
    /// What the tallies have committed.
    pub counts: Scoreboard,
}

/// One election.
pub(crate) struct Election {
    pub plan: Plan,
    pub round: RoundId,
    pub random: Random,
    pub now: Moment,
    pub agenda: Agenda<Happening>,
    pub server: Server,
    pub scores: Scores,
    pub calls: Calls,
    pub processes: Vec<Process>,
    pub voters: Voters,
    pub books: Books,
    pub trace: Trace,
    pub is_calm: bool,
    /// Whether an operator has restored an older copy of the log, and has not repaired the counts since.
    pub is_log_rolled_back: bool,
    /// Whether final counts were announced.
    pub was_final: bool,
    /// Whether an operator is about to.
    pub rolls_back_next: bool,
    /// Up to where an operator has counted the log.
    pub repaired_to: u64,
    /// Whether the scoreboard came back from an older copy.
    pub are_scores_rolled_back: bool,
    /// The id of the message with the key by which voters are known.
    pub voter_key: Option<String>,
    ids: u64,
    /// The last moment at which something was stored, so that no two messages have the same.
    stored_at: i64,
    violation: Option<Violation>,
}

/// Runs the election of a plan.
pub fn run(plan: &Plan, keeps_trace: bool) -> Outcome {
    let mut election = Election::new(plan.clone(), keeps_trace);
    let steps = election.run();
    Outcome {
        steps,
        accepted: election.books.prefix(election.books.end()).map_or(0, |prefix| prefix.ledger.accepted),
        violation: election.violation,
        trace: election.trace.into_lines(),
    }
}

/// Runs the election of a plan, and returns what it leaves behind.
pub fn run_to_end(plan: &Plan) -> Ending {
    let mut election = Election::new(plan.clone(), false);
    election.run();
    let messages = election.server.stream(StreamName::Votes).from(1);
    let log = messages.map(|stored| match &stored.content {
        Content::Block(block) => Some(VoteMessage::Cast((**block).clone())),
        Content::Seal(seal) => Some(VoteMessage::Sealed(seal.clone())),
        _ => None,
    });
    Ending { log: log.collect(), counts: election.scores.committed(), violation: election.violation }
}

impl Election {
    fn new(plan: Plan, keeps_trace: bool) -> Self {
        let mut election = Self {
            round: RoundId::parse("demo").expect("a slug"),
            random: Random::new(plan.seed).fork(1),
            now: 0,
            agenda: Agenda::default(),
            server: Server::default(),
            scores: Scores::default(),
            calls: Calls::default(),
            processes: Process::all(&plan),
            voters: Voters::of(&plan),
            books: Books::new(plan.allow_changes),
            trace: Trace::new(keeps_trace),
            is_calm: false,
            is_log_rolled_back: false,
            was_final: false,
            rolls_back_next: false,
            repaired_to: 0,
            are_scores_rolled_back: false,
            voter_key: None,
            ids: 0,
            stored_at: BEGIN,
            violation: None,
            plan,
        };
        election.say(format_args!("{:?}", election.plan.clone()));
        election.begin();
        election
    }

    fn begin(&mut self) {
        self.make_round();
        for process in 0..self.processes.len() {
            self.agenda.plan(0, Happening::Start(process));
        }
        for voter in 0..self.plan.voters {
            let pause = self.random.below(SECOND);
            self.agenda.plan(pause, Happening::Voter(voter));
        }
        for (moment, fault) in self.plan.faults.clone() {
            self.agenda.plan(moment, Happening::Fault(fault));
        }
        self.agenda.plan(self.plan.closes_at, Happening::Close);
        self.agenda.plan(self.plan.calm_at, Happening::Calm);
    }

    /// Goes on until everything is at rest or something is wrong. Returns how many steps it took.
    fn run(&mut self) -> usize {
        let mut steps = 0;
        while self.violation.is_none() {
            let Some((moment, happening)) = self.agenda.next() else {
                self.violate("nothing happens any more, and not everything is at rest");
                break;
            };
            self.now = moment;
            steps += 1;
            self.happens(happening);
            self.check_prefix();
            if self.is_calm && self.is_at_rest() {
                self.check_at_rest();
                break;
            }
            if steps > STEPS_MAX || (self.is_calm && self.now > self.plan.calm_at + REST_WITHIN) {
                let why = self.restless();
                self.violate(format_args!("it does not come to rest: {why}"));
            }
        }
        if let Some(violation) = &self.violation {
            let line = format!("VIOLATION: {violation}");
            self.say(format_args!("{line}"));
        }
        steps
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Voter(voter) => self.voter_acts(voter),
            Happening::Request(request) => self.request_arrives(request),
            Happening::Arrive(call) => self.call_arrives(call),
            Happening::Commit(call) => self.call_commits(call),
            Happening::Reply(call) => self.reply_arrives(call),
            Happening::Timeout(call) => self.call_times_out(call),
            Happening::Deliver(owner, number, messages) => self.delivery_arrives(owner, number, messages),
            Happening::ConsumerGone(owner, number) => self.consumer_is_gone(owner, number),
            Happening::Look(process, life) => self.look(process, life),
            Happening::Wake(owner) => self.wake(owner),
            Happening::Interval(process, life) => self.interval(process, life),
            Happening::Statement(number) => self.statement_arrives(number),
            Happening::Row(number) => self.row_arrives(number),
            Happening::Start(process) => self.start(process),
            Happening::Fault(fault) => self.goes_wrong(fault),
            Happening::Mend(fault) => self.mends(fault),
            Happening::Connect(process, life) => self.connect(process, life),
            Happening::Close => self.close_round(),
            Happening::Calm => self.calm(),
        }
    }

    /// The clocks as a process sees them.
    pub fn clocks(&self, process: usize) -> Now {
        let process = &self.processes[process];
        let since_start = self.now.saturating_sub(process.started_at);
        let millis = BEGIN + i64::try_from(self.now / MILLI).unwrap_or(0) + process.wall_offset;
        Now {
            wall: timestamp(millis),
            monotonic: Monotonic::from_duration(std::time::Duration::from_micros(since_start)),
        }
    }

    /// When the server stores something that is stored now.
    pub fn server_clock(&mut self) -> Timestamp {
        let millis = BEGIN + i64::try_from(self.now / MILLI).unwrap_or(0);
        self.stored_at = millis.max(self.stored_at + 1);
        timestamp(self.stored_at)
    }

    /// When a moment of a process's monotonic clock is.
    pub fn moment_of(&self, process: usize, monotonic: Monotonic) -> Moment {
        let since_start = monotonic.since(Monotonic::default()).as_nanos().div_ceil(1_000);
        self.processes[process].started_at + u64::try_from(since_start).unwrap_or(Moment::MAX / 2)
    }

    /// How long a message is on its way.
    pub fn latency(&mut self) -> Moment {
        let [least, most] = self.plan.latency;
        self.random.between(least, most)
    }

    /// Whether a message goes wrong that goes wrong this many times in a thousand.
    pub fn noise(&mut self, per_mille: u64) -> bool {
        // The number is drawn in any case, so that less noise leaves the rest as it is.
        self.random.chance(per_mille) && !self.is_calm
    }

    /// Notes what must not be. The first counts.
    pub fn violate(&mut self, what: impl fmt::Display) {
        if self.violation.is_none() {
            self.violation = Some(what.to_string());
        }
    }

    /// Notes what must not be, if there is anything.
    pub fn hold(&mut self, checked: Result<(), Violation>) {
        if let Err(violation) = checked {
            self.violate(violation);
        }
    }

    /// A number that was not handed out before.
    pub fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Adds a line to the trace.
    pub fn say(&mut self, line: fmt::Arguments) {
        self.trace.add(self.now, line);
    }

    /// Plans something for after a while.
    pub fn after(&mut self, while_: Moment, happening: Happening) {
        self.agenda.plan(self.now + while_, happening);
    }

    /// Whether nothing is left to be done.
    fn is_at_rest(&self) -> bool {
        self.voters.are_content()
            && self.are_counts_shown()
            && self.processes.iter().all(|process| process.is_at_rest())
    }

    fn restless(&self) -> String {
        let parts: Vec<String> = self
            .processes
            .iter()
            .enumerate()
            .filter(|(_, process)| !process.is_at_rest())
            .map(|(number, process)| format!("process {number}: {}", process.words()))
            .collect();
        format!("{} requests are open; {}", self.voters.open_requests(), parts.join("; "))
    }

    fn check_at_rest(&mut self) {
        self.hold(self.books.keep());
        self.check_counted();
        self.check_closed();
    }

    /// What every process knows is a prefix of the log.
    fn check_prefix(&mut self) {
        for process in 0..self.processes.len() {
            if let Kind::Vote(vote) = &self.processes[process].kind
                && !vote.is_behind_a_rollback
            {
                let (sequence, end) = (vote.ballot_box.sequence(), self.books.end());
                if sequence > end {
                    self.violate(format_args!("box {process} has folded {sequence} of {end} messages"));
                }
            }
        }
    }
}

pub(crate) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).expect("a moment of this century")
}
