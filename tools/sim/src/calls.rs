//! Calls to the server, and how they go wrong.

use std::collections::BTreeMap;

use crate::agenda::{MILLI, SECOND};
use crate::election::{Election, Happening};
use crate::server::{Answer, Call, Owner, Proposed, Publish, Refusal, StreamName};

/// How long an answer may take before it counts as missing.
const ANSWER_WITHIN: u64 = 3 * SECOND;

/// The calls of all processes.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    made: usize,
    open: BTreeMap<usize, Pending>,
}

/// A call on its way. It is dropped when its process does not wait for it any more and it cannot arrive any more.
#[derive(Debug)]
struct Pending {
    owner: Owner,
    call: Call,
    /// How often it is still to arrive.
    arrivals: usize,
    answer: Option<Answer>,
    /// Whether its process waits for the answer.
    is_awaited: bool,
    /// Whether it was refused, so that a second copy is not stored.
    is_refused: bool,
}

impl Election {
    /// A part of a process asks the server.
    pub fn call(&mut self, owner: Owner, call: Call) {
        let number = self.calls.made;
        self.calls.made += 1;
        let mut pending =
            Pending { owner, call, arrivals: 0, answer: None, is_awaited: true, is_refused: false };
        if !self.processes[owner.process].is_connected {
            let is_publish = matches!(pending.call, Call::Publish(_));
            pending.answer = Some(if is_publish { Answer::Away } else { Answer::Unanswered });
            self.calls.open.insert(number, pending);
            let pause = if is_publish { 10 } else { self.random.between(MILLI, SECOND) };
            return self.after(pause, Happening::Reply(number));
        }
        self.after(ANSWER_WITHIN, Happening::Timeout(number));
        let noise = self.plan.noise;
        let is_lost = self.noise(noise.loses_request);
        let is_late = self.noise(noise.delays_request);
        let is_doubled = self.noise(noise.doubles_request);
        if !is_lost {
            let on_its_way =
                if is_late { self.random.between(100 * MILLI, 12 * SECOND) } else { self.latency() };
            pending.arrivals += 1;
            self.after(on_its_way, Happening::Arrive(number));
        }
        if is_doubled {
            let on_its_way = self.random.between(MILLI, 2 * SECOND);
            pending.arrivals += 1;
            self.after(on_its_way, Happening::Arrive(number));
        }
        self.calls.open.insert(number, pending);
    }

    pub fn call_arrives(&mut self, number: usize) {
        let Some(pending) = self.calls.open.get_mut(&number) else { return };
        pending.arrivals -= 1;
        if pending.is_refused {
            return;
        }
        let (owner, call) = (pending.owner, pending.call.clone());
        if self.server.is_down {
            // Nobody received it. Whether its process is told so is a matter of chance.
            if self.random.chance(500) {
                self.reply(number, Answer::Away);
            }
            return;
        }
        match call {
            Call::Publish(publish) => self.publish_arrives(number, publish),
            Call::Open(stream, from) => {
                let (consumer, pending) = self.server.open(stream, from, owner);
                self.reply(number, Answer::Opened(consumer, pending));
            }
            Call::OpenDurable(from) => {
                self.delete_durable();
                let (consumer, pending) = self.server.open(StreamName::Votes, Some(from), owner);
                self.server.durable = Some(consumer);
                self.reply(number, Answer::Opened(consumer, pending));
            }
            Call::DeleteDurable => {
                self.delete_durable();
                self.reply(number, Answer::Done);
            }
            Call::Seal => {
                self.check_key();
                self.check_counted_before_sealing();
                self.server.stream_mut(StreamName::Votes).is_sealed = true;
                self.say(format_args!("the server seals the log"));
                self.reply(number, Answer::Done);
            }
            Call::Destroy(stream, sequence) => {
                self.server.stream_mut(stream).delete(sequence);
                self.reply(number, Answer::Done);
            }
            Call::MessageAt(..) | Call::NewestOf(..) | Call::LastSequence(_) | Call::IsSealed => {
                // Which of the servers is asked is a matter of chance.
                let from_the_past = self.random.chance(500);
                let answer = self.server.answer(&call, from_the_past);
                self.reply(number, answer);
            }
        }
    }

    fn publish_arrives(&mut self, number: usize, publish: Publish) {
        // The server knows a message by its id that it has stored already; a single one compares expectations first.
        let first = self.server.stream(publish.stream).of_id(&publish.id);
        let is_refused = !self.plan.is_cluster && self.server.check(&publish).is_err();
        if let Some(sequence) = first.filter(|_| !is_refused) {
            return self.reply(number, Answer::Published(sequence));
        }
        match self.server.check(&publish) {
            Err(refusal) => {
                if refusal == Refusal::Full
                    && let Some(pending) = self.calls.open.get_mut(&number)
                {
                    pending.is_refused = true;
                }
                self.reply(number, Answer::Refused(refusal));
            }
            Ok(()) if self.plan.is_cluster && self.server.proposed.is_none() => {
                self.server.proposed = Some(Proposed { publish, call: number });
                let delays_request = self.plan.noise.delays_request;
                let is_slow = self.noise(delays_request);
                let takes =
                    if is_slow { self.random.between(100 * MILLI, 6 * SECOND) } else { self.latency() };
                self.after(takes, Happening::Commit(number));
            }
            Ok(()) => {
                let sequence = self.store(publish);
                self.reply(number, Answer::Published(sequence));
            }
        }
    }

    /// Most servers of the cluster hold what this call proposed, unless it was lost with its leader.
    pub fn call_commits(&mut self, number: usize) {
        let Some(proposed) = self.server.proposed.take_if(|proposed| proposed.call == number) else { return };
        let sequence = self.store(proposed.publish);
        self.reply(number, Answer::Published(sequence));
    }

    /// Stores a message for good.
    pub fn store(&mut self, publish: Publish) -> u64 {
        let now = self.server_clock();
        self.check_stored(&publish.content);
        if publish.stream == StreamName::Votes {
            let stored = self.books.store(&publish.content);
            self.hold(stored);
        }
        let (stream, subject, id) = (publish.stream, publish.subject, publish.id.clone());
        let sequence = self.server.store(publish, now);
        self.say(format_args!("{stream:?} stores {subject:?} {id} at {sequence}"));
        self.send_ready(stream);
        sequence
    }

    fn reply(&mut self, number: usize, answer: Answer) {
        let loses_answer = self.plan.noise.loses_answer;
        let is_lost = self.noise(loses_answer);
        let on_its_way = self.latency();
        let Some(pending) = self.calls.open.get_mut(&number) else { return };
        if !is_lost && pending.answer.is_none() {
            pending.answer = Some(answer);
            self.after(on_its_way, Happening::Reply(number));
        }
    }

    pub fn reply_arrives(&mut self, number: usize) {
        let Some(pending) = self.calls.open.get(&number) else { return };
        let owner = pending.owner;
        if !pending.is_awaited {
            return;
        }
        if let Some(resumes_at) = self.paused_until(owner.process) {
            return self.agenda.plan(resumes_at, Happening::Reply(number));
        }
        let answer = pending.answer.clone().unwrap_or(Answer::Unanswered);
        self.settle_call(number, answer);
    }

    pub fn call_times_out(&mut self, number: usize) {
        let Some(pending) = self.calls.open.get(&number) else { return };
        if let Some(resumes_at) = self.paused_until(pending.owner.process) {
            return self.agenda.plan(resumes_at, Happening::Timeout(number));
        }
        if pending.is_awaited {
            self.settle_call(number, Answer::Unanswered);
        } else if pending.arrivals == 0 {
            self.calls.open.remove(&number);
        }
    }

    /// Every request that is on its way dies with its connection.
    pub fn calls_die(&mut self) {
        for pending in self.calls.open.values_mut() {
            pending.is_refused = true;
        }
    }

    /// The connection of a process is lost, and with it every answer that was on its way.
    pub fn lose_calls(&mut self, process: usize) {
        let lost = |pending: &Pending| pending.is_awaited && pending.owner.process == process;
        let numbers: Vec<usize> =
            self.calls.open.iter().filter(|(_, it)| lost(it)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.settle_call(number, Answer::Unanswered);
        }
    }

    fn settle_call(&mut self, number: usize, answer: Answer) {
        let Some(pending) = self.calls.open.get_mut(&number) else { return };
        pending.is_awaited = false;
        let (owner, call) = (pending.owner, pending.call.clone());
        if pending.arrivals == 0 && !matches!(answer, Answer::Unanswered) {
            self.calls.open.remove(&number);
        }
        if self.is_alive(owner) {
            self.answered(owner, &call, answer);
        }
    }
}
