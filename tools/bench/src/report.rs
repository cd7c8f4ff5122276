//! What was measured, run by run, and what it says beside its limits and targets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::args::Plan;
use crate::rows::{Against, Key, Row, rows};
use crate::statistics::{Summary, ratios};

/// The figures of every run.
pub struct Report {
    rows: Vec<Row>,
    figures: BTreeMap<Key, Vec<f64>>,
    /// What was told and what is written down do not agree.
    pub differences: Vec<String>,
}

/// A figure with what it is held against, ready to be shown.
#[derive(Debug)]
pub struct Entry<'a> {
    /// What it is.
    pub row: &'a Row,
    /// Over all runs.
    pub summary: Summary,
    /// Whether it stays below its target; `None` without one.
    pub is_held: Option<bool>,
    /// Beside its limits.
    pub compared: Vec<Compared<'a>>,
}

/// A figure beside one limit.
#[derive(Debug)]
pub struct Compared<'a> {
    /// Which limit.
    pub against: &'a Against,
    /// The ratio over all runs.
    pub ratio: Summary,
    /// Whether it reaches its target; `None` without one.
    pub is_held: Option<bool>,
}

impl Report {
    /// Nothing yet.
    pub fn of(plan: &Plan) -> Self {
        Self { rows: rows(plan), figures: BTreeMap::new(), differences: Vec::new() }
    }

    /// Notes a figure of the current run.
    pub fn note(&mut self, key: Key, figure: f64) {
        self.figures.entry(key).or_default().push(figure);
    }

    /// Over all runs; `None` of what was not measured.
    pub fn summary(&self, key: Key) -> Option<Summary> {
        Summary::of(self.figures(key))
    }

    fn figures(&self, key: Key) -> &[f64] {
        self.figures.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything that was measured.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        self.rows.iter().filter_map(|row| self.entry(row)).collect()
    }

    fn entry<'a>(&'a self, row: &'a Row) -> Option<Entry<'a>> {
        let summary = self.summary(row.key)?;
        let compare = |against: &'a Against| {
            let ratio = Summary::of(&ratios(self.figures(row.key), self.figures(against.key)))?;
            let is_held = against.at_least.map(|at_least| ratio.median >= at_least);
            Some(Compared { against, ratio, is_held })
        };
        let compared = row.against.iter().filter_map(compare).collect();
        Some(Entry { row, summary, is_held: row.below.map(|below| summary.median < below), compared })
    }

    /// How many targets are missed.
    pub fn missed(&self) -> usize {
        let held = |entry: &Entry| {
            let compared = entry.compared.iter().filter_map(|compared| compared.is_held);
            compared.chain(entry.is_held).filter(|is_held| !is_held).count()
        };
        self.entries().iter().map(held).sum()
    }

    /// Everything, for programs.
    pub fn json(&self, plan: &Plan) -> Value {
        let summary = |it: Summary| json!({"median": it.median, "min": it.min, "max": it.max});
        let compared = |it: &Compared| {
            json!({
                "against": it.against.key.to_string(),
                "ratio": summary(it.ratio),
                "at_least": it.against.at_least,
                "held": it.is_held,
            })
        };
        let entry = |it: &Entry| {
            json!({
                "key": it.row.key.to_string(),
                "title": it.row.title.trim(),
                "unit": it.row.unit.name(),
                "runs": self.figures(it.row.key),
                "summary": summary(it.summary),
                "below": it.row.below,
                "held": it.is_held,
                "compared": it.compared.iter().map(compared).collect::<Vec<_>>(),
            })
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "machine": {"cores": cores(), "os": std::env::consts::OS, "arch": std::env::consts::ARCH},
            "shape": plan.shape.name(),
            "runs": plan.runs,
            "seconds": plan.length.as_secs(),
            "watchers": plan.watchers,
            "figures": self.entries().iter().map(entry).collect::<Vec<_>>(),
            "differences": self.differences,
        })
    }
}

/// How many cores this machine has.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::plan;

    #[test]
    fn a_target_is_held_by_the_median_of_ratios_within_runs() {
        let mut report = Report::of(&plan(&[]));
        for (hello, accepted) in [(100.0, 40.0), (200.0, 60.0), (100.0, 36.0)] {
            report.note(Key::Hello(256), hello);
            report.note(Key::Accepted(256), accepted);
        }
        assert_eq!(report.missed(), 0);
        let entries = report.entries();
        let accepted = entries.iter().find(|entry| entry.row.key == Key::Accepted(256)).unwrap();
        // The other limit was not measured.
        assert_eq!(accepted.compared.len(), 1);
        assert_eq!(accepted.compared[0].ratio, Summary { median: 0.36, min: 0.3, max: 0.4 });
        report.note(Key::AcceptedP99(256), 41.0);
        assert_eq!(report.missed(), 1);
    }

    #[test]
    fn programs_are_told_every_run() {
        let plan = plan(&[]);
        let mut report = Report::of(&plan);
        report.note(Key::Fsync, 0.5);
        report.note(Key::Fsync, 0.7);
        report.differences.push("one ballot is missing".to_owned());
        let json = report.json(&plan);
        assert_eq!(json["figures"][0]["runs"], json!([0.5, 0.7]));
        assert_eq!(json["figures"][0]["key"], "fsync");
        assert_eq!(json["differences"][0], "one ballot is missing");
    }
}
