//! The page of sessions: where a person is signed in.

use serde::Serialize;
use subjects::{Role, Timestamp};

use crate::Visitor;
use crate::draw::{RenderError, draw};

/// Where one person is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionsPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What the forms send to show that they come from this page.
    pub csrf: String,
    /// The newest first.
    pub sessions: Vec<SessionLine>,
}

/// One session in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionLine {
    /// What the form that ends it names.
    pub id: String,
    /// Whether this very browser is signed in by it.
    pub current: bool,
    /// The browser or program, in words.
    pub browser: String,
    /// The address of the network it was opened from.
    pub address: String,
    /// When it was opened.
    pub opened: Moment,
    /// When it was last used.
    pub seen: Moment,
    /// When it ends at the latest.
    pub expires: Moment,
}

/// A moment on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339, UTC.
    pub at: String,
    /// As people say it: `5 minutes ago`.
    pub words: String,
}

impl Moment {
    /// A moment to the minute: `21 November 2026, 09:30 UTC`.
    pub fn of(moment: Timestamp) -> Self {
        Self { at: moment.to_string(), words: moment.words() }
    }

    pub(crate) fn sample() -> Self {
        Self { at: "2026-11-21T18:00:00Z".to_owned(), words: "21 November 2026, 18:00 UTC".to_owned() }
    }
}

impl SessionsPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("sessions.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let current = SessionLine::sample("Firefox on Linux", true);
        let phone =
            SessionLine { address: "2001:db8::7".into(), ..SessionLine::sample("Safari on iPhone", false) };
        let hostile = SessionLine {
            address: "<script>alert(1)</script>".into(),
            ..SessionLine::sample("\" onclick=\"alert(1)", false)
        };
        let unknown =
            SessionLine { address: String::new(), ..SessionLine::sample("An unknown program", false) };
        let of = |visitor, sessions| Self { visitor, csrf: "0123456789abcdef".into(), sessions };
        vec![
            of(Visitor::sample(Role::Voter), vec![current.clone()]),
            of(Visitor::hostile_sample(), vec![current, phone, hostile, unknown]),
        ]
    }
}

impl SessionLine {
    fn sample(browser: &str, current: bool) -> Self {
        let moment = |at: &str, words: &str| Moment { at: at.into(), words: words.into() };
        Self {
            id: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
            current,
            browser: browser.into(),
            address: "203.0.113.7".into(),
            opened: moment("2026-11-20T09:30:00Z", "1 day ago"),
            seen: moment("2026-11-21T09:29:00Z", "1 minute ago"),
            expires: moment("2026-12-20T09:30:00Z", "in 29 days"),
        }
    }
}
