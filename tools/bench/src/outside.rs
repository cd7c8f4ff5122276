//! What can be measured of any system, from outside.

use std::time::Duration;

use crate::args::Plan;
use crate::fan_out;
use crate::log::Blocks;
use crate::machine;
use crate::pace;
use crate::progress::Progress;
use crate::report::Report;
use crate::rows::Key;
use crate::site::{Site, Voted};
use crate::watch::Watchers;

/// How many watch while ballots come at [`LIVE_RATE`].
const LIVE_WATCHERS: usize = 100;
/// Ballots a second while few watch.
const LIVE_RATE: u32 = 1_000;
/// Ballots a second while many watch: each makes an event of its own.
const EVENT_RATE: u32 = 10;
/// About so large is an event of a round with two options, with what frames it.
const EVENT_BYTES: usize = 600;
/// On how many connections ballots come at a pace.
const PACED: usize = 64;

/// Where figures go.
pub struct Desk {
    /// What to measure.
    pub plan: Plan,
    /// What was measured.
    pub report: Report,
    /// Who is told meanwhile.
    pub progress: Progress,
}

/// Someone who watches, and how fast ballots come meanwhile.
struct Watching {
    watchers: usize,
    rate: u32,
    p50: Key,
    p99: Key,
}

/// Measures everything that can be seen from outside. Returns the blocks of the crowd's load.
///
/// # Errors
/// When the system does not answer.
pub async fn measure(desk: &mut Desk, site: &mut Site) -> anyhow::Result<Option<Blocks>> {
    let mut blocks = None;
    for connections in desk.plan.connections.clone() {
        let loaded = load(desk, site, connections).await?;
        if connections == desk.plan.crowd {
            blocks = loaded;
        }
    }
    let (few, many) = (LIVE_WATCHERS.min(desk.plan.watchers), desk.plan.watchers);
    let live = Watching { watchers: few, rate: LIVE_RATE, p50: Key::LiveP50, p99: Key::LiveP99 };
    watch(desk, site, live).await?;
    let all = Watching { watchers: many, rate: EVENT_RATE, p50: Key::WatchersP50, p99: Key::WatchersP99 };
    watch(desk, site, all).await?;
    limit_of_watching(desk).await?;
    Ok(blocks)
}

/// As many watchers of as many events of the same size, without Urna.
async fn limit_of_watching(desk: &mut Desk) -> anyhow::Result<()> {
    let watchers = machine::allow_watchers(desk.plan.watchers, 2);
    if watchers == 0 {
        return Ok(());
    }
    desk.progress.say(&format!("{watchers} watchers, without urna"));
    let length = desk.plan.length.max(Duration::from_secs(1));
    let mut watched = fan_out::measure(watchers, EVENT_BYTES, EVENT_RATE, length).await?;
    if let Some(p99) = watched.latencies.quantile(0.99) {
        desk.report.note(Key::LimitP99, p99);
    }
    Ok(())
}

/// "Hello", and ballots under the same load.
async fn load(desk: &mut Desk, site: &mut Site, connections: usize) -> anyhow::Result<Option<Blocks>> {
    let (length, shape) = (desk.plan.length, desk.plan.shape);
    desk.progress.say(&format!("hello over {connections} connections"));
    let hello = site.greet(connections, length, shape).await?;
    desk.report.note(Key::Hello(connections), hello.per_second(hello.told.accepted));
    desk.progress.say(&format!("ballots over {connections} connections"));
    let Voted { mut outcome, counted, blocks } = site.vote(connections, length, shape).await?;
    let accepted = outcome.per_second(outcome.ballots);
    desk.report.note(Key::Accepted(connections), accepted);
    // The silence between crowds is no work for the tally either.
    let late = counted.saturating_sub(length);
    let counting = (outcome.busy + late).as_secs_f64();
    desk.report.note(Key::Counted(connections), outcome.ballots as f64 / counting);
    for (key, part) in [(Key::AcceptedP50(connections), 0.5), (Key::AcceptedP99(connections), 0.99)] {
        if let Some(latency) = outcome.told.latencies.quantile(part) {
            desk.report.note(key, latency);
        }
    }
    if let Some(blocks) = blocks
        && connections == desk.plan.crowd
    {
        desk.report.note(Key::Blocks, outcome.per_second(blocks.number));
    }
    Ok(blocks)
}

/// Ballots at a pace while some watch.
async fn watch(desk: &mut Desk, site: &mut Site, watching: Watching) -> anyhow::Result<()> {
    let Watching { watchers, rate, p50, p99 } = watching;
    if watchers == 0 {
        return Ok(());
    }
    desk.progress.say(&format!("{watchers} watchers, {rate} ballots/s"));
    let crowd = site.crowd(PACED.min(usize::try_from(rate).unwrap_or(PACED)));
    let open = Watchers::open(&site.target, desk.plan.round.as_str(), watchers).await?;
    let length = desk.plan.length.max(Duration::from_secs(1));
    let paced = pace::vote(crowd, rate, length).await?;
    let mut watched = open.end(&paced.cast).await;
    if watched.missed > 0 {
        let missed = watched.missed;
        site.differences.push(format!("{missed} times a watcher was not shown a ballot in time"));
    }
    for (key, part) in [(p50, 0.5), (p99, 0.99)] {
        if let Some(latency) = watched.latencies.quantile(part) {
            desk.report.note(key, latency);
        }
    }
    site.check(&paced.told).await
}
