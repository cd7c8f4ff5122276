//! The last question before a round opens or closes.

use serde::Serialize;
use subjects::{Role, RoundState};

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::round::RoundHead;
use crate::sessions::Moment;

/// What it means to open or to close a round, and the button that does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfirmPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the form comes from this page.
    pub csrf: String,
    /// What is to be done.
    pub deed: Deed,
    /// The round.
    pub round: RoundHead,
    /// The version that is looked at.
    pub version: u64,
    /// What can be chosen in it.
    pub options: Vec<String>,
    /// Who may vote.
    pub eligibility_description: String,
    /// How many ballots count.
    pub ballots: u64,
    /// When it closes by itself, if it does.
    pub closes: Option<Moment>,
    /// Why it cannot be done, or why the last try did not work.
    pub problem: Option<String>,
    /// Whether it could be done now.
    pub is_possible: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Let people vote.
    Open,
    /// Let nobody vote any more.
    Close,
}

impl ConfirmPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("admin_confirm.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let open = Self {
            visitor: Visitor::sample(Role::Organiser),
            csrf: "0123456789abcdef".to_owned(),
            deed: Deed::Open,
            round: RoundHead::sample(RoundState::Draft),
            version: 7,
            options: vec!["Cats".to_owned(), "Dogs".to_owned()],
            eligibility_description: "One vote for each invite, whoever holds it.".to_owned(),
            ballots: 0,
            closes: Some(Moment::sample()),
            problem: None,
            is_possible: true,
        };
        let close = Self {
            deed: Deed::Close,
            round: RoundHead::hostile_sample(RoundState::Open),
            options: crate::round::hostile_labels().to_vec(),
            ballots: 12_345,
            problem: Some("Somebody else has changed it <script>alert(1)</script>.".to_owned()),
            closes: None,
            ..open.clone()
        };
        let not_yet = Self {
            options: Vec::new(),
            problem: Some("This round must have at least 2 options before it opens.".to_owned()),
            is_possible: false,
            ..open.clone()
        };
        vec![open, close, not_yet]
    }
}
