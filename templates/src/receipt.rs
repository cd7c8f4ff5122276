//! The receipt page: what became of one ballot. It shows neither whose it is nor what it says.

use serde::Serialize;
use subjects::RoundState;

use crate::draw::{RenderError, draw};
use crate::{RoundHead, Visitor};

/// One ballot, by its receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What was voted on.
    pub round: RoundHead,
    /// The receipt.
    pub receipt: String,
    /// What became of the ballot.
    pub status: ReceiptStatus,
}

/// What became of an accepted ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// It is in the box, and the count has not come to it yet.
    Waiting,
    /// It counts.
    Counted,
    /// Its voter has cast another since, which counts in its place.
    Replaced,
}

impl ReceiptPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("receipt.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let of = |status, round| Self {
            visitor: Visitor::default(),
            round,
            receipt: "demo.12.1".to_owned(),
            status,
        };
        vec![
            of(ReceiptStatus::Waiting, RoundHead::sample(RoundState::Open)),
            of(ReceiptStatus::Counted, RoundHead::hostile_sample(RoundState::Closed)),
            of(ReceiptStatus::Replaced, RoundHead::sample(RoundState::Open)),
        ]
    }
}
