//! What came of a drill, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::Settings;
use crate::plan::{Harm, Part, Step};
use crate::story::Numbers;
use urna_world::Scoreboard;

/// What came of a drill.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Which drill it was.
    pub settings: Settings,
    /// How often each part was harmed.
    pub harms: BTreeMap<Part, Harms>,
    /// What voters did and were told.
    pub numbers: Numbers,
    /// Ballots in doubt that were asked about again at rest.
    pub asked_again: usize,
    /// What the recount says.
    pub ledger: Scoreboard,
    /// Events that watchers saw.
    pub events: usize,
    /// From the moment parts were left alone until everything was at rest.
    pub caught_up_in: Duration,
    /// What every process holds in memory, in bytes.
    pub memory: Vec<(&'static str, u64)>,
    /// What must not be. It names the ballots.
    pub differences: Vec<String>,
    /// Where the logs are, if they are kept: always when something differs.
    pub logs: Option<PathBuf>,
}

/// How often a part was harmed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Harms {
    /// Killed without warning.
    pub kills: usize,
    /// Told to stop, and started again.
    pub restarts: usize,
    /// Paused.
    pub pauses: usize,
}

impl Verdict {
    /// The verdict on a drill that has yet to be made.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            harms: BTreeMap::new(),
            numbers: Numbers::default(),
            asked_again: 0,
            ledger: Scoreboard::default(),
            events: 0,
            caught_up_in: Duration::ZERO,
            memory: Vec::new(),
            differences: Vec::new(),
            logs: None,
        }
    }

    /// Whether nothing was lost, doubled or answered wrongly.
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }

    /// How often any part was harmed.
    pub fn harms(&self) -> usize {
        self.harms.values().map(|harms| harms.kills + harms.restarts + harms.pauses).sum()
    }

    /// Notes that a step was taken.
    pub(super) fn count(&mut self, step: Step) {
        let harms = self.harms.entry(step.part).or_default();
        match step.harm {
            Harm::Kill => harms.kills += 1,
            Harm::Restart => harms.restarts += 1,
            Harm::Pause => harms.pauses += 1,
        }
    }

    /// Notes what must not be.
    pub(super) fn differs(&mut self, difference: String) {
        println!("!!! {difference}");
        self.differences.push(difference);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nSeed {}, {} s.\n", self.settings.seed, self.settings.length.as_secs())?;
        self.show_harms(f)?;
        self.show_votes(f)?;
        writeln!(f, "\nAt rest after   {:>7.1} s", self.caught_up_in.as_secs_f64())?;
        write!(f, "Memory         ")?;
        for (name, bytes) in &self.memory {
            write!(f, " {name} {} MiB ", bytes >> 20)?;
        }
        writeln!(f, "\n\nDifferences     {:>7}", self.differences.len())?;
        if let Some(logs) = &self.logs {
            writeln!(f, "Every log and all data: {}", logs.display())?;
        }
        if self.is_clean() {
            return writeln!(f, "\nNothing was lost, doubled or answered wrongly.");
        }
        writeln!(f, "\nTHE DRILL HAS FAILED:")?;
        for difference in &self.differences {
            writeln!(f, "  - {difference}")?;
        }
        Ok(())
    }
}

impl Verdict {
    fn show_harms(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16}{:>8}{:>10}{:>8}", "part", "killed", "restarted", "paused")?;
        let mut all = Harms::default();
        for (part, harms) in &self.harms {
            let Harms { kills, restarts, pauses } = harms;
            writeln!(f, "{part:<16}{kills:>8}{restarts:>10}{pauses:>8}")?;
            all.kills += kills;
            all.restarts += restarts;
            all.pauses += pauses;
        }
        writeln!(f, "{:<16}{:>8}{:>10}{:>8}\n", "all", all.kills, all.restarts, all.pauses)
    }

    fn show_votes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Numbers { voters, offered, accepted, changed, repeated, refused, away, unanswered } =
            self.numbers;
        let Scoreboard { sequence, accepted: logged, counted, replaced, unreadable, .. } = self.ledger;
        writeln!(f, "Voters were told")?;
        writeln!(f, "  voters        {voters:>7}")?;
        writeln!(f, "  offered       {offered:>7}  different ballots")?;
        writeln!(f, "  accepted      {accepted:>7}  of them, {changed} in the place of an earlier one")?;
        writeln!(f, "  repeated      {repeated:>7}  times the answer of the first time")?;
        writeln!(f, "  refused       {refused:>7}  uses of a ballot's id for another (409)")?;
        writeln!(f, "  turned away   {away:>7}  times (503)")?;
        writeln!(f, "  unanswered    {unanswered:>7}  times")?;
        writeln!(f, "  asked again   {:>7}  ballots in doubt, at rest", self.asked_again)?;
        writeln!(f, "Watchers saw    {:>7}  events", self.events)?;
        writeln!(f, "The log says")?;
        writeln!(f, "  accepted      {logged:>7}  ballots in {sequence} blocks, {unreadable} unreadable")?;
        writeln!(f, "  counted       {counted:>7}")?;
        writeln!(f, "  replaced      {replaced:>7}")
    }
}
