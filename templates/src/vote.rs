//! The vote page: the options of a round, and what this browser has put in the box.

use serde::Serialize;
use subjects::RoundState;

use crate::draw::{RenderError, draw};
use crate::round::{RoundHead, hostile_labels};

/// The choice form of one round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VotePage {
    /// What is being voted on.
    pub round: RoundHead,
    /// In the order they are to be shown.
    pub options: Vec<VoteOption>,
    /// Whether a vote may be changed until the round closes.
    pub changeable: bool,
    /// The receipt of the ballot this browser has in the box.
    pub receipt: Option<String>,
    /// The page answers a form that was just sent.
    pub just_voted: bool,
    /// A sentence to show above the form: why the last try did not work.
    pub problem: Option<String>,
}

/// One option of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoteOption {
    /// What the form sends.
    pub id: String,
    /// What people read.
    pub label: String,
    /// The choice of the ballot in the box; without a receipt, only the one to begin with.
    pub chosen: bool,
}

impl VotePage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("vote.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let fresh = Self::sample(RoundState::Open, None);
        let voted = Self::sample(RoundState::Open, Some("cats"));
        let just_voted = Self { just_voted: true, ..voted.clone() };
        let unchangeable = Self { changeable: false, ..just_voted.clone() };
        let problem = Some("Choose one of the options.".to_owned());
        let refused = Self { problem, ..fresh.clone() };
        vec![
            fresh,
            voted,
            just_voted,
            unchangeable,
            refused,
            Self::sample(RoundState::Draft, None),
            Self::sample(RoundState::Closed, Some("dogs")),
            Self::hostile_sample(),
        ]
    }

    fn sample(state: RoundState, chosen: Option<&str>) -> Self {
        Self {
            round: RoundHead::sample(state),
            options: [("cats", "Cats"), ("dogs", "Dogs")]
                .map(|(id, label)| VoteOption {
                    id: id.to_owned(),
                    label: label.to_owned(),
                    chosen: chosen == Some(id),
                })
                .into(),
            changeable: true,
            receipt: chosen.map(|_| "demo-12-1".to_owned()),
            just_voted: false,
            problem: None,
        }
    }

    fn hostile_sample() -> Self {
        let options = hostile_labels().into_iter().enumerate();
        Self {
            round: RoundHead::hostile_sample(RoundState::Open),
            options: options
                .map(|(place, label)| VoteOption { id: format!("option-{place}"), label, chosen: place == 1 })
                .collect(),
            receipt: Some("camels-1048576-1000".to_owned()),
            ..Self::sample(RoundState::Open, None)
        }
    }
}
