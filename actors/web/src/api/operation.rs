//! One method of one address: what it takes, and every answer that it may give.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use subjects::Role;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, HttpMethod, Ref, RefOr, Required, ResponseBuilder, Schema};

use super::kinds::{self, Kind};
use super::schemas::ProblemShown;

/// The schemes by which somebody is known who is signed in.
const SIGNED_IN: [&str; 2] = ["bearer", "cookie"];
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// What a page is.
const HTML: &str = "text/html; charset=utf-8";

/// One method of one address, as the document tells of it.
pub struct Operation {
    pub(super) path: &'static str,
    pub(super) method: HttpMethod,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    built: OperationBuilder,
    answers: BTreeMap<u16, ResponseBuilder>,
    refusals: Vec<Kind>,
    body: Option<RequestBodyBuilder>,
}

impl Operation {
    /// What answers GET. `id` is its name, for programs that are made from the document.
    pub fn get(path: &'static str, id: &'static str) -> Self {
        Self::of(HttpMethod::Get, path, id)
    }

    /// What answers POST.
    pub fn post(path: &'static str, id: &'static str) -> Self {
        Self::of(HttpMethod::Post, path, id).refuses(&[kinds::CROSS_SITE])
    }

    /// What answers PUT.
    pub fn put(path: &'static str, id: &'static str) -> Self {
        Self::of(HttpMethod::Put, path, id).refuses(&[kinds::CROSS_SITE])
    }

    /// What answers PATCH.
    pub fn patch(path: &'static str, id: &'static str) -> Self {
        Self::of(HttpMethod::Patch, path, id).refuses(&[kinds::CROSS_SITE])
    }

    /// What answers DELETE.
    pub fn delete(path: &'static str, id: &'static str) -> Self {
        Self::of(HttpMethod::Delete, path, id).refuses(&[kinds::CROSS_SITE])
    }

    fn of(method: HttpMethod, path: &'static str, id: &'static str) -> Self {
        let schemas = vec![("Problem".to_owned(), ProblemShown::shape())];
        let built = OperationBuilder::new().operation_id(Some(id));
        Self { path, method, schemas, built, answers: BTreeMap::new(), refusals: Vec::new(), body: None }
    }

    /// Under which heading, in a few words, and in full.
    #[must_use]
    pub fn is(mut self, tag: &'static str, summary: &'static str, description: &'static str) -> Self {
        self.built = self.built.tag(tag).summary(Some(summary)).description(Some(description));
        self
    }

    /// A part of the path.
    #[must_use]
    pub fn named(self, name: &'static str, description: &'static str, example: &'static str) -> Self {
        self.parameter(ParameterIn::Path, parameter(name, description, text(), json!(example)))
    }

    /// A part of the query, which may be left away.
    #[must_use]
    pub fn asked(
        self,
        name: &'static str,
        description: &'static str,
        schema: impl Into<RefOr<Schema>>,
        example: Value,
    ) -> Self {
        self.parameter(ParameterIn::Query, parameter(name, description, schema.into(), example))
    }

    /// A header, which may be left away.
    #[must_use]
    pub fn heard(self, name: &'static str, description: &'static str, example: &'static str) -> Self {
        self.parameter(ParameterIn::Header, parameter(name, description, text(), json!(example)))
    }

    fn parameter(mut self, place: ParameterIn, told: ParameterBuilder) -> Self {
        let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
        self.built = self.built.parameter(told.parameter_in(place).required(required));
        self
    }

    /// Everybody may, and whoever is signed in may be told more. A token that is shown must be good.
    #[must_use]
    pub fn knows_callers(self) -> Self {
        self.known_by(&SIGNED_IN).known_by_nothing().refuses(&[kinds::INVALID_TOKEN])
    }

    /// Only somebody who is signed in may, with this role at least.
    #[must_use]
    pub fn takes_role(self, role: Role) -> Self {
        let signed_in = [kinds::SIGN_IN_REQUIRED, kinds::INVALID_TOKEN, kinds::SESSIONS_UNAVAILABLE];
        let told = self.known_by(&SIGNED_IN).refuses(&signed_in);
        if role == Role::Voter { told } else { told.refuses(&[kinds::FORBIDDEN]) }
    }

    /// By any one of these schemes somebody may be known.
    #[must_use]
    pub fn known_by(mut self, schemes: &[&'static str]) -> Self {
        for scheme in schemes {
            self.built = self.built.security(SecurityRequirement::new::<_, _, String>(*scheme, []));
        }
        self
    }

    /// Nobody need be known.
    #[must_use]
    pub fn known_by_nothing(mut self) -> Self {
        self.built = self.built.security(SecurityRequirement::default());
        self
    }

    /// Takes one JSON object. `example` is one that would do.
    #[must_use]
    pub fn takes<T: ToSchema>(self, example: Value) -> Self {
        self.taking::<T>(JSON, example, Required::True).refuses(&[kinds::MALFORMED])
    }

    /// Takes a JSON object, or nothing.
    #[must_use]
    pub fn may_take<T: ToSchema>(self, example: Value) -> Self {
        self.taking::<T>(JSON, example, Required::False).refuses(&[kinds::MALFORMED])
    }

    /// Takes a form of a page of ours, by its fields.
    #[must_use]
    pub fn takes_form<T: ToSchema>(self, example: Value) -> Self {
        self.taking::<T>(FORM, example, Required::True).refuses(&[kinds::CSRF])
    }

    /// Takes a form of a page of ours, or nothing.
    #[must_use]
    pub fn may_take_form<T: ToSchema>(self, example: Value) -> Self {
        self.taking::<T>(FORM, example, Required::False).refuses(&[kinds::CSRF])
    }

    /// Takes a form of a page of ours, in parts, of which one is a file.
    #[must_use]
    pub fn takes_parts<T: ToSchema>(self) -> Self {
        let taking = self.taking::<T>("multipart/form-data", Value::Null, Required::True);
        taking.refuses(&[kinds::CSRF, kinds::MALFORMED])
    }

    /// Takes one more type of content, as it is.
    #[must_use]
    pub fn takes_bytes(mut self, content_type: &'static str) -> Self {
        let content = ContentBuilder::new().schema(Some(bytes())).build();
        let body = self.body.take().unwrap_or_default().required(Some(Required::True));
        self.body = Some(body.content(content_type, content));
        self
    }

    fn taking<T: ToSchema>(mut self, content_type: &str, example: Value, required: Required) -> Self {
        let content = ContentBuilder::new().schema(Some(self.named_schema::<T>()));
        let content = content.example(Some(example).filter(|example| !example.is_null()));
        let body = self.body.take().unwrap_or_default().required(Some(required));
        self.body = Some(body.content(content_type, content.build()));
        self.refuses(&kinds::OF_A_BODY)
    }

    /// Answers with one JSON object.
    #[must_use]
    pub fn answers<T: ToSchema>(mut self, status: u16, description: &'static str) -> Self {
        let schema = self.named_schema::<T>();
        self.answering(status, description, JSON, schema)
    }

    /// Answers with a list.
    #[must_use]
    pub fn answers_list<T: ToSchema>(mut self, status: u16, description: &'static str) -> Self {
        let list = ArrayBuilder::new().items(self.named_schema::<T>());
        self.answering(status, description, JSON, list.into())
    }

    /// Answers with a page.
    #[must_use]
    pub fn answers_page(self, description: &'static str) -> Self {
        self.answers_text(200, description, HTML)
    }

    /// Answers with text of a type.
    #[must_use]
    pub fn answers_text(self, status: u16, description: &'static str, content_type: &'static str) -> Self {
        self.answering(status, description, content_type, text())
    }

    /// Answers with bytes of a type.
    #[must_use]
    pub fn answers_bytes(self, status: u16, description: &'static str, content_type: &'static str) -> Self {
        self.answering(status, description, content_type, bytes())
    }

    /// Answers with nothing but its headers.
    #[must_use]
    pub fn answers_nothing(mut self, status: u16, description: &'static str) -> Self {
        self.answers.insert(status, ResponseBuilder::new().description(description));
        self
    }

    /// Leads a browser on.
    #[must_use]
    pub fn leads_on(self, description: &'static str) -> Self {
        self.answers_nothing(303, description).with_header(303, "Location", "Where to go on.")
    }

    /// One more type of content is answered with under a status that is there.
    fn answering(
        mut self,
        status: u16,
        description: &str,
        content_type: &str,
        schema: RefOr<Schema>,
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let answer = self.answers.remove(&status);
        let answer = answer.unwrap_or_else(|| ResponseBuilder::new().description(description));
        self.answers.insert(status, answer.content(content_type, content));
        self
    }

    /// The answers with this status have this header.
    #[must_use]
    pub fn with_header(mut self, status: u16, name: &'static str, description: &'static str) -> Self {
        if let Some(answer) = self.answers.remove(&status) {
            self.answers.insert(status, answer.header(name, header(description)));
        }
        self
    }

    /// The answers with this status say which version they are of.
    #[must_use]
    pub fn versioned(self, status: u16) -> Self {
        self.with_header(status, "ETag", "The round's version, to be sent back as `If-Match` or `version`.")
    }

    /// May be refused for these reasons too.
    #[must_use]
    pub fn refuses(mut self, kinds: &[Kind]) -> Self {
        self.refusals.extend(kinds);
        self
    }

    fn named_schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name().into_owned();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.clone(), T::schema()));
        Ref::from_schema_name(name).into()
    }

    /// The operation with all its answers.
    pub(super) fn build(self) -> utoipa::openapi::path::Operation {
        let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        for kind in self.refusals {
            let of_status = by_status.entry(kind.status).or_default();
            if of_status.iter().all(|known| known.kind != kind.kind) {
                of_status.push(kind);
            }
        }
        let mut built = self.built.request_body(self.body.map(RequestBodyBuilder::build));
        for (status, answer) in self.answers {
            built = built.response(status.to_string(), answer);
        }
        for (status, kinds) in by_status {
            built = built.response(status.to_string(), refusal(status, &kinds));
        }
        built.build()
    }
}

/// The answer of a status that refuses, with an example of every kind there is.
fn refusal(status: u16, kinds: &[Kind]) -> ResponseBuilder {
    let words: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}", kind.kind, kind.when)).collect();
    let schema: RefOr<Schema> = Ref::from_schema_name("Problem").into();
    let examples = kinds.iter().map(|kind| {
        let example = ExampleBuilder::new().summary(kind.when).value(Some(kind.example()));
        (kind.kind, RefOr::T(example.build()))
    });
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    let answer =
        ResponseBuilder::new().description(words.join("\n")).content("application/problem+json", content);
    match status {
        401 => answer.header("WWW-Authenticate", header("How to be known: `Bearer`.")),
        429 | 503 => answer.header("Retry-After", header("After how many seconds to try again.")),
        _ => answer,
    }
}

fn parameter(name: &str, description: &str, schema: RefOr<Schema>, example: Value) -> ParameterBuilder {
    let told = ParameterBuilder::new().name(name).description(Some(description));
    told.schema(Some(schema)).example(Some(example))
}

fn header(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(text())).description(Some(description)).build()
}

fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn bytes() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).content_media_type("application/octet-stream").into()
}
