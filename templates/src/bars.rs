//! The counts of a round, as every page that shows them draws them. `result.js` keeps them current.

use serde::Serialize;
use subjects::Method;

use crate::round::hostile_labels;

/// One round's counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bars {
    /// How a choice is made: whether a ballot may give a vote to several options.
    pub method: Method,
    /// In the order they are to be shown, which stays the same while the counts move.
    pub lines: Vec<ResultLine>,
    /// Ballots counted.
    pub total: u64,
    /// How far the log is counted.
    pub sequence: u64,
    /// How often an operator has put a recount in place.
    pub generation: u64,
    /// The seal is counted: nothing follows.
    pub is_final: bool,
    /// Whether the counter is at work.
    pub counting: Counting,
    /// The votes of the leading options; more than one may have them.
    pub most: u64,
}

/// One option and what it got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultLine {
    /// The option's id.
    pub option: String,
    /// What people read.
    pub label: String,
    /// The address of its picture.
    pub picture: Option<String>,
    /// Votes counted for it.
    pub votes: u64,
    /// On how many of the counted ballots it stands, in percent, 0 to 100, with one decimal.
    pub share: f64,
}

/// Whether the counter is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// The counts are current.
    Current,
    /// The counter is away: ballots wait in the box.
    Waiting,
}

impl Bars {
    /// Counts up to `sequence`, still moving.
    pub fn new(method: Method, lines: Vec<ResultLine>, total: u64, sequence: u64) -> Self {
        let most = lines.iter().map(|line| line.votes).max().unwrap_or(0);
        let (is_final, counting) = (false, Counting::Current);
        Self { method, lines, total, sequence, generation: 0, is_final, counting, most }
    }

    /// Two options with these votes.
    pub(crate) fn sample(votes: [u64; 2]) -> Self {
        Self::of(["Cats", "Dogs"].map(str::to_owned).into_iter().zip(votes).collect())
    }

    pub(crate) fn hostile_sample() -> Self {
        Self::of(hostile_labels().into_iter().zip([1_234_567, 1_234_567, 3, 0]).collect())
    }

    pub(crate) fn crowded_sample() -> Self {
        Self::of((1..=12).map(|place| (format!("Candidate {place}"), place * 37 % 101)).collect())
    }

    /// Three voters who each chose two options or three.
    pub(crate) fn approval_sample() -> Self {
        let votes = [("Cats", 3, 100.0), ("Dogs", 3, 100.0), ("Birds", 1, 33.3)];
        let lines = votes.map(|(label, votes, share)| ResultLine {
            option: label.to_lowercase(),
            label: label.to_owned(),
            picture: Some("/rounds/demo/options/cats/picture?v=00ff0a9b".to_owned()),
            votes,
            share,
        });
        Self::new(Method::Approval, lines.into(), 3, 2)
    }

    fn of(lines: Vec<(String, u64)>) -> Self {
        let total: u64 = lines.iter().map(|(_, votes)| votes).sum();
        let line = |(place, (label, votes)): (usize, (String, u64))| ResultLine {
            option: format!("option-{place}"),
            label,
            picture: None,
            votes,
            share: (votes as f64 * 1000.0 / total.max(1) as f64).round() / 10.0,
        };
        Self::new(Method::Plurality, lines.into_iter().enumerate().map(line).collect(), total, total / 2)
    }
}
