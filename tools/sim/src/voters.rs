//! Voters: they retry, change, double-click, give up, and come back with the same ballot id.

use subjects::{BallotId, Choice, OptionId, Voter};
use vote::rules::Ballot;
use vote::{Accepted, NotAccepted};

use crate::agenda::{MILLI, Moment, SECOND};
use crate::election::{Election, Happening};
use crate::plan::Plan;
use crate::random::Random;

/// The options of the round.
pub(crate) const OPTIONS: [&str; 3] = ["cats", "dogs", "birds"];

/// All voters, and what they have asked for.
#[derive(Debug)]
pub(crate) struct Voters {
    voters: Vec<Person>,
    pub requests: Vec<Request>,
}

#[derive(Debug)]
struct Person {
    voter: Voter,
    last: Option<Ballot>,
    /// Ballots of which the voter does not know what became of them.
    in_doubt: Vec<Ballot>,
}

/// A request with a ballot.
#[derive(Debug)]
pub(crate) struct Request {
    pub ballot: Ballot,
    pub arrived_at: Option<Moment>,
    voter: usize,
    process: usize,
    life: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    OnItsWay,
    Waiting,
    Answered,
    Lost,
}

impl Request {
    /// It has reached a process in this life.
    pub fn is_at(&mut self, life: u32, now: Moment) {
        (self.life, self.arrived_at, self.state) = (life, Some(now), State::Waiting);
    }

    pub fn is_answered(&self) -> bool {
        self.state == State::Answered
    }

    /// Whether it waits at a process for an answer since a moment before `moment`.
    pub fn waits_since(&self, process: usize, moment: Moment) -> bool {
        self.state == State::Waiting && self.process == process && self.arrived_at < Some(moment)
    }
}

impl Voters {
    pub fn of(plan: &Plan) -> Self {
        let person = |number: usize| {
            let bits = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            Person { voter: Voter::from_bytes(bits.to_be_bytes()), last: None, in_doubt: Vec::new() }
        };
        Self { voters: (0..plan.voters).map(person).collect(), requests: Vec::new() }
    }

    /// Whether every voter knows what became of every ballot.
    pub fn are_content(&self) -> bool {
        self.open_requests() == 0 && self.voters.iter().all(|person| person.in_doubt.is_empty())
    }

    pub fn open_requests(&self) -> usize {
        let is_open = |request: &&Request| matches!(request.state, State::OnItsWay | State::Waiting);
        self.requests.iter().filter(is_open).count()
    }
}

impl Election {
    /// A voter does something, and thinks about what to do next.
    pub fn voter_acts(&mut self, voter: usize) {
        if self.is_calm {
            return self.ask_again(voter);
        }
        if self.now > self.plan.closes_at + SECOND {
            return self.after(SECOND, Happening::Voter(voter));
        }
        let last = self.voters.voters[voter].last.clone();
        match (self.random.below(100), last) {
            (0..15, Some(last)) => self.send(voter, last),
            (15..20, Some(last)) => {
                // A mistake: the id of another choice.
                let choice = self.some_choice();
                self.send(voter, Ballot { choice, ..last });
            }
            (20..35, _) => {
                let ballot = self.new_ballot(voter, false);
                self.send(voter, ballot);
            }
            (35..42, _) => {
                let ballot = self.new_ballot(voter, true);
                self.send(voter, ballot.clone());
                self.send(voter, ballot);
            }
            (42..47, _) => {
                // A form that is sent twice.
                let ballot = self.new_ballot(voter, false);
                let again = Ballot { id: self.new_id(), ..ballot.clone() };
                self.send(voter, ballot);
                self.send(voter, again);
            }
            (47..57, _) => {
                // In two windows at once.
                let ballot = self.new_ballot(voter, false);
                self.send(voter, ballot);
                let ballot = self.new_ballot(voter, true);
                self.send(voter, ballot);
            }
            _ => {
                let ballot = self.new_ballot(voter, true);
                self.send(voter, ballot);
            }
        }
        let pause = self.pause();
        self.after(pause, Happening::Voter(voter));
    }

    /// How long a voter thinks: not at all in a crowd.
    fn pause(&mut self) -> Moment {
        let [least, most] = self.plan.pauses;
        let pause = self.random.between(least, most);
        match self.plan.crowd_at {
            Some(crowd_at) if self.now < crowd_at && self.now + pause > crowd_at => crowd_at - self.now,
            Some(crowd_at) if self.now >= crowd_at && self.now < crowd_at + 20 * MILLI => MILLI,
            _ => pause,
        }
    }

    /// When nothing goes wrong any more, a voter asks until it is clear what became of each ballot.
    fn ask_again(&mut self, voter: usize) {
        for ballot in self.voters.voters[voter].in_doubt.clone() {
            let is_open = |request: &Request| {
                request.ballot.id == ballot.id && matches!(request.state, State::OnItsWay | State::Waiting)
            };
            if !self.voters.requests.iter().any(is_open) {
                self.send(voter, ballot);
            }
        }
        self.after(SECOND / 2, Happening::Voter(voter));
    }

    fn new_ballot(&mut self, voter: usize, has_given_id: bool) -> Ballot {
        let (id, choice) = (self.new_id(), self.some_choice());
        Ballot { id, has_given_id, voter: self.voters.voters[voter].voter, choice }
    }

    fn new_id(&mut self) -> BallotId {
        let bits = (u128::from(self.random.any()) << 64) | u128::from(self.random.any());
        BallotId::parse(&format!("{bits:032x}")).expect("a UUID has 32 digits")
    }

    fn some_choice(&mut self) -> Choice {
        let first = self.random.index(OPTIONS.len());
        // In the order of the round.
        let last = if self.plan.is_approval { OPTIONS.len() } else { first + 1 };
        let more = |random: &mut Random, place: usize| place == first || random.chance(500);
        let chosen = (first..last).filter(|place| more(&mut self.random, *place));
        Choice(chosen.map(|place| OptionId::parse(OPTIONS[place]).expect("a slug")).collect())
    }

    fn send(&mut self, voter: usize, ballot: Ballot) {
        let person = &mut self.voters.voters[voter];
        if ballot.has_given_id {
            person.last = Some(ballot.clone());
            if !person.in_doubt.iter().any(|it| it.id == ballot.id && it.choice == ballot.choice) {
                person.in_doubt.push(ballot.clone());
            }
        }
        let process = self.random.index(self.plan.votes);
        let number = self.voters.requests.len();
        self.say(format_args!(
            "request {number}: voter {voter} sends {} for {} to process {process}",
            ballot.id, ballot.choice
        ));
        let state = State::OnItsWay;
        self.voters.requests.push(Request { ballot, arrived_at: None, voter, process, life: 0, state });
        let on_its_way = self.latency();
        self.after(on_its_way, Happening::Request(number));
    }

    pub fn request_arrives(&mut self, number: usize) {
        let process = self.voters.requests[number].process;
        if let Some(resumes_at) = self.paused_until(process) {
            return self.agenda.plan(resumes_at, Happening::Request(number));
        }
        if self.vote(process).is_none() {
            self.voters.requests[number].state = State::Lost;
            return;
        }
        let ballot = &self.voters.requests[number].ballot;
        self.books.asked((ballot.voter, ballot.id));
        self.cast(process, number);
    }

    /// An answer goes to a voter, who may not hear it.
    pub fn give_answer(&mut self, number: usize, answer: Result<Accepted, NotAccepted>) {
        let is_heard = !self.noise(50);
        let request = &mut self.voters.requests[number];
        request.state = State::Answered;
        let is_clear = matches!(answer, Ok(_) | Err(NotAccepted::Refused(_)));
        if is_clear && is_heard {
            let (id, choice) = (request.ballot.id, request.ballot.choice.clone());
            let person = &mut self.voters.voters[request.voter];
            person.in_doubt.retain(|ballot| ballot.id != id || ballot.choice != choice);
        }
    }

    /// A process has died, and everyone who waits there knows that.
    pub fn lose_requests(&mut self, process: usize) {
        for request in &mut self.voters.requests {
            if request.process == process && request.state == State::Waiting {
                request.state = State::Lost;
            }
        }
    }

    /// Every voter who has waited too long at a process was answered just now.
    pub fn check_answered(&mut self, process: usize, since: Moment) {
        let late = self.voters.requests.iter().position(|request| request.waits_since(process, since));
        if let Some(late) = late {
            self.violate(format_args!("request {late} waits for ever at process {process}"));
        }
    }
}
