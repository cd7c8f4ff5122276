//! What can be measured of a system that is one's own.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::{sleep, timeout};
use urna_servers::Durability;

use crate::args::{Programs, Setting, Shape, Target};
use crate::client::{Client, Told};
use crate::http;
use crate::log::{Blocks, Log};
use crate::machine;
use crate::outside::{self, Desk};
use crate::rows::Key;
use crate::scoreboard::Scoreboard;
use crate::site::{Site, Voted};
use crate::system::System;

/// How long an Urna does nothing before its memory is looked at.
const IDLE: Duration = Duration::from_secs(1);
/// How long Urna may take until it accepts ballots again.
const VOTES_WITHIN: Duration = Duration::from_secs(120);
/// The pause between two tries.
const AGAIN_AFTER: Duration = Duration::from_millis(10);
/// How long the appends take that are not Urna's, and each load that only fills the log, at the most.
const SHORT: Duration = Duration::from_secs(3);

/// A system of one's own, and its books.
struct Inside {
    system: System,
    site: Site,
}

/// Measures a new system whose log waits for the disk, and then one whose log does not.
///
/// # Errors
/// When a part cannot be started or does not answer.
pub async fn measure(desk: &mut Desk, programs: &Programs, settings: &[Setting]) -> anyhow::Result<()> {
    desk.progress.say("starting servers");
    let mut inside = Inside::start(desk, programs, Durability::Synced, settings).await?;
    inside.measure(desk).await?;
    desk.report.differences.append(&mut inside.site.differences);
    drop(inside);

    desk.progress.say("starting servers");
    let mut inside = Inside::start(desk, programs, Durability::Unsynced, settings).await?;
    let (crowd, length, shape) = (desk.plan.crowd, desk.plan.length, desk.plan.shape);
    desk.progress.say(&format!("ballots over {crowd} connections, unsynced"));
    let outcome = inside.site.vote(crowd, length, shape).await?.outcome;
    desk.report.note(Key::Unsynced, outcome.per_second(outcome.ballots));
    desk.report.differences.append(&mut inside.site.differences);
    Ok(())
}

impl Inside {
    async fn start(
        desk: &Desk,
        programs: &Programs,
        durability: Durability,
        settings: &[Setting],
    ) -> anyhow::Result<Self> {
        let system = System::start(programs, durability, settings).await?;
        let log = Log::open(&system, &desk.plan.round).await?;
        let site = Site::open(&system.target()?, &desk.plan, Some(log)).await?;
        Ok(Self { system, site })
    }

    async fn measure(&mut self, desk: &mut Desk) -> anyhow::Result<()> {
        desk.progress.say("at rest");
        sleep(IDLE).await;
        self.note_memory(desk, Key::IdleMemory);
        desk.report.note(Key::Fsync, machine::fsync(self.system.folder())?);
        let blocks = outside::measure(desk, &mut self.site).await?;
        self.note_memory(desk, Key::LoadMemory);
        self.append(desk, blocks).await?;
        self.two(desk).await?;
        self.fill(desk).await?;
        let ballots = self.site.books.accepted;
        desk.report.note(Key::Ballots, ballots as f64);
        desk.progress.say("reading the log");
        let log = self.site.log.as_ref().context("a system of one's own has a log")?;
        desk.report.note(Key::Read, per_second(ballots, log.read_only().await?));
        self.catch_up(desk).await?;
        self.recount(desk).await?;
        self.restart(desk).await
    }

    fn note_memory(&self, desk: &mut Desk, key: Key) {
        if let Some(memory) = self.system.memory() {
            desk.report.note(key, memory);
        }
    }

    /// What JetStream does with blocks like those of the crowd.
    async fn append(&self, desk: &mut Desk, blocks: Option<Blocks>) -> anyhow::Result<()> {
        desk.progress.say("appending straight to JetStream");
        let (Some(log), Some(blocks)) = (&self.site.log, blocks) else { return Ok(()) };
        desk.report.note(Key::Appends, log.append(blocks.size, desk.plan.length.min(SHORT)).await?);
        Ok(())
    }

    /// Lets the crowd vote at two processes at once, which append to the same log.
    async fn two(&mut self, desk: &mut Desk) -> anyhow::Result<()> {
        let (crowd, length, shape) = (desk.plan.crowd, desk.plan.length, desk.plan.shape);
        desk.progress.say("starting a second urna");
        let first = self.site.target.clone();
        let second = self.system.second().await?;
        desk.progress.say(&format!("ballots over {crowd} connections at two processes"));
        self.site.vote_at(vec![first.clone(), second.target.clone()]);
        let before = conflicts([&first, &second.target]).await?;
        let Voted { mut outcome, blocks, .. } = self.site.vote(crowd, length, shape).await?;
        let refused = conflicts([&first, &second.target]).await? - before;
        self.site.vote_at(vec![first]);
        desk.report.note(Key::Two, outcome.per_second(outcome.ballots));
        if let Some(p99) = outcome.told.latencies.quantile(0.99) {
            desk.report.note(Key::TwoP99, p99);
        }
        if let Some(blocks) = blocks.filter(|blocks| blocks.number > 0) {
            desk.report.note(Key::Conflicts, 100.0 * refused / blocks.number as f64);
        }
        second.stop().await
    }

    /// Lets the crowd vote until the log is as long as it is to be.
    async fn fill(&mut self, desk: &Desk) -> anyhow::Result<()> {
        let wanted = desk.plan.ballots;
        while self.site.books.accepted < wanted && self.site.differences.is_empty() {
            desk.progress.say(&format!("{} of {wanted} ballots", self.site.books.accepted));
            self.site.vote(desk.plan.crowd, SHORT, Shape::Steady).await?;
        }
        Ok(())
    }

    async fn catch_up(&mut self, desk: &mut Desk) -> anyhow::Result<()> {
        desk.progress.say("the tally counts again");
        let mut scoreboard = Scoreboard::open(&self.system.database_url(), &desk.plan.round).await?;
        scoreboard.forget().await?;
        // One more ballot tells the tally.
        let told = self.one_voter().await?;
        let ballots = self.site.books.accepted + told.accepted;
        let took = scoreboard.time(ballots).await?;
        desk.report.note(Key::CatchUp, per_second(ballots, took));
        self.site.check(&told).await
    }

    async fn recount(&mut self, desk: &mut Desk) -> anyhow::Result<()> {
        desk.progress.say("recounting");
        let (took, agree) = self.system.recount(&desk.plan.round).await?;
        desk.report.note(Key::Recount, per_second(self.site.books.accepted, took));
        desk.report.note(Key::RecountTook, took.as_secs_f64());
        if !agree {
            self.site.differences.push("urna recount: the log and the scoreboard do not agree".to_owned());
        }
        Ok(())
    }

    async fn restart(&mut self, desk: &mut Desk) -> anyhow::Result<()> {
        desk.progress.say("starting urna again");
        self.system.stop().await?;
        let begin = Instant::now();
        self.system.launch()?;
        let told = self.one_voter().await?;
        desk.report.note(Key::Restart, begin.elapsed().as_secs_f64());
        self.note_memory(desk, Key::RestartMemory);
        self.site.check(&told).await
    }

    /// One voter who tries until the ballot is accepted.
    async fn one_voter(&mut self) -> anyhow::Result<Told> {
        let mut voter = self.site.crowd(1).remove(0);
        let (target, expected) = (self.site.target.clone(), voter.expected);
        let vote = async {
            let mut client = loop {
                match Client::connect(&target, expected).await {
                    Ok(client) => break client,
                    Err(_) => sleep(AGAIN_AFTER).await,
                }
            };
            client.settle(voter.next()).await;
            client.told
        };
        let told = timeout(VOTES_WITHIN, vote).await.context("urna did not accept a ballot in time")?;
        if let Some(wrong) = told.first_wrong {
            bail!("urna did not accept a ballot: {wrong}");
        }
        Ok(told)
    }
}

/// How many blocks the log has refused to these processes.
async fn conflicts(targets: [&Target; 2]) -> anyhow::Result<f64> {
    let mut conflicts = 0.0;
    for target in targets {
        let (_, metrics) = http::get_once(target, "/metrics").await.context("failed to read /metrics")?;
        let metrics = String::from_utf8_lossy(&metrics);
        let counted = metrics.lines().find_map(|line| line.strip_prefix("urna_vote_conflicts_total "));
        // A counter is there once something was counted.
        conflicts += counted.map_or(Ok(0.0), str::parse::<f64>).context("failed to read /metrics")?;
    }
    Ok(conflicts)
}

fn per_second(number: u64, took: Duration) -> f64 {
    number as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE)
}
