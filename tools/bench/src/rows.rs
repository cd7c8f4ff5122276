//! What is measured: every figure by name, what limits it, and what it must reach.

use std::fmt;

use crate::args::{MILLION, Plan, Shape};
use crate::table::thousands;

/// So many watchers are a target.
const WATCHERS: usize = 10_000;
/// The crowd that is a target, in connections.
const CROWD: usize = 256;

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name for programs.
    pub key: Key,
    /// Its name for people.
    pub title: String,
    /// What it is measured in.
    pub unit: Unit,
    /// What it must stay below, if that is a target.
    pub below: Option<f64>,
    /// What it is compared with.
    pub against: Vec<Against>,
}

/// A figure beside its limit.
#[derive(Clone, Debug)]
pub struct Against {
    /// The limit.
    pub key: Key,
    /// What it is called in the table.
    pub name: &'static str,
    /// The ratio that must be reached, if that is a target.
    pub at_least: Option<f64>,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// So many a second.
    PerSecond,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Mebibytes.
    MiB,
    /// A number of things.
    Number,
}

/// The name of a figure. Those with a number are measured for each number of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Answers of `/live`.
    Hello(usize),
    /// Ballots that were accepted.
    Accepted(usize),
    /// Ballots that were counted in Postgres, from the first request on until all of them were.
    Counted(usize),
    /// Half of the answers came within.
    AcceptedP50(usize),
    /// All but one in a hundred came within.
    AcceptedP99(usize),
    /// The crowd's accepted ballots, where the log does not wait for the disk.
    Unsynced,
    /// The crowd's ballots, shared out between two processes.
    Two,
    /// All but one in a hundred came within.
    TwoP99,
    /// Blocks that the log refused then because the other process was first, for 100 that it stored.
    Conflicts,
    /// Blocks that the crowd's ballots came in.
    Blocks,
    /// Appends of a block like these, without Urna.
    Appends,
    /// One small write and its sync.
    Fsync,
    /// From a ballot to a browser at 1,000 ballots a second.
    LiveP50,
    /// The same, all but one in a hundred.
    LiveP99,
    /// From a ballot to all watchers.
    WatchersP50,
    /// The same, all but one in a hundred.
    WatchersP99,
    /// The same bytes to as many watchers, without Urna.
    LimitP99,
    /// Ballots in the log for what follows.
    Ballots,
    /// Ballots read by a consumer that does nothing else.
    Read,
    /// Ballots counted by a tally that begins again.
    CatchUp,
    /// Ballots counted by `urna recount`.
    Recount,
    /// How long all of that took.
    RecountTook,
    /// From the start of Urna to the first accepted ballot.
    Restart,
    /// Memory then.
    RestartMemory,
    /// Memory of Urna that has nothing to do.
    IdleMemory,
    /// Memory after all loads and watchers.
    LoadMemory,
}

/// Every figure of a plan, in the order in which they are shown.
pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> =
        plan.connections.iter().flat_map(|connections| load(plan, *connections)).collect();
    rows.extend(limits(plan.crowd));
    rows.extend(watching(plan));
    rows.extend(log(plan));
    rows.push(row(Key::IdleMemory, "memory of urna, idle", Unit::MiB).below(60.0));
    rows.push(row(Key::LoadMemory, "memory of urna after loads and watchers", Unit::MiB).below(300.0));
    rows
}

fn load(plan: &Plan, connections: usize) -> [Row; 5] {
    let is_crowd = connections == CROWD && plan.shape == Shape::Steady;
    let of = |what: &str| match connections {
        1 => format!("{what}, 1 connection"),
        _ => format!("{what}, {connections} connections"),
    };
    let mut accepted = row(Key::Accepted(connections), &of("ballots accepted"), Unit::PerSecond).against(
        Key::Hello(connections),
        "hello",
        is_crowd.then_some(0.35),
    );
    if connections == plan.crowd {
        accepted = accepted.against(Key::Unsynced, "unsynced", is_crowd.then_some(0.7));
    }
    let p50 = row(Key::AcceptedP50(connections), "  p50", Unit::Millis);
    let p99 = row(Key::AcceptedP99(connections), "  p99", Unit::Millis);
    [
        row(Key::Hello(connections), &of("hello (GET /live)"), Unit::PerSecond),
        accepted,
        if connections == 1 && plan.shape == Shape::Steady { p50.below(3.0) } else { p50 },
        if is_crowd { p99.below(40.0) } else { p99 },
        row(Key::Counted(connections), "  counted in Postgres", Unit::PerSecond).against(
            Key::Accepted(connections),
            "accepted",
            None,
        ),
    ]
}

fn limits(crowd: usize) -> [Row; 7] {
    let unsynced = format!("ballots accepted, {crowd} connections, unsynced");
    let two = format!("ballots accepted, {crowd} connections, two processes");
    [
        row(Key::Unsynced, &unsynced, Unit::PerSecond),
        row(Key::Two, &two, Unit::PerSecond).against(Key::Accepted(crowd), "one process", None),
        row(Key::TwoP99, "  p99", Unit::Millis),
        row(Key::Conflicts, "  blocks refused to whoever was second, for 100 stored", Unit::Number),
        row(Key::Blocks, &format!("blocks appended, {crowd} connections"), Unit::PerSecond).against(
            Key::Appends,
            "straight",
            None,
        ),
        row(Key::Appends, "  straight to JetStream, one at a time", Unit::PerSecond),
        row(Key::Fsync, "4 KiB written and synced", Unit::Millis),
    ]
}

fn watching(plan: &Plan) -> [Row; 5] {
    let watchers = plan.watchers;
    let many = thousands(watchers as u64);
    let p99 = row(Key::WatchersP99, "  p99", Unit::Millis).against(Key::LimitP99, "limit", None);
    [
        row(Key::LiveP50, "POST to 100 browsers, 1,000 ballots/s, p50", Unit::Millis).below(50.0),
        row(Key::LiveP99, "  p99", Unit::Millis).below(150.0),
        row(Key::WatchersP50, &format!("POST to {many} watchers, 10 events/s, p50"), Unit::Millis),
        if watchers >= WATCHERS { p99.below(250.0) } else { p99 },
        row(
            Key::LimitP99,
            &format!("  p99 of the same bytes to {many} watchers, without urna"),
            Unit::Millis,
        ),
    ]
}

fn log(plan: &Plan) -> [Row; 7] {
    let target = |row: Row, below| if plan.ballots >= MILLION { row.below(below) } else { row };
    [
        row(Key::Ballots, "ballots in the log", Unit::Number),
        row(Key::Read, "  read by a consumer that only reads", Unit::PerSecond),
        row(Key::CatchUp, "  counted by the tally, from the first on", Unit::PerSecond).against(
            Key::Read,
            "only reads",
            Some(0.6),
        ),
        row(Key::Recount, "  recounted", Unit::PerSecond).against(Key::Read, "only reads", None),
        target(row(Key::RecountTook, "  recounted within", Unit::Seconds), 10.0),
        target(row(Key::Restart, "  voting again after a restart", Unit::Seconds), 10.0),
        target(row(Key::RestartMemory, "  memory of urna then", Unit::MiB), 250.0),
    ]
}

fn row(key: Key, title: &str, unit: Unit) -> Row {
    Row { key, title: title.to_owned(), unit, below: None, against: Vec::new() }
}

impl Row {
    fn below(self, below: f64) -> Self {
        Self { below: Some(below), ..self }
    }

    fn against(mut self, key: Key, name: &'static str, at_least: Option<f64>) -> Self {
        self.against.push(Against { key, name, at_least });
        self
    }
}

impl Unit {
    /// What stands behind a figure.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Millis => "ms",
            Self::Seconds => "s",
            Self::MiB => "MiB",
            Self::Number => "",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Hello(connections) => return write!(f, "hello.{connections}"),
            Self::Accepted(connections) => return write!(f, "accepted.{connections}"),
            Self::Counted(connections) => return write!(f, "counted.{connections}"),
            Self::AcceptedP50(connections) => return write!(f, "accepted.{connections}.p50"),
            Self::AcceptedP99(connections) => return write!(f, "accepted.{connections}.p99"),
            Self::Unsynced => "accepted.unsynced",
            Self::Two => "two.accepted",
            Self::TwoP99 => "two.accepted.p99",
            Self::Conflicts => "two.conflicts",
            Self::Blocks => "blocks",
            Self::Appends => "appends",
            Self::Fsync => "fsync",
            Self::LiveP50 => "live.p50",
            Self::LiveP99 => "live.p99",
            Self::WatchersP50 => "watchers.p50",
            Self::WatchersP99 => "watchers.p99",
            Self::LimitP99 => "watchers.limit.p99",
            Self::Ballots => "log.ballots",
            Self::Read => "log.read",
            Self::CatchUp => "tally.catch_up",
            Self::Recount => "recount",
            Self::RecountTook => "recount.took",
            Self::Restart => "restart",
            Self::RestartMemory => "restart.memory",
            Self::IdleMemory => "memory.idle",
            Self::LoadMemory => "memory.load",
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::plan;

    #[test]
    fn every_figure_has_a_name_of_its_own_and_a_limit_that_is_measured_too() {
        let rows = rows(&plan(&[]));
        let mut names: Vec<String> = rows.iter().map(|row| row.key.to_string()).collect();
        for against in rows.iter().flat_map(|row| &row.against) {
            assert!(names.contains(&against.key.to_string()), "{}", against.key);
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), rows.len());
    }

    #[test]
    fn only_the_plan_of_the_targets_is_held_against_them() {
        let targets = |arguments: &[&str]| {
            let rows = rows(&plan(arguments));
            let held = |row: &Row| row.below.is_some() || row.against.iter().any(|it| it.at_least.is_some());
            rows.into_iter().filter(held).map(|row| row.key).collect::<Vec<_>>()
        };
        for key in [Key::Accepted(256), Key::AcceptedP50(1), Key::WatchersP99, Key::Restart] {
            assert!(targets(&[]).contains(&key), "{key}");
        }
        assert!(!targets(&["--shape", "spike"]).contains(&Key::Accepted(256)));
        assert!(!targets(&["--watchers", "100"]).contains(&Key::WatchersP99));
        assert!(!targets(&["--ballots", "0"]).contains(&Key::Restart));
    }
}
