//! The rounds that somebody runs.

use serde::Serialize;
use subjects::{Role, RoundState};

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::round::RoundHead;
use crate::sessions::Moment;

/// Everything that an organiser runs; of an administrator, every round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// In the order they are to be shown.
    pub rounds: Vec<AdminRound>,
}

/// One round in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminRound {
    /// The round.
    pub round: RoundHead,
    /// How many ballots count.
    pub ballots: u64,
    /// When a draft opens by itself, or an open round closes, if it ever does.
    pub next: Option<Moment>,
    /// Whether somebody else made it.
    pub is_anothers: bool,
}

impl AdminPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("admin.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let line = |round, ballots| AdminRound { round, ballots, next: None, is_anothers: false };
        let some = vec![
            AdminRound { next: Some(Moment::sample()), ..line(RoundHead::sample(RoundState::Draft), 0) },
            AdminRound {
                next: Some(Moment::sample()),
                ..line(RoundHead::hostile_sample(RoundState::Open), 1)
            },
            AdminRound { is_anothers: true, ..line(RoundHead::sample(RoundState::Closed), 12_345) },
        ];
        vec![
            Self { visitor: Visitor::sample(Role::Admin), rounds: some.clone() },
            Self { visitor: Visitor::hostile_sample(), rounds: some },
            Self { visitor: Visitor::sample(Role::Organiser), rounds: Vec::new() },
        ]
    }
}
