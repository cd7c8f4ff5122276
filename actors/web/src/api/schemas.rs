//! The shapes that many addresses share.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A refusal, as [`crate::Problem`] writes it.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only its shape is of use: a problem writes itself")]
pub(super) struct ProblemShown {
    /// What kind of problem, for programs.
    #[schema(pattern = "^urn:urna:[a-z-]+$", example = "urn:urna:round-not-found")]
    r#type: String,
    /// What kind of problem, for people.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What was wrong this time, and what to do next.
    detail: String,
    /// Every field that is wrong.
    #[schema(required = false)]
    errors: Vec<FieldShown>,
    /// What the version is now of the thing that was changed meanwhile.
    #[schema(required = false)]
    version: u64,
    /// Names this failure in the server's log.
    #[schema(required = false)]
    request_id: String,
}

/// One field that is wrong.
#[derive(ToSchema)]
#[schema(as = FieldError)]
#[expect(dead_code, reason = "only its shape is of use: a problem writes itself")]
struct FieldShown {
    /// Its name, or its path, such as `options[3].label`.
    field: String,
    /// What is wrong with it: completes "`<field>` …".
    detail: String,
}

/// What `/health` answers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is of use: the report is made in `health.rs`")]
pub(super) struct Health {
    /// Whether everything is there.
    status: Status,
    /// The same for each thing that the process needs, by name.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({ "nats": "ok" }))]
    checks: (),
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: the report is made in `health.rs`")]
enum Status {
    Ok,
    Missing,
}

/// An object of any fields.
#[derive(ToSchema)]
pub(super) struct AnyObject;

impl ProblemShown {
    pub(super) fn shape() -> RefOr<Schema> {
        Self::schema()
    }
}

/// A whole number from `least` to `most`.
pub fn whole(least: u32, most: u32) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most))
}

/// A text of whatever length.
pub fn any_text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A text of so many characters at the most.
pub fn text_up_to(most: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(most))
}

/// One of these words.
pub fn one_of(words: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
}
