//! A ballot as it is sent, in JSON or as a form.

use std::fmt;

use ::web::{Body, FieldError, FormFields, Problem, field_error, parse_json};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What a ballot looks like, for whoever sends something else.
const EXAMPLE: &str = "{\"round\": \"demo\", \"choice\": [\"cats\"]}";
/// The fields of a form; beside these it has those of [`CHOICES`], as often as it likes.
const FIELDS: [&str; 5] = ["round", "round_id", "ballot", "invite", "csrf"];
/// The two names of a choice.
const CHOICES: [&str; 2] = ["choice", "option"];
/// The two names of a round.
const ROUNDS: [&str; 2] = ["round", "round_id"];

/// What was sent, read but not checked. Not shown by `Debug`: it holds a choice, and may hold an invite.
#[derive(Default)]
pub(super) struct Sent {
    /// In which round; empty when it was not said.
    pub round: String,
    /// The options that were chosen, by id or label.
    pub choice: Vec<String>,
    /// The name that the voter gave the ballot.
    pub ballot: Option<String>,
    /// The code of an invite.
    pub invite: Option<String>,
    /// What shows that a form is ours; `None` for JSON, which needs nothing of the kind.
    pub csrf: Option<String>,
}

/// The fields of a ballot in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    round: Option<String>,
    round_id: Option<String>,
    choice: Option<OneOrMany>,
    option: Option<OneOrMany>,
    ballot: Option<String>,
    invite: Option<String>,
}

/// A choice may be sent as a list or, of one, without the brackets.
struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Options)
    }
}

/// Reads a choice in one go; an enum of both forms would have to keep a copy of it to try the one and the other.
struct Options;

impl<'de> Visitor<'de> for Options {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of an option, or a list of them")
    }

    fn visit_str<E: de::Error>(self, one: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany(vec![one.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, many: A) -> Result<OneOrMany, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(many)).map(OneOrMany)
    }
}

impl Sent {
    /// Reads what was sent.
    ///
    /// # Errors
    /// 400 and 422, naming what is wrong.
    pub fn read(body: &Body) -> Result<Self, Problem> {
        match body {
            Body::Json(bytes) => Self::of_json(parse_json(bytes, EXAMPLE)?),
            Body::Form(bytes) => Self::of_form(&FormFields::parse(bytes, &FIELDS, &CHOICES)?),
        }
    }

    fn of_json(json: Json) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let round = either(ROUNDS, [json.round, json.round_id], &mut errors).unwrap_or_default();
        let choice = either(CHOICES, [json.choice, json.option], &mut errors);
        let choice = choice.map(|OneOrMany(options)| options).unwrap_or_default();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        Ok(Self { round, choice, ballot: json.ballot, invite: json.invite, csrf: None })
    }

    fn of_form(fields: &FormFields) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let text = |name: &str| fields.all(name).first().cloned();
        let many = |name: &str| Some(fields.all(name).to_vec()).filter(|sent| !sent.is_empty());
        let round = either(ROUNDS, ROUNDS.map(text), &mut errors).unwrap_or_default();
        let choice = either(CHOICES, CHOICES.map(many), &mut errors).unwrap_or_default();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let csrf = Some(fields.text("csrf").to_owned());
        // A field that was not filled in.
        let invite = text("invite").filter(|code| !code.is_empty());
        Ok(Self { round, choice, ballot: text("ballot"), invite, csrf })
    }

    /// Whether it is a form.
    pub fn is_form(&self) -> bool {
        self.csrf.is_some()
    }
}

/// What was sent under either of two names. Under both it could be meant in two ways.
fn either<T>(names: [&str; 2], values: [Option<T>; 2], errors: &mut Vec<FieldError>) -> Option<T> {
    match values {
        [Some(_), Some(_)] => {
            let detail = format_args!("is another name of {}; send one of the two", names[0]);
            errors.push(field_error(names[1], detail));
            None
        }
        [one, other] => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;

    fn json(text: &'static str) -> Result<Sent, Problem> {
        Sent::read(&Body::Json(text.into()))
    }

    fn form(text: &'static str) -> Result<Sent, Problem> {
        Sent::read(&Body::Form(text.into()))
    }

    #[test]
    fn a_ballot_is_read_by_either_name_of_its_fields() {
        for sent in [
            json(r#"{"round": "demo", "choice": ["cats"], "ballot": "7", "invite": "A"}"#).ok().unwrap(),
            json(r#"{"round_id": "demo", "option": "cats", "ballot": "7", "invite": "A"}"#).ok().unwrap(),
            form("round=demo&choice=cats&ballot=7&invite=A").ok().unwrap(),
            form("round_id=demo&option=cats&ballot=7&invite=A&csrf=").ok().unwrap(),
        ] {
            assert_eq!(
                (sent.round.as_str(), sent.choice.as_slice()),
                ("demo", ["cats".to_owned()].as_slice())
            );
            assert_eq!((sent.ballot.as_deref(), sent.invite.as_deref()), (Some("7"), Some("A")));
        }
        assert_eq!(form("round=demo&invite=").ok().unwrap().invite, None);
        assert_eq!(form("choice=cats&choice=dogs").ok().unwrap().choice, ["cats", "dogs"]);
    }

    #[test]
    fn a_field_under_both_of_its_names_is_refused() {
        for refused in [
            json(r#"{"round": "demo", "round_id": "demo", "choice": ["cats"]}"#),
            json(r#"{"round": "demo", "choice": ["cats"], "option": "dogs"}"#),
            form("round=demo&round_id=demo&choice=cats"),
            form("round=demo&choice=cats&option=dogs"),
        ] {
            let problem = refused.err().unwrap();
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
            assert!(problem.detail().contains("is another name of"), "{}", problem.detail());
        }
    }

    #[test]
    fn only_a_form_has_something_to_show_that_it_is_ours() {
        assert!(!json(r#"{"round": "demo"}"#).ok().unwrap().is_form());
        assert_eq!(form("round=demo").ok().unwrap().csrf.as_deref(), Some(""));
        assert_eq!(form("round=demo&csrf=7").ok().unwrap().csrf.as_deref(), Some("7"));
        let refused = json(r#"{"round": "demo", "csrf": "7"}"#).err().unwrap();
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
