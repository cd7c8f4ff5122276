//! What is sent to this actor. Everything that is wrong with it is named, not only the first.

use ::web::{Body, FieldError, FormFields, Problem, field_error, read_body, read_body_up_to};
use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Payload};
use subjects::{RoundId, RoundState};

use super::fields::Fields;
use super::wishes;
use crate::Handle;
use crate::rules::{OptionChange, OptionWish, Wish};

/// The largest round, in bytes: every text at its longest, with every character escaped.
const ROUND_MAX: usize = 1_536 * 1024;

const ROUND_EXAMPLE: &str = r#"{"title": "Cats or dogs?", "options": ["Cats", "Dogs"]}"#;
const EDIT_EXAMPLE: &str = r#"{"description": "For two years.", "version": 7}"#;
const OPTION_EXAMPLE: &str = r#"{"label": "Cats", "description": "Four feet and a tail."}"#;
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

/// An option of which something else is to be said.
#[derive(Debug)]
pub struct AskedChange {
    /// What.
    pub change: OptionChange,
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
    let wish = wishes::wish(&mut fields);
    Ok(AskedRound { id, state, wish, wrong: fields.wrong() })
}

/// Reads what is to be edited.
pub fn edit(request: &HttpRequest, bytes: &[u8]) -> Result<AskedEdit, Problem> {
    let mut fields = Fields::of(bytes, EDIT_EXAMPLE)?;
    let version = version(&mut fields, request);
    let wish = wishes::wish(&mut fields);
    fields.end()?;
    Ok(AskedEdit { wish, version })
}

/// Reads an option that is to be added.
pub fn option(request: &HttpRequest, bytes: &[u8]) -> Result<AskedOption, Problem> {
    let mut fields = Fields::of(bytes, OPTION_EXAMPLE)?;
    let (wish, version) = (wishes::option(&mut fields), version(&mut fields, request));
    Ok(AskedOption { wish: whole(wish, fields)?, version })
}

/// Reads what is to be said of an option. Its name stays as it is.
pub fn change(request: &HttpRequest, bytes: &[u8]) -> Result<AskedChange, Problem> {
    let mut fields = Fields::of(bytes, OPTION_EXAMPLE)?;
    let (change, version) = (wishes::change(&mut fields), version(&mut fields, request));
    fields.end()?;
    if change.is_empty() {
        return Err(Problem::invalid(vec![field_error("label", "is missing, and so is any other field")]));
    }
    Ok(AskedChange { change, version })
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
        // There are programs that call every body JSON, one that is not there too.
        Body::Json(bytes) if bytes.is_empty() => {
            Ok(AskedCommand { version: if_match(request), is_form: false })
        }
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
            {"label": "E", "picture": "x"}, {"label": "F", "description": 1, "link": "ann"}], "method": "borda", "option_order": 1,
            "max_choices": -1, "allowed_emails": ["ann@example.org", "x"], "program_voters": "yes", "results_visibility": "never", "allow_embedding": 1,
            "opens_at": 5}"#;
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
            "options[5].description",
            "options[5].link",
            "option_order",
            "method",
            "max_choices",
            "program_voters",
            "allowed_emails[1]",
            "results_visibility",
            "allow_embedding",
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
    fn an_option_that_is_added_has_a_label_and_one_that_is_changed_says_what() {
        let request = TestRequest::default().to_http_request();
        let refused = option(&request, br#"{"description": "x"}"#).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.detail()), (422, "Label is missing."));
        let refused = change(&request, br#"{"version": 7}"#).unwrap_err();
        assert_eq!(refused.detail(), "Label is missing, and so is any other field.");
        let changed = change(&request, br#"{"description": "", "link": null}"#).unwrap().change;
        assert_eq!((changed.label, changed.link), (None, Some(None)));
    }
}
