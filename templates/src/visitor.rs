//! Who looks at a page, for its header.

use serde::Serialize;
use subjects::Role;

/// Who is signed in, if anybody is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Visitor {
    /// As they are called; nothing when nobody is signed in.
    pub name: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
}

impl Visitor {
    pub(crate) fn sample(role: Role) -> Self {
        Self { name: Some("Ann Example".to_owned()), role: Some(role) }
    }

    /// A name that reads from right to left, tries to be a script, and does not end.
    pub(crate) fn hostile_sample() -> Self {
        let name =
            format!("ليلى <script>alert(1)</script>{}", "Wolfeschlegelsteinhausenbergerdorff".repeat(3));
        Self { name: Some(name), role: Some(Role::Voter) }
    }
}
