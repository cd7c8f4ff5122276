//! The error page: what went wrong, in a sentence, and where to go from here.

use serde::Serialize;

use crate::Visitor;
use crate::draw::{RenderError, draw};

/// What a person sees instead of the page they asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPage {
    /// Who looks at it; nobody when that was not asked.
    pub visitor: Visitor,
    /// The HTTP status.
    pub status: u16,
    /// What it is, in a few words.
    pub title: String,
    /// What it means for the person, in a sentence.
    pub detail: String,
    /// Where to go from here; the home page when there is nothing better.
    pub back: Option<Link>,
    /// By which the operator finds what happened.
    pub request_id: Option<String>,
}

/// A link and its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub text: String,
}

impl ErrorPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("error.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let not_found = Self {
            visitor: Visitor::default(),
            status: 404,
            title: "Round not found".to_owned(),
            detail: "There is no round called “<script>alert(1)</script>”.".to_owned(),
            back: Some(Link { href: "/".to_owned(), text: "All rounds".to_owned() }),
            request_id: None,
        };
        let broken = Self {
            visitor: Visitor::default(),
            status: 500,
            title: "Something went wrong".to_owned(),
            detail: "It is our fault, not yours. Nothing was accepted.".to_owned(),
            back: None,
            request_id: Some("0190f6f2-7c1e-7f7e-8d5c-0d6b3a1f9c42".to_owned()),
        };
        vec![not_found, broken]
    }
}
