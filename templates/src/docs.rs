//! The page of the HTTP API: every address, what it takes and what it answers.

use serde::Serialize;
use subjects::Role;

use crate::Visitor;
use crate::draw::{RenderError, draw};

/// The whole of the API. Words between backquotes are shown as code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// Of which version of the program.
    pub version: String,
    /// What holds everywhere, in paragraphs.
    pub about: Vec<String>,
    /// By what somebody is known.
    pub ways_in: Vec<DocsKind>,
    /// Its addresses under their headings.
    pub tags: Vec<DocsTag>,
}

/// A heading, and the addresses below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsTag {
    /// One word.
    pub name: String,
    /// What stands below it.
    pub about: String,
    /// What can be done there.
    pub operations: Vec<DocsOperation>,
}

/// One method of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsOperation {
    /// Its name, by which others link to it.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// With its parts in braces.
    pub path: String,
    /// In a few words.
    pub summary: String,
    /// In full.
    pub about: String,
    /// By what whoever calls is known; empty where it does not matter.
    pub known_by: String,
    /// Parts of the path, of the query, and headers.
    pub parameters: Vec<DocsField>,
    /// What may be sent, by its type.
    pub bodies: Vec<DocsBody>,
    /// Every answer that there may be.
    pub answers: Vec<DocsAnswer>,
    /// A request that one can copy.
    pub curl: String,
}

/// A field, or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsField {
    /// By its path.
    pub name: String,
    /// What kind of value.
    pub shape: String,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it says.
    pub about: String,
}

/// Something that is sent or answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsBody {
    /// Of this type.
    pub content_type: String,
    /// With these fields, if it has any.
    pub fields: Vec<DocsField>,
    /// What it may look like; empty for what has no example.
    pub example: String,
}

/// An answer by its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsAnswer {
    /// The status.
    pub status: String,
    /// When it comes; empty for a refusal, of which the kinds say so.
    pub about: String,
    /// The kinds of refusal that have this status.
    pub kinds: Vec<DocsKind>,
    /// The headers it has.
    pub headers: Vec<DocsKind>,
    /// What comes with it.
    pub bodies: Vec<DocsBody>,
}

/// A word of the API, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocsKind {
    /// The word.
    pub kind: String,
    /// When it is used, or for what.
    pub when: String,
}

impl DocsPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("docs.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let words = |text: &str| text.to_owned();
        let kind =
            DocsKind { kind: words("round-not-found"), when: words("There is no round with this name.") };
        let field = DocsField {
            name: words("options[].label"),
            shape: words("text"),
            is_required: true,
            about: words("As people read it: `<script>alert(1)</script>`."),
        };
        let body = DocsBody {
            content_type: words("application/json"),
            fields: vec![field.clone()],
            example: words("{\"title\": \"<script>alert(1)</script>\"}"),
        };
        let answer = |status: &str, about: &str, kinds, bodies| DocsAnswer {
            status: words(status),
            about: words(about),
            kinds,
            headers: vec![kind.clone()],
            bodies,
        };
        let operation = DocsOperation {
            id: words("make_round"),
            method: words("POST"),
            path: words("/rounds"),
            summary: words("Make a round"),
            about: words("Of a title and options."),
            known_by: words("bearer, cookie"),
            parameters: vec![field],
            bodies: vec![body.clone()],
            answers: vec![
                answer("201", "It is made.", Vec::new(), vec![body]),
                answer("404", "", vec![kind.clone()], Vec::new()),
            ],
            curl: words("curl -X POST \"$URNA/rounds\""),
        };
        let tag =
            DocsTag { name: words("rounds"), about: words("What is voted on."), operations: vec![operation] };
        let whole = Self {
            about: vec![words("JSON in, JSON out.")],
            ways_in: vec![kind],
            tags: vec![tag],
            ..Self::blank(Visitor::sample(Role::Organiser))
        };
        vec![
            Self { visitor: Visitor::hostile_sample(), ..whole.clone() },
            whole,
            Self::blank(Visitor::default()),
        ]
    }

    fn blank(visitor: Visitor) -> Self {
        let version = "0.1.0".to_owned();
        Self { visitor, version, about: Vec::new(), ways_in: Vec::new(), tags: Vec::new() }
    }
}
