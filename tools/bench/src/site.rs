//! What is measured, seen from outside; and the books: what voters were told against what is written down.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use subjects::Ledger;
use tokio::time::sleep;

use crate::args::{Plan, Shape, Target};
use crate::client::Told;
use crate::http;
use crate::load::{self, Load, Outcome};
use crate::log::{Blocks, Log};
use crate::requests::{Requests, Voters};

/// How long the tally may stand still before what is missing counts as lost.
const COUNTED_WITHIN: Duration = Duration::from_secs(30);
/// The pause between two looks at the results.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A system, one of its rounds, and its books.
pub struct Site {
    /// Where it answers.
    pub target: Target,
    round: String,
    voters: Voters,
    /// The round's log, where it can be read.
    pub log: Option<Log>,
    /// What the ledger must say.
    pub books: Ledger,
    /// What does not agree.
    pub differences: Vec<String>,
}

/// A load of ballots.
pub struct Voted {
    /// What came of it.
    pub outcome: Outcome,
    /// From the first request until every ballot was counted.
    pub counted: Duration,
    /// The blocks it came in, where the log can be read.
    pub blocks: Option<Blocks>,
}

/// The results of a round.
#[derive(Deserialize)]
struct Results {
    ledger: Ledger,
    lines: Vec<Line>,
}

/// The result of one option.
#[derive(Deserialize)]
struct Line {
    option: String,
}

impl Site {
    /// The plan's round at a target. Votes that are there already are in the books.
    ///
    /// # Errors
    /// When the round's results cannot be read.
    pub async fn open(target: &Target, plan: &Plan, log: Option<Log>) -> anyhow::Result<Self> {
        let round = plan.round.to_string();
        let Results { ledger, lines } = results(target, &round).await?;
        let options: Vec<String> = lines.into_iter().map(|line| line.option).collect();
        ensure!(!options.is_empty(), "the round {round} has no options");
        let voters = Voters::of(target, &round, options);
        Ok(Self { target: target.clone(), round, voters, log, books: ledger, differences: Vec::new() })
    }

    /// From now on new voters are shared out between these targets.
    pub fn vote_at(&mut self, targets: Vec<Target>) {
        self.voters.at(targets);
    }

    /// New voters on so many connections.
    pub fn crowd(&mut self, connections: usize) -> Vec<Requests> {
        self.voters.crowd(connections, Shape::Steady)
    }

    /// Asks for `/live`, as fast as it goes.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn greet(
        &mut self,
        connections: usize,
        length: Duration,
        shape: Shape,
    ) -> anyhow::Result<Outcome> {
        let requests = vec![Requests::hello(&self.target); connections];
        let outcome = run(Load { requests, length, shape }).await?;
        self.look_at(&outcome.told);
        Ok(outcome)
    }

    /// Lets new voters vote, as fast as it goes, and checks the books.
    ///
    /// # Errors
    /// When there is no connection, or the log cannot be read.
    pub async fn vote(
        &mut self,
        connections: usize,
        length: Duration,
        shape: Shape,
    ) -> anyhow::Result<Voted> {
        let requests = self.voters.crowd(connections, shape);
        let outcome = run(Load { requests, length, shape }).await?;
        let (ballots, replaced) = (outcome.ballots, outcome.replaced);
        self.enter(&outcome.told, ballots, replaced).await?;
        let counted = outcome.began.elapsed();
        let blocks = self.compare_log().await?;
        Ok(Voted { outcome, counted, blocks })
    }

    /// Enters in the books what new voters were told, and compares with the ledger and the log.
    ///
    /// # Errors
    /// When the results or the log cannot be read.
    pub async fn check(&mut self, told: &Told) -> anyhow::Result<()> {
        self.enter(told, told.accepted, 0).await?;
        self.compare_log().await?;
        Ok(())
    }

    /// Enters ballots in the books, and compares with the ledger once the tally has come to the end.
    async fn enter(&mut self, told: &Told, ballots: u64, replaced: u64) -> anyhow::Result<()> {
        self.look_at(told);
        self.books.accepted += ballots;
        self.books.replaced += replaced;
        self.books.counted += ballots - replaced;
        let ledger = self.counted(self.books.accepted).await?;
        if ledger != self.books {
            let (told, written) = (in_words(&self.books), in_words(&ledger));
            self.differences.push(format!("voters were told of {told}; the ledger says {written}"));
        }
        self.books = ledger;
        Ok(())
    }

    /// Compares the ledger with what is stored, where that can be read, and tells what has come.
    async fn compare_log(&mut self) -> anyhow::Result<Option<Blocks>> {
        let Some(log) = &mut self.log else { return Ok(None) };
        let blocks = log.count().await?;
        let (stored, accepted) = (log.ballots, self.books.accepted);
        if stored != accepted {
            self.differences.push(format!("the log holds {stored} ballots, and the ledger says {accepted}"));
        }
        Ok(Some(blocks))
    }

    /// The ledger, once it has come to so many accepted ballots or stands still.
    async fn counted(&self, accepted: u64) -> anyhow::Result<Ledger> {
        let (mut last, mut moved) = (None, Instant::now());
        loop {
            let ledger = results(&self.target, &self.round).await?.ledger;
            if ledger.accepted >= accepted || moved.elapsed() > COUNTED_WITHIN {
                return Ok(ledger);
            }
            if last.replace(ledger) != Some(ledger) {
                moved = Instant::now();
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn look_at(&mut self, told: &Told) {
        if let Some(first) = &told.first_wrong {
            self.differences.push(format!("{} answers were wrong, the first: {first}", told.wrong));
        }
        if told.unsettled > 0 {
            self.differences.push(format!("{} requests were never answered", told.unsettled));
        }
    }
}

fn in_words(ledger: &Ledger) -> String {
    let Ledger { accepted, counted, replaced, unreadable } = ledger;
    let mut words = format!("{accepted} ballots, {counted} counted and {replaced} replaced");
    if *unreadable > 0 {
        words += &format!(", and {unreadable} messages that nobody can read");
    }
    words
}

/// On threads of its own, for which this one waits.
async fn run(load: Load) -> anyhow::Result<Outcome> {
    tokio::task::spawn_blocking(move || load::run(&load)).await.context("failed to wait for a load")?
}

async fn results(target: &Target, round: &str) -> anyhow::Result<Results> {
    let path = format!("/rounds/{round}/results");
    let away = || format!("failed to read http://{}{path}", target.host);
    let (status, body) = http::get_once(target, &path).await.with_context(away)?;
    ensure!(status == 200, "{}: status {status}", away());
    serde_json::from_slice(&body).with_context(away)
}
