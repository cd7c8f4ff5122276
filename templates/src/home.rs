//! The home page: which rounds there are.

use serde::Serialize;
use subjects::{Role, RoundState};

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::round::RoundHead;

/// The list of rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HomePage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// In the order they are to be shown.
    pub rounds: Vec<RoundCard>,
}

/// One round in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundCard {
    /// Its slug.
    pub id: String,
    /// What is being asked, as the organiser wrote it.
    pub title: String,
    /// Whether it takes ballots.
    pub state: RoundState,
}

impl HomePage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("home.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let rounds = vec![
            RoundCard::of(RoundHead::sample(RoundState::Open)),
            RoundCard::of(RoundHead::hostile_sample(RoundState::Draft)),
            RoundCard::of(RoundHead::sample(RoundState::Closed)),
        ];
        vec![
            Self { visitor: Visitor::hostile_sample(), rounds: rounds.clone() },
            Self { visitor: Visitor::sample(Role::Organiser), rounds },
            Self { visitor: Visitor::default(), rounds: Vec::new() },
        ]
    }
}

impl RoundCard {
    fn of(round: RoundHead) -> Self {
        Self { id: round.id, title: round.title, state: round.state }
    }
}
