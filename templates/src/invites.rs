//! The sheet of invites: a card for each, to be printed and cut.

use serde::Serialize;
use subjects::{Role, RoundState};

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::qr::Qr;
use crate::round::RoundHead;

/// Invites to one round, on paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvitesPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What is being voted on.
    pub round: RoundHead,
    /// Where to vote, as people type it: without `https://`.
    pub address: String,
    /// One card for each invite.
    pub cards: Vec<InviteCard>,
}

/// One invite.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InviteCard {
    /// As people type it.
    code: String,
    /// The link with the code in it, for cameras; none when it is too long for that.
    qr: Option<Qr>,
}

impl InvitesPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("invites.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let codes = ["ABCDE-FGHJK-MNPQR-STVWX", "01234-56789-ABCDE-FGHJK", "ZZZZZ-YYYYY-XXXXX-WWWWW"];
        let cards = |base: &str| {
            let card = |code: &str| InviteCard::new(code.to_owned(), &format!("{base}?invite={code}"));
            codes.iter().cycle().take(7).map(|code| card(code)).collect()
        };
        let usual = Self {
            visitor: Visitor::sample(Role::Organiser),
            round: RoundHead::sample(RoundState::Open),
            address: "vote.example/vote/demo".to_owned(),
            cards: cards("https://vote.example/vote/demo"),
        };
        let long = format!("{}.example/vote/camels", "a-very-long-name.".repeat(12));
        let awkward = Self {
            visitor: Visitor::hostile_sample(),
            round: RoundHead::hostile_sample(RoundState::Draft),
            cards: cards(&format!("https://{long}")),
            address: long,
        };
        let without_code = Self { cards: cards(&"x".repeat(3_000)), ..usual.clone() };
        vec![usual, awkward, without_code]
    }
}

impl InviteCard {
    /// The card of a code that `link` holds too.
    pub fn new(code: String, link: &str) -> Self {
        Self { code, qr: Qr::of(link) }
    }
}

impl std::fmt::Debug for InviteCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whoever has the code can vote with it.
        f.write_str("InviteCard(…)")
    }
}
