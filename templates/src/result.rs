//! The result page: the bars for the room, the same numbers as a table, and the ledger.

use serde::Serialize;
use subjects::{Ledger, Policy, RoundState};

use crate::draw::{RenderError, draw};
use crate::round::{RoundHead, hostile_labels};
use crate::{Visitor, ladder_words};

/// The result of one round, as far as it is counted. `result.js` keeps it current.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What is being voted on.
    pub round: RoundHead,
    /// Who may vote, in plain words.
    pub policy_words: String,
    /// In the order they are to be shown, which stays the same while the counts move.
    pub lines: Vec<ResultLine>,
    /// Votes counted for all options together.
    pub total: u64,
    /// How far the log is counted.
    pub sequence: u64,
    /// The end of the log.
    pub head: u64,
    /// The seal is counted: nothing follows.
    pub is_final: bool,
    /// Whether the counter is at work.
    pub counting: Counting,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
}

/// One option and what it got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultLine {
    /// The option's id.
    pub option: String,
    /// What people read.
    pub label: String,
    /// Votes counted for it.
    pub votes: u64,
    /// Its part of the total in percent, 0 to 100, with one decimal.
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

/// The page, and what the template cannot work out by itself.
#[derive(Serialize)]
struct Drawing<'a> {
    #[serde(flatten)]
    page: &'a ResultPage,
    /// The votes of the leading options; more than one may have them.
    most: u64,
}

impl ResultPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        let most = self.lines.iter().map(|line| line.votes).max().unwrap_or(0);
        draw("result.html", &Drawing { page: self, most })
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let open = Self::sample(RoundState::Open, [10, 5]);
        let waiting = Self { counting: Counting::Waiting, ..open.clone() };
        let closed = Self::sample(RoundState::Closed, [4096, 8192]);
        let final_result = Self { is_final: true, ..closed.clone() };
        let draft = Self::sample(RoundState::Draft, [0, 0]);
        vec![open, waiting, closed, final_result, draft, Self::hostile_sample(), Self::crowded_sample()]
    }

    fn sample(state: RoundState, votes: [u64; 2]) -> Self {
        let labels = ["Cats".to_owned(), "Dogs".to_owned()];
        Self::of(RoundHead::sample(state), labels.into_iter().zip(votes).collect())
    }

    fn hostile_sample() -> Self {
        let lines = hostile_labels().into_iter().zip([1_234_567, 1_234_567, 3, 0]).collect();
        Self::of(RoundHead::hostile_sample(RoundState::Open), lines)
    }

    fn crowded_sample() -> Self {
        let lines = (1..=12).map(|place| (format!("Candidate {place}"), place * 37 % 101)).collect();
        Self::of(RoundHead::sample(RoundState::Open), lines)
    }

    fn of(round: RoundHead, lines: Vec<(String, u64)>) -> Self {
        let total: u64 = lines.iter().map(|(_, votes)| votes).sum();
        let line = |(place, (label, votes)): (usize, (String, u64))| ResultLine {
            option: format!("option-{place}"),
            label,
            votes,
            share: (votes as f64 * 1000.0 / total.max(1) as f64).round() / 10.0,
        };
        Self {
            visitor: Visitor::default(),
            round,
            policy_words: ladder_words(Policy::Anyone, true, false),
            lines: lines.into_iter().enumerate().map(line).collect(),
            total,
            sequence: total / 2,
            head: total / 2,
            is_final: false,
            counting: Counting::Current,
            ledger: Ledger { accepted: total + 1, counted: total, replaced: 1, unreadable: 0 },
        }
    }
}
