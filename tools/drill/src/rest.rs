//! The end of a drill: everything comes to rest, and the books are compared.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use tokio::time::Instant;

use crate::load::{Load, ask};
use crate::story::{Story, Try, compare, numbers};
use crate::watch::Watchers;
use crate::{ACTORS, Drill, Random, Verdict};
use urna_world::{Audit, Scoreboard, Voter, World, recount, unfinished};

/// The round that is voted in.
const ROUND: &str = "demo";
/// How long everything may take to come to rest.
const REST_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked whether it has.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// The most that a process may hold in memory at the end.
const MEMORY_MAX: u64 = 300 * 1024 * 1024;

impl Drill {
    /// Lets everything come to rest, asks once more about half of what is in doubt, and compares.
    pub(super) async fn finish(mut self, load: Load, watchers: Watchers) -> Verdict {
        println!("The parts are left alone. Voters finish, and everything comes to rest.");
        let left_alone = Instant::now();
        let mut stories = load.end().await;
        self.rest(&watchers).await;
        self.verdict.caught_up_in = left_alone.elapsed();
        self.look_after();
        self.settle(&mut stories).await;
        self.rest(&watchers).await;
        self.verdict.numbers = numbers(&stories);
        match recount(&self.world, ROUND).await {
            Ok(audit) => self.compare(&stories, &audit).await,
            Err(fault) => self.verdict.differs(format!("there is no recount: {fault:#}")),
        }
        for seen in watchers.seen() {
            self.verdict.events += seen.events;
            seen.faults.into_iter().for_each(|fault| self.verdict.differs(fault));
        }
        self.weigh();
        let keep = self.verdict.settings.keep || !self.verdict.is_clean();
        if keep {
            self.verdict.logs = Some(self.world.folder().to_owned());
        }
        self.world.leave(keep);
        self.verdict
    }

    async fn rest(&mut self, watchers: &Watchers) {
        let begin = Instant::now();
        while let Err(restless) = at_rest(&self.world, watchers).await {
            if begin.elapsed() > REST_WITHIN {
                return self.verdict.differs(format!("no rest within {REST_WITHIN:?}: {restless:#}"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Asks again about every second ballot that is in doubt: now there must be a certain answer.
    async fn settle(&mut self, stories: &mut [Story]) {
        let voter = Voter::browser(&self.world.address("vote"));
        let mut random = Random::new(self.verdict.settings.seed);
        // A browser's cookie is gone with its story; a program can be asked for again by its name.
        for story in stories.iter_mut().filter(|story| story.is_program) {
            for (ballot, choice) in story.in_doubt() {
                if random.chance(50) {
                    continue;
                }
                let told = ask(&voter.named(&story.voter), &ballot, choice).await;
                if !told.is_settled() {
                    let say = format!("ballot {ballot} got no certain answer at rest: {told:?}");
                    self.verdict.differs(say);
                }
                self.verdict.asked_again += 1;
                story.tries.push(Try { ballot, choice, told });
            }
        }
    }

    /// Compares what voters were told, the log, the scoreboard and what is shown.
    async fn compare(&mut self, stories: &[Story], audit: &Audit) {
        compare(stories, audit).into_iter().for_each(|difference| self.verdict.differs(difference));
        self.verdict.ledger = audit.scoreboard();
        match Scoreboard::read(&self.world.database().await, ROUND).await {
            Ok(scoreboard) if scoreboard == audit.scoreboard() => {}
            Ok(scoreboard) => {
                let recounted = audit.scoreboard();
                self.verdict.differs(format!("the scoreboard says {scoreboard:?}, the log {recounted:?}"));
            }
            Err(fault) => self.verdict.differs(format!("the scoreboard cannot be read: {fault}")),
        }
        for name in ["result", "result-2"] {
            match results(&self.world, name).await {
                Ok(shown) => {
                    let differences = shown_wrongly(name, &shown, audit);
                    differences.into_iter().for_each(|difference| self.verdict.differs(difference));
                }
                Err(fault) => self.verdict.differs(format!("{name} shows nothing: {fault}")),
            }
        }
    }

    /// Looks at what every part holds in memory.
    fn weigh(&mut self) {
        let actors = ACTORS.map(|name| (name, self.world.memory(name)));
        let servers = [
            ("nats-server", self.world.nats().memory()),
            ("postgres", self.world.postgres().memory()),
            ("redis", self.world.redis_server().memory()),
        ];
        for (name, memory) in actors.into_iter().chain(servers) {
            match memory {
                Some(bytes) => {
                    self.verdict.memory.push((name, bytes));
                    if bytes > MEMORY_MAX {
                        self.verdict.differs(format!("{name} holds {} MiB in memory", bytes >> 20));
                    }
                }
                None => self.verdict.differs(format!("{name} does not run")),
            }
        }
    }
}

/// Whether every part is ready, every durable done, the whole log counted, and all of it shown to everyone.
async fn at_rest(world: &World, watchers: &Watchers) -> anyhow::Result<()> {
    for name in ACTORS {
        let health = Voter::browser(&world.address(name)).patient_for(ANSWER_WITHIN);
        let answer = health.try_asks("/health").await?;
        ensure!(answer.status == 200, "{name} is not well: {}", answer.body);
    }
    let jetstream = world.jetstream().await?;
    let unfinished = unfinished(&jetstream).await?;
    ensure!(unfinished.is_empty(), "{}", unfinished.join("; "));
    let head = jetstream.get_stream("VOTES-demo").await?.cached_info().state.last_sequence;
    let counted =
        tokio::time::timeout(ANSWER_WITHIN, Scoreboard::read(&world.database().await, ROUND)).await??;
    ensure!(u64::try_from(counted.sequence)? == head, "{} of {head} is counted", counted.sequence);
    for name in ["result", "result-2"] {
        let sequence = results(world, name).await?["sequence"].clone();
        ensure!(sequence == head, "{name} shows {sequence} of {head}");
    }
    for watched in watchers.seen() {
        ensure!(watched.sequence == head, "a watcher has seen {} of {head}", watched.sequence);
    }
    Ok(())
}

async fn results(world: &World, name: &str) -> anyhow::Result<Value> {
    let voter = Voter::browser(&world.address(name)).patient_for(ANSWER_WITHIN);
    let answer = voter.try_asks("/rounds/demo/results").await?;
    ensure!(answer.status == 200, "{name} answers {}", answer.status);
    Ok(answer.body)
}

/// Whatever a result process shows otherwise than the recount.
fn shown_wrongly(name: &str, shown: &Value, audit: &Audit) -> Vec<String> {
    let mut found = Vec::new();
    let recounted = audit.scoreboard();
    let numbers = [
        ("accepted", recounted.accepted),
        ("counted", recounted.counted),
        ("replaced", recounted.replaced),
        ("unreadable", recounted.unreadable),
    ];
    for (entry, number) in numbers {
        if shown["ledger"][entry] != number {
            found.push(format!("{name} shows {} {entry}, the log has {number}", shown["ledger"][entry]));
        }
    }
    for line in shown["lines"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let option = line["option"].as_str().unwrap_or_default();
        let votes = audit.votes.get(option).copied().unwrap_or(0);
        if line["votes"] != votes {
            found.push(format!("{name} shows {} votes for {option}, the log has {votes}", line["votes"]));
        }
    }
    found
}
