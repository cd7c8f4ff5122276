//! What goes wrong, and how it is put right.

use tally::rules::Scoreboard;

use crate::agenda::{MILLI, SECOND};
use crate::election::{Election, Happening};
use crate::plan::Fault;
use crate::server::{Content, Expect, Part, Publish, StreamName, Subject};

impl Election {
    pub fn goes_wrong(&mut self, fault: Fault) {
        if self.is_calm {
            return;
        }
        self.say(format_args!("FAULT: {fault:?}"));
        match fault {
            Fault::Kill(process, back_after) => self.die(process, back_after),
            Fault::Pause(process, for_) => {
                self.processes[process].resumes_at = Some(self.now + for_);
            }
            Fault::Cut(process, back_after) => self.cut(process, back_after),
            Fault::ClockJumps(process, by) => self.processes[process].wall_offset += by,
            Fault::ServerDown(for_) => self.server_goes_down(fault, for_),
            Fault::StaleLeader(for_, lacks) => {
                if self.plan.is_cluster {
                    let end = self.server.stream(StreamName::Votes).end();
                    self.server.stale_end = Some(end.saturating_sub(lacks));
                    let end = self.server.stream(StreamName::Rounds).end();
                    self.server.stale_rounds_end = Some(end.saturating_sub(lacks).max(1));
                    self.after(for_, Happening::Mend(fault));
                }
            }
            Fault::Full(for_) => {
                self.server.is_full = true;
                self.after(for_, Happening::Mend(fault));
            }
            Fault::RollBack(lacks) => self.roll_back(lacks),
            Fault::RollBackAcknowledged => self.rolls_back_next = true,
            Fault::Garbage => self.store_garbage(),
            Fault::DeleteConsumer => self.delete_durable(),
            Fault::Redeliver(again) => {
                let durable = self.server.durable.and_then(|it| self.server.consumers.get_mut(&it));
                if let Some(consumer) = durable {
                    consumer.next = consumer.next.saturating_sub(again).max(1);
                    self.send_ready(StreamName::Votes);
                }
            }
            Fault::ScoreboardDown(for_) => {
                self.scores.is_down = true;
                self.scores.end_sessions();
                self.after(for_, Happening::Mend(fault));
            }
            Fault::ScoreboardRollBack(commits) => {
                self.scores.roll_back(commits);
                self.are_scores_rolled_back = true;
            }
            Fault::Repair => self.repair(),
        }
    }

    pub fn mends(&mut self, fault: Fault) {
        self.say(format_args!("mended: {fault:?}"));
        match fault {
            Fault::ServerDown(_) => self.server.is_down = false,
            Fault::StaleLeader(..) => {
                self.server.stale_end = None;
                self.server.stale_rounds_end = None;
            }
            Fault::Full(_) => self.server.is_full = false,
            Fault::ScoreboardDown(_) => self.scores.is_down = false,
            _ => {}
        }
    }

    /// Every connection is lost, and what most of the cluster did not hold.
    fn server_goes_down(&mut self, fault: Fault, for_: u64) {
        self.server.is_down = true;
        if let Some(proposed) = self.server.proposed.take() {
            // The next leader has it, or it is gone. Nobody is told which.
            if self.random.chance(500) {
                self.store(proposed.publish);
            }
        }
        self.forget_readers_of_server();
        self.after(for_, Happening::Mend(fault));
    }

    fn forget_readers_of_server(&mut self) {
        let durable = self.server.durable;
        self.server.forget_consumers(|consumer| !matches!(consumer.owner.part, Part::Intake(_)));
        self.server.durable = durable;
        for process in 0..self.processes.len() {
            let back_after = self.random.between(10 * MILLI, SECOND);
            self.cut(process, back_after);
        }
    }

    /// A block was acknowledged to a box.
    pub fn acknowledged(&mut self) {
        if std::mem::take(&mut self.rolls_back_next) && !self.is_calm {
            self.roll_back(1);
        }
    }

    /// An operator restores an older copy of the log.
    fn roll_back(&mut self, lacks: u64) {
        let stream = self.server.stream(StreamName::Votes);
        // One that is sealed for good is not put back by anyone.
        if stream.is_sealed || lacks > stream.end() {
            return;
        }
        let end = stream.end() - lacks;
        self.server.proposed = None;
        self.server.stale_end = None;
        self.server.stream_mut(StreamName::Votes).roll_back(end);
        self.server.forget_consumers(|consumer| consumer.stream == StreamName::Votes);
        self.books.roll_back(end);
        self.calls_die();
        self.is_log_rolled_back = true;
        self.say(format_args!("the log ends at {end} again"));
        for process in 0..self.processes.len() {
            if let Some(vote) = self.vote(process)
                && vote.ballot_box.sequence() > end
            {
                vote.is_behind_a_rollback = true;
            }
        }
        self.forget_readers_of_server();
    }

    fn store_garbage(&mut self) {
        let publish = Publish {
            stream: StreamName::Votes,
            subject: Subject::Cast,
            id: format!("garbage-{}", self.now),
            content: Content::Garbage,
            expect: Expect::Nothing,
        };
        let is_sealed = self.books.sealed_at().is_some();
        if !is_sealed && !self.server.is_down && self.server.proposed.is_none() {
            self.store(publish);
        }
    }

    /// Nothing goes wrong any more: everything that is broken is put right.
    pub fn calm(&mut self) {
        self.say(format_args!("nothing goes wrong any more"));
        self.is_calm = true;
        self.server.is_down = false;
        self.server.is_full = false;
        self.server.stale_end = None;
        self.server.stale_rounds_end = None;
        self.scores.is_down = false;
        if self.is_log_rolled_back {
            self.repair();
        }
        for process in 0..self.processes.len() {
            let life = self.processes[process].life;
            self.processes[process].resumes_at = None;
            self.processes[process].wall_offset = 0;
            self.connect(process, life);
            self.start(process);
        }
    }

    /// The tally's consumer is deleted. A process that reads from it learns so, soon or by the missing heartbeats.
    pub fn delete_durable(&mut self) {
        if let Some(number) = self.server.durable.take()
            && let Some(consumer) = self.server.consumers.remove(&number)
        {
            let soon = self.random.between(MILLI, 4 * SECOND);
            self.after(soon, Happening::ConsumerGone(consumer.owner, number));
        }
    }

    /// An operator counts the log again, and puts these counts in place.
    pub fn repair(&mut self) {
        let end = self.books.end();
        let Some(prefix) = self.books.prefix(end).cloned() else { return };
        let stored_at = self.server.stream(StreamName::Votes).at(end).map(|stored| stored.stored_at);
        self.scores.replace(Scoreboard {
            sequence: end,
            stored_at,
            votes: prefix.votes,
            ledger: prefix.ledger,
            is_final: prefix.is_final,
            generation: 0,
        });
        self.is_log_rolled_back = false;
        self.repaired_to = self.repaired_to.max(end);
        self.say(format_args!("an operator repairs the counts, up to {end}"));
    }
}
