//! An in-memory scoreboard: one round's counts and cursor, and the locks by which tallies share it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tally::rules::Scoreboard;

use crate::agenda::{MILLI, Moment, SECOND};
use crate::election::{Election, Happening};
use crate::server::Owner;

/// How long an answer may take before it counts as missing.
const ANSWER_WITHIN: Moment = 4 * SECOND;
/// After how long without a word a lock session is ended.
const SESSION_SILENCE: Moment = 5 * SECOND;

/// The scoreboard.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    /// The newest last.
    commits: Vec<Scoreboard>,
    pub is_down: bool,
    /// Who holds the lock of the round, and when it was last heard of.
    lock: Option<(usize, u32, Moment)>,
    /// The lock sessions that are open.
    sessions: BTreeSet<(usize, u32)>,
    calls: Vec<Option<Asked>>,
}

/// A statement on its way.
#[derive(Clone, Debug)]
struct Asked {
    owner: Owner,
    statement: Statement,
    answer: Option<Row>,
}

/// What a process asks of the scoreboard.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Read,
    Commit {
        from: Arc<Scoreboard>,
        to: Arc<Scoreboard>,
    },
    /// The rounds whose counts an operator has replaced.
    Replaced,
    OpenSession,
    /// Takes the lock of the round, if it is wanted.
    TakeLock {
        is_wanted: bool,
    },
}

/// What the scoreboard answers.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Counts(Box<Scoreboard>),
    Committed,
    Moved,
    /// How often an operator has replaced the counts.
    Replaced(i64),
    Opened,
    /// Whether the lock is held.
    Locked(bool),
    /// The session is lost, or nothing was answered.
    Away,
}

impl Scores {
    /// What is committed.
    pub fn committed(&self) -> Scoreboard {
        self.commits.last().cloned().unwrap_or_default()
    }

    /// Commits these counts, if the cursor is still where it was read.
    fn commit(&mut self, from: &Scoreboard, to: &Scoreboard) -> bool {
        let there = self.commits.last();
        let matches = match there {
            Some(there) => there.sequence == from.sequence && there.generation == from.generation,
            None => from.sequence == 0,
        };
        if matches {
            let mut after = there.cloned().unwrap_or_default();
            for (option, votes) in &to.votes {
                if from.votes.get(option) != Some(votes) {
                    after.votes.insert(option.clone(), *votes);
                }
            }
            let (sequence, stored_at, ledger, is_final) = (to.sequence, to.stored_at, to.ledger, to.is_final);
            self.commits.push(Scoreboard { sequence, stored_at, ledger, is_final, ..after });
        }
        matches
    }

    /// An operator puts other counts in place.
    pub fn replace(&mut self, counts: Scoreboard) {
        let generation = self.committed().generation + 1;
        self.commits.push(Scoreboard { generation, ..counts });
    }

    /// It comes back from a copy without the last commits.
    pub fn roll_back(&mut self, commits: u64) {
        let generation = self.committed().generation;
        let left = self.commits.len().saturating_sub(usize::try_from(commits).unwrap_or(usize::MAX));
        // A copy from before a repair is not put back by anyone.
        if left == 0 || self.commits[left - 1].generation == generation {
            self.commits.truncate(left);
            self.end_sessions();
        }
    }

    /// Every session has ended.
    pub fn end_sessions(&mut self) {
        self.sessions.clear();
        self.lock = None;
    }

    /// A session has ended with its process or its connection.
    pub fn end_session(&mut self, process: usize) {
        self.release(process);
        self.sessions.retain(|(holder, _)| *holder != process);
    }

    /// Gives the lock back.
    pub fn release(&mut self, process: usize) {
        self.lock = self.lock.filter(|(holder, ..)| *holder != process);
    }
}

impl Election {
    /// A part of a process asks the scoreboard.
    pub fn ask_scores(&mut self, owner: Owner, statement: Statement) {
        let number = self.scores.calls.len();
        self.scores.calls.push(Some(Asked { owner, statement, answer: None }));
        let on_its_way = self.latency();
        let loses_commit = self.plan.noise.loses_commit;
        if self.noise(loses_commit / 4) {
            // It is cut off, and the statement arrives late.
            let late = self.random.between(100 * MILLI, 8 * SECOND);
            self.after(late, Happening::Statement(number));
        } else {
            self.after(on_its_way, Happening::Statement(number));
        }
        self.after(ANSWER_WITHIN, Happening::Row(number));
    }

    /// A statement reaches the scoreboard.
    pub fn statement_arrives(&mut self, number: usize) {
        let Some(Some(asked)) = self.scores.calls.get(number).cloned() else { return };
        if self.scores.is_down {
            return;
        }
        let row = self.execute(asked.owner, &asked.statement);
        let loses_commit = self.plan.noise.loses_commit;
        let is_lost = self.noise(loses_commit);
        let on_its_way = self.latency();
        if let Some(Some(asked)) = self.scores.calls.get_mut(number)
            && !is_lost
        {
            asked.answer = Some(row);
            self.after(on_its_way, Happening::Row(number));
        }
    }

    fn execute(&mut self, owner: Owner, statement: &Statement) -> Row {
        match statement {
            Statement::Read => Row::Counts(Box::new(self.scores.committed())),
            Statement::Commit { from, to } => {
                if !self.scores.commit(from, to) {
                    return Row::Moved;
                }
                let committed = self.scores.committed();
                self.say(format_args!(
                    "the scoreboard commits {}: {:?}",
                    committed.sequence, committed.ledger
                ));
                self.check_counts(&committed);
                Row::Committed
            }
            Statement::Replaced => Row::Replaced(self.scores.committed().generation),
            Statement::OpenSession => {
                self.scores.sessions.insert((owner.process, owner.life));
                Row::Opened
            }
            Statement::TakeLock { is_wanted } => self.take_lock(owner, *is_wanted),
        }
    }

    fn take_lock(&mut self, owner: Owner, is_wanted: bool) -> Row {
        let me = (owner.process, owner.life);
        let now = self.now;
        if !self.scores.sessions.contains(&me) {
            return Row::Away;
        }
        if let Some((process, life, heard_at)) = self.scores.lock {
            let is_mine = (process, life) == me;
            let is_silent = now - heard_at > SESSION_SILENCE;
            if is_mine && is_silent {
                self.scores.end_session(owner.process);
                return Row::Away;
            }
            if !is_mine && !is_silent {
                return Row::Locked(false);
            }
            if is_mine {
                self.scores.lock = Some((process, life, now));
                return Row::Locked(is_wanted);
            }
        }
        self.scores.lock = is_wanted.then_some((me.0, me.1, now));
        Row::Locked(is_wanted)
    }

    /// The answer to a statement reaches its process, or it is too late for one.
    pub fn row_arrives(&mut self, number: usize) {
        let Some(Some(asked)) = self.scores.calls.get(number) else { return };
        let owner = asked.owner;
        if let Some(resumes_at) = self.paused_until(owner.process) {
            return self.agenda.plan(resumes_at, Happening::Row(number));
        }
        let Some(asked) = self.scores.calls[number].take() else { return };
        if self.is_alive(owner) {
            self.scores_answer(owner, &asked.statement, asked.answer.unwrap_or(Row::Away));
        }
    }

    /// Counts that are committed are those of the log up to their cursor.
    pub fn check_counts(&mut self, counts: &Scoreboard) {
        let mut votes = counts.votes.clone();
        votes.retain(|_, votes| *votes != 0);
        let checked = match self.books.prefix(counts.sequence) {
            Some(prefix) if prefix.votes != votes => Err(format!("votes {votes:?}, not {:?}", prefix.votes)),
            Some(prefix) if prefix.ledger != counts.ledger => {
                Err(format!("{:?}, not {:?}", counts.ledger, prefix.ledger))
            }
            Some(prefix) if prefix.is_final != counts.is_final => Err("whether they are final".to_owned()),
            Some(_) if counts.ledger.balances() => Ok(()),
            Some(_) => Err("they do not balance".to_owned()),
            None => Err(format!("the log ends at {}", self.books.end())),
        };
        if let Err(why) = checked
            && !self.is_log_rolled_back
        {
            self.violate(format_args!("the counts up to {} are wrong: {why}", counts.sequence));
        }
    }
}
