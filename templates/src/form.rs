//! One field of a form that a person fills in.

use serde::Serialize;

/// What stands in a field, and what is wrong with it. A password's field is always empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FormField {
    /// What the person wrote, or what is there to begin with.
    pub value: String,
    /// What is wrong with it: lower case, no full stop, going on from the field's name.
    pub problem: Option<String>,
}

impl FormField {
    /// A field with this in it.
    pub fn of(value: impl Into<String>) -> Self {
        Self { value: value.into(), problem: None }
    }

    pub(crate) fn sample_wrong(value: &str, problem: &str) -> Self {
        Self { value: value.to_owned(), problem: Some(problem.to_owned()) }
    }

    /// What somebody may write who means no good.
    pub(crate) fn hostile_sample() -> Self {
        Self::sample_wrong(
            "\"><script>alert(1)</script> {{ 7 * 7 }} ليلى 🐪",
            "must be <script>alert(1)</script>",
        )
    }
}
