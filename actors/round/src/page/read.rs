//! What is sent to this actor. Everything that is wrong with it is named, not only the first.

use ::web::{Body, FieldError, FormFields, Problem, field_error, read_body, read_body_up_to};
use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Payload};
use serde_json::{Map, Value};
use subjects::{EmailRule, OptionId, Policy, RoundId, RoundState};

use super::fields::Fields;
use crate::Handle;
use crate::rules::{EMAILS_MAX, LongText, OPTIONS, OptionWish, ShortText, Wish};

/// The largest round, in bytes: every text at its longest, with every character escaped.
const ROUND_MAX: usize = 512 * 1024;

const ROUND_EXAMPLE: &str = r#"{"title": "Cats or dogs?", "options": ["Cats", "Dogs"]}"#;
const EDIT_EXAMPLE: &str = r#"{"description": "For two years.", "version": 7}"#;
const OPTION_EXAMPLE: &str = r#"{"label": "Cats"}"#;
const COMMAND_EXAMPLE: &str = r#"{"version": 7}"#;
const INVITES_EXAMPLE: &str = r#"{"count": 100}"#;

/// A round that is to be made, as far as it could be read.
#[derive(Debug, Default)]
pub struct AskedRound {
    /// The name that it is given.
    pub id: Option<RoundId>,
    /// The state it is to begin in.
    pub state: Option<RoundState>,
    /// Everything else.
    pub wish: Wish,
    /// What could not be read.
    pub wrong: Vec<FieldError>,
}

/// What is to be edited in a round.
#[derive(Debug)]
pub struct AskedEdit {
    /// What.
    pub wish: Wish,
    /// The version it is meant for.
    pub version: Option<u64>,
}

/// An option that is to be added.
#[derive(Debug)]
pub struct AskedOption {
    /// The option.
    pub wish: OptionWish,
    /// The version of the round it is meant for.
    pub version: Option<u64>,
}

/// An option that is to be called something else.
#[derive(Debug)]
pub struct AskedLabel {
    /// As people are to read it.
    pub label: ShortText,
    /// The version of the round it is meant for.
    pub version: Option<u64>,
}

/// A round that is to be opened or closed.
#[derive(Debug)]
pub struct AskedCommand {
    /// The version it is meant for.
    pub version: Option<u64>,
    /// Whether a browser's form asks for it.
    pub is_form: bool,
}

/// Invites that are to be made.
#[derive(Debug)]
pub struct AskedInvites {
    /// How many.
    pub count: u64,
    /// Whether a browser's form asks for it.
    pub is_form: bool,
}

/// Reads a body of JSON.
pub async fn json(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    match read_body_up_to(request, payload, ROUND_MAX).await? {
        Body::Json(bytes) => Ok(bytes),
        Body::Form(_) => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let detail = "Send application/json.";
            Err(Problem::new(status, "unsupported-media-type", "Unsupported media type", detail))
        }
    }
}

/// Reads a round that is to be made.
pub fn round(bytes: &[u8]) -> Result<AskedRound, Problem> {
    let mut fields = Fields::of(bytes, ROUND_EXAMPLE)?;
    let id = fields.text("id", RoundId::parse);
    let state = fields.text("state", |text| match text {
        "draft" => Ok(RoundState::Draft),
        "open" => Ok(RoundState::Open),
        _ => Err("must be draft or open"),
    });
    let wish = wish(&mut fields);
    Ok(AskedRound { id, state, wish, wrong: fields.wrong() })
}

/// Reads what is to be edited.
pub fn edit(request: &HttpRequest, bytes: &[u8]) -> Result<AskedEdit, Problem> {
    let mut fields = Fields::of(bytes, EDIT_EXAMPLE)?;
    let version = version(&mut fields, request);
    let wish = wish(&mut fields);
    fields.end()?;
    Ok(AskedEdit { wish, version })
}

/// Reads an option that is to be added.
pub fn option(request: &HttpRequest, bytes: &[u8]) -> Result<AskedOption, Problem> {
    let mut fields = Fields::of(bytes, OPTION_EXAMPLE)?;
    let id = fields.text("id", OptionId::parse);
    let (label, version) = (label_of(&mut fields), version(&mut fields, request));
    Ok(AskedOption { wish: OptionWish { id, label: whole(label, fields)? }, version })
}

/// Reads the label that an option is to have. Its name stays as it is.
pub fn label(request: &HttpRequest, bytes: &[u8]) -> Result<AskedLabel, Problem> {
    let mut fields = Fields::of(bytes, OPTION_EXAMPLE)?;
    let (label, version) = (label_of(&mut fields), version(&mut fields, request));
    Ok(AskedLabel { label: whole(label, fields)?, version })
}

/// Reads a command, which needs no body. A form must be one of ours.
pub async fn command(
    rounds: &Handle,
    request: &HttpRequest,
    payload: Payload,
) -> Result<AskedCommand, Problem> {
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        return Ok(AskedCommand { version: if_match(request), is_form: false });
    }
    match read_body(request, payload).await? {
        Body::Json(bytes) => {
            let mut fields = Fields::of(&bytes, COMMAND_EXAMPLE)?;
            let version = version(&mut fields, request);
            fields.end()?;
            Ok(AskedCommand { version, is_form: false })
        }
        Body::Form(bytes) => {
            let fields = FormFields::parse(&bytes, &["csrf", "version"], &[])?;
            rounds.edge.check_form(request, fields.text("csrf"))?;
            let version = match fields.text("version") {
                "" => None,
                text => {
                    Some(number(text).map_err(|why| Problem::invalid(vec![field_error("version", why)]))?)
                }
            };
            Ok(AskedCommand { version, is_form: true })
        }
    }
}

/// Reads how many invites are to be made. A form must be one of ours.
pub async fn invites(
    rounds: &Handle,
    request: &HttpRequest,
    payload: Payload,
) -> Result<AskedInvites, Problem> {
    match read_body(request, payload).await? {
        Body::Json(bytes) => {
            let mut fields = Fields::of(&bytes, INVITES_EXAMPLE)?;
            fields.require("count");
            let count = fields.number("count");
            Ok(AskedInvites { count: whole(count, fields)?, is_form: false })
        }
        Body::Form(bytes) => {
            let fields = FormFields::parse(&bytes, &["csrf", "count"], &[])?;
            rounds.edge.check_form(request, fields.text("csrf"))?;
            let count = number(fields.text("count"));
            let count = count.map_err(|why| Problem::invalid(vec![field_error("count", why)]))?;
            Ok(AskedInvites { count, is_form: true })
        }
    }
}

/// The version that the request's `If-Match` names; one that is never there when it names something else.
pub fn if_match(request: &HttpRequest) -> Option<u64> {
    let tag = request.headers().get(header::IF_MATCH)?.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return None;
    }
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    Some(tag.trim_matches('"').parse().unwrap_or(0))
}

fn number(text: &str) -> Result<u64, &'static str> {
    text.trim().parse().map_err(|_| "must be a whole number")
}

fn policy(text: &str) -> Result<Policy, &'static str> {
    match text {
        "anyone" => Ok(Policy::Anyone),
        "invited" => Ok(Policy::Invited),
        "account" => Ok(Policy::Account),
        _ => Err("must be anyone, invited or account"),
    }
}

/// Takes everything that an organiser may write in a round. Lists are read up to the length that they may have.
fn wish(fields: &mut Fields) -> Wish {
    Wish {
        title: fields.text("title", ShortText::parse),
        description: fields.text("description", LongText::parse),
        options: fields.list("options", *OPTIONS.end(), option_wish),
        policy: fields.text("policy", policy),
        programs: fields.flag("programs"),
        emails: fields.list("emails", EMAILS_MAX, email),
        changeable: fields.flag("changeable"),
        opens_at: fields.moment("opens_at"),
        closes_at: fields.moment("closes_at"),
    }
}

/// An option is an object, or its label alone.
fn option_wish(fields: &mut Fields, path: &str, item: Value) -> Option<OptionWish> {
    let parts = match item {
        Value::Object(parts) => parts,
        Value::String(label) => Map::from_iter([("label".to_owned(), Value::String(label))]),
        _ => {
            fields.note(path, "must be a label, or an object with one");
            return None;
        }
    };
    let mut parts = Fields::inside(path, parts);
    let (id, label) = (parts.text("id", OptionId::parse), label_of(&mut parts));
    let is_right = fields.take_in(parts);
    label.filter(|_| is_right).map(|label| OptionWish { id, label })
}

fn label_of(fields: &mut Fields) -> Option<ShortText> {
    fields.require("label");
    fields.text("label", ShortText::parse)
}

fn email(fields: &mut Fields, path: &str, item: Value) -> Option<EmailRule> {
    let rule = item.as_str().ok_or("must be a text".to_owned());
    let rule = rule.and_then(|text| EmailRule::parse(text).map_err(|why| why.to_string()));
    rule.map_err(|why| fields.note(path, why)).ok()
}

/// The version that is meant: that of the body, or else that of `If-Match`.
fn version(fields: &mut Fields, request: &HttpRequest) -> Option<u64> {
    fields.number("version").or_else(|| if_match(request))
}

/// What was read, unless something is wrong. A field that must be there and is not is wrong.
fn whole<T>(read: Option<T>, fields: Fields) -> Result<T, Problem> {
    fields.end()?;
    read.ok_or_else(|| Problem::malformed("something is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn wrong(json: &str) -> Vec<String> {
        let asked = round(json.as_bytes()).expect("an object");
        asked.wrong.into_iter().map(|error| format!("{} {}", error.field, error.detail)).collect()
    }

    #[test]
    fn a_round_is_read_as_the_sample_system_sends_it() {
        let asked =
            round(br#"{"title": "Cats or dogs?", "options": ["Cats", {"label": "Dogs", "id": "d"}]}"#)
                .unwrap();
        assert!(asked.wrong.is_empty() && asked.id.is_none() && asked.state.is_none());
        let options = asked.wish.options.unwrap();
        let read = |option: &OptionWish| {
            (option.id.as_ref().map(ToString::to_string), option.label.as_str().to_owned())
        };
        assert_eq!(
            options.iter().map(read).collect::<Vec<_>>(),
            [(None, "Cats".to_owned()), (Some("d".to_owned()), "Dogs".to_owned())]
        );
    }

    #[test]
    fn every_wrong_field_of_a_round_is_named_with_its_path() {
        let json = r#"{"title": " ", "id": "A b", "state": "closed", "options": ["A", 2, {"id": "b"}, {"label": "\u202e"},
            {"label": "E", "picture": "x"}], "emails": ["ann@example.org", "x"], "programs": "yes", "opens_at": 5}"#;
        let fields: Vec<String> =
            wrong(json).iter().map(|wrong| wrong.split(' ').next().unwrap().to_owned()).collect();
        let expected = [
            "id",
            "state",
            "title",
            "options[1]",
            "options[2].label",
            "options[3].label",
            "options[4].picture",
            "programs",
            "emails[1]",
            "opens_at",
        ];
        assert_eq!(fields, expected);
        let many = format!("{{\"options\": [{}\"A\"]}}", "\"A\", ".repeat(9_999));
        assert_eq!(wrong(&many), ["options must be at most 100, not 10000"]);
    }

    #[test]
    fn the_version_that_is_meant_is_in_the_body_or_in_if_match() {
        let version = |json: &str, if_match: Option<&'static str>| {
            let request = TestRequest::default();
            let request =
                if_match.into_iter().fold(request, |r, tag| r.insert_header((header::IF_MATCH, tag)));
            edit(&request.to_http_request(), json.as_bytes()).unwrap().version
        };
        assert_eq!(version("{}", None), None);
        assert_eq!(version(r#"{"version": 7}"#, None), Some(7));
        assert_eq!(version("{}", Some("\"7\"")), Some(7));
        assert_eq!(version("{}", Some("W/\"7\"")), Some(7));
        assert_eq!(version("{}", Some("*")), None);
        // No version is called so, so it is refused as outdated.
        assert_eq!(version("{}", Some("\"abc\"")), Some(0));
    }

    #[test]
    fn an_option_without_a_label_is_told_so() {
        let request = TestRequest::default().to_http_request();
        for read in [
            |r: &HttpRequest, b: &[u8]| option(r, b).map(|_| ()),
            |r: &HttpRequest, b: &[u8]| label(r, b).map(|_| ()),
        ] {
            let refused = read(&request, b"{}").unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.detail()), (422, "Label is missing."));
        }
    }
}
