//! Answers to voters, held against the books: each must be true when it is given.

use subjects::RoundState;
use vote::ballot_box::ANSWER_WITHIN;
use vote::rules::{Ballot, Refusal, takes_ballots};
use vote::{Accepted, NotAccepted};

use crate::agenda::Moment;
use crate::books::Violation;
use crate::election::Election;
use crate::vote::micros;

/// What a vote process has seen, as far as its answers depend on it.
#[derive(Clone, Copy)]
struct Seen {
    arrived_at: Moment,
    /// When it last could not write to the log.
    trouble_at: Option<Moment>,
    /// When it last appended a block.
    appended_at: Option<Moment>,
    /// Whether the round is closed, by its state or by the clock of the process.
    is_closed: bool,
    /// Whether the process does not know that the round is open.
    is_unknown: bool,
    /// Whether too many wait.
    is_full: bool,
}

impl Election {
    /// A box answers a voter: what it says must be true.
    pub fn answer(&mut self, number: usize, request: usize, answer: Result<Accepted, NotAccepted>) {
        self.say(format_args!("box {number} answers request {request}: {answer:?}"));
        if self.voters.requests[request].is_answered() {
            self.violate(format_args!("request {request} is answered twice"));
        }
        if let Some(seen) = self.seen(number, request) {
            let ballot = self.voters.requests[request].ballot.clone();
            if let Err(violation) = self.check_answer(&ballot, seen, answer) {
                self.violate(format_args!("request {request}: {violation}"));
            }
        }
        self.give_answer(request, answer);
    }

    /// What the process has seen; `None` when what it knows is of a log that is no more.
    fn seen(&mut self, number: usize, request: usize) -> Option<Seen> {
        let arrived_at = self.voters.requests[request].arrived_at.unwrap_or(0);
        let (wall, waiting_max) = (self.clocks(number).wall, self.plan.waiting_max);
        let vote = self.vote(number).filter(|vote| !vote.is_behind_a_rollback)?;
        let round = vote.round.as_ref().map(|changed| &changed.round);
        Some(Seen {
            arrived_at,
            trouble_at: vote.trouble_at,
            appended_at: vote.appended_at,
            is_closed: round.is_some_and(|round| takes_ballots(round, wall).is_err()),
            is_unknown: round.is_none_or(|round| round.state == RoundState::Draft),
            is_full: vote.queue.len() + vote.ballot_box.waiting() >= waiting_max,
        })
    }

    fn check_answer(
        &mut self,
        ballot: &Ballot,
        seen: Seen,
        answer: Result<Accepted, NotAccepted>,
    ) -> Result<(), Violation> {
        let key = (ballot.voter, ballot.id);
        match answer {
            Ok(accepted) => {
                if accepted.ballot != ballot.id {
                    if ballot.has_given_id {
                        return Err(format!("it has the id {}, not {}", ballot.id, accepted.ballot));
                    }
                    self.books.deny(key)?;
                }
                self.books.promise((ballot.voter, accepted.ballot), accepted.place, &ballot.choice)
            }
            Err(NotAccepted::Unconfirmed) => match seen.appended_at {
                Some(appended_at) if appended_at >= seen.arrived_at => Ok(()),
                _ => Err("it is not confirmed, though nothing was appended".to_owned()),
            },
            Err(NotAccepted::Refused(Refusal::BallotIdReused)) => match self.books.ballot(&key) {
                Some((_, choice)) if *choice != ballot.choice => Ok(()),
                there => Err(format!("its id was not used for another choice: {there:?}")),
            },
            Err(not_accepted) => {
                self.books.deny(key)?;
                let is_true = self.is_true(ballot, seen, not_accepted);
                if is_true { Ok(()) } else { Err(format!("it is not true that {not_accepted}")) }
            }
        }
    }

    fn is_true(&self, ballot: &Ballot, seen: Seen, not_accepted: NotAccepted) -> bool {
        match not_accepted {
            NotAccepted::Refused(Refusal::AlreadyVoted) => {
                !self.plan.allow_changes && self.books.newest(&ballot.voter).is_some()
            }
            NotAccepted::Refused(Refusal::Closed) => self.books.sealed_at().is_some() || seen.is_closed,
            // The product answers so with 503 when it does not know the round yet.
            NotAccepted::Refused(Refusal::NotYetOpen) => seen.is_unknown,
            NotAccepted::LogAway => {
                self.now - seen.arrived_at > micros(ANSWER_WITHIN)
                    || seen.trouble_at.is_some_and(|at| at >= seen.arrived_at)
            }
            NotAccepted::Full => seen.is_full,
            NotAccepted::Refused(Refusal::BallotIdReused) | NotAccepted::Unconfirmed => false,
        }
    }
}
