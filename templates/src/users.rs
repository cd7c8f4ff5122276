//! The page of everybody who has an account, for administrators.

use serde::Serialize;
use subjects::Role;

use crate::Visitor;
use crate::draw::{RenderError, draw};

/// People and what they may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsersPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the forms come from this page.
    pub csrf: String,
    /// What was searched for; may be empty.
    pub query: String,
    /// In the order in which they registered.
    pub users: Vec<UserLine>,
    /// The address of this very page.
    pub here: String,
    /// The address of the next page, if there is one.
    pub more: Option<String>,
    /// Why the last try did not work.
    pub problem: Option<String>,
}

/// One person in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserLine {
    /// What the form that changes their role names.
    pub id: String,
    /// As they are called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// The day on which they registered: `2026-11-21`.
    pub since: String,
}

impl UsersPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("users.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let some = Self {
            visitor: Visitor::sample(Role::Admin),
            csrf: "0123456789abcdef".to_owned(),
            query: String::new(),
            users: [Role::Admin, Role::Organiser, Role::Voter].map(UserLine::sample).into(),
            here: "/users".to_owned(),
            more: Some("/users?after=67e55044-10b1-426f-9247-bb680e5fe0c8".to_owned()),
            problem: None,
        };
        let refused = Self {
            problem: Some("There must be an admin: make somebody else one first.".to_owned()),
            ..some.clone()
        };
        let hostile = UserLine {
            name: "ليلى <script>alert(1)</script>".to_owned(),
            email: format!("{}@example.org", "x".repeat(60)),
            ..UserLine::sample(Role::Voter)
        };
        let searched = Self {
            query: "\"><script>alert(1)</script>".to_owned(),
            users: vec![hostile],
            here: "/users?q=%22%3E".to_owned(),
            more: None,
            ..some.clone()
        };
        let none = Self { users: Vec::new(), ..searched.clone() };
        vec![some, refused, searched, none]
    }
}

impl UserLine {
    fn sample(role: Role) -> Self {
        Self {
            id: "67e55044-10b1-426f-9247-bb680e5fe0c8".to_owned(),
            name: "Ann Example".to_owned(),
            email: "ann@example.org".to_owned(),
            role,
            since: "2026-11-21".to_owned(),
        }
    }
}
