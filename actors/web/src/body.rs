//! Requests read within their limits, and what they hold: a JSON object, or the fields of a form.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{FieldError, Problem};

/// The largest request body, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// How long a request may take from its first line to its end.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);

/// How many wrong fields of one form are named. A body can hold thousands.
const NAMED_MAX: usize = 16;

/// How much of a wrong field's name is said back, in characters.
const NAME_MAX: usize = 64;

/// A request's body by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `application/json`.
    Json(Bytes),
    /// `application/x-www-form-urlencoded`.
    Form(Bytes),
}

/// Reads a body of JSON or of a form.
///
/// # Errors
/// 415 for another type, 413 beyond [`BODY_MAX`], 408 after [`BODY_WITHIN`], 400 when it breaks off.
pub async fn read_body(request: &HttpRequest, payload: Payload) -> Result<Body, Problem> {
    read_body_up_to(request, payload, BODY_MAX).await
}

/// The same with `most` bytes as its limit.
///
/// # Errors
/// Those of [`read_body`].
pub async fn read_body_up_to(request: &HttpRequest, payload: Payload, most: usize) -> Result<Body, Problem> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wrap = match essence.as_str() {
        "application/json" => Body::Json,
        "application/x-www-form-urlencoded" => Body::Form,
        _ => {
            let detail = "Send application/json or application/x-www-form-urlencoded.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "unsupported-media-type", "Unsupported media type", detail));
        }
    };
    read_bytes(payload, most, BODY_WITHIN).await.map(wrap)
}

/// Reads a body of whatever type: at most `most` bytes, within so long.
///
/// # Errors
/// 413 beyond `most` bytes, 408 when it takes longer, 400 when it breaks off.
pub async fn read_bytes(payload: Payload, most: usize, within: Duration) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(within, payload.to_bytes_limited(most)).await;
    let Ok(read) = read else {
        let detail = format!("The request did not come to its end within {} seconds.", within.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "Request too slow", detail));
    };
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let detail = "The request broke off before its end. Send it again.";
            Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete", "Incomplete request", detail))
        }
        Err(_exceeded) => {
            let detail = format!("A request to this address may hold at most {most} bytes.");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Request too large", detail))
        }
    }
}

/// One field that is wrong, and what is wrong with it: lower case, no full stop.
pub fn field_error(field: &str, detail: impl fmt::Display) -> FieldError {
    FieldError { field: field.to_owned(), detail: detail.to_string() }
}

/// Reads one JSON object. `example` shows what it must look like to whoever sends something else.
///
/// # Errors
/// 400 for what is no JSON object and nothing else; 422 that names the field that is not as it must be.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8], example: &str) -> Result<T, Problem> {
    // serde would take a list of the fields' values for an object.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(no_object(example));
    }
    serde_json::from_slice(bytes).map_err(|_| malformed_json::<T>(bytes, example))
}

/// Reads it once more, slowly, to say which field is wrong.
fn malformed_json<T: DeserializeOwned>(bytes: &[u8], example: &str) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(fault) if fault.inner().is_data() && fault.path().iter().next().is_some() => {
            let why = fault.inner().to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            let field = fault.path().to_string();
            Problem::invalid(vec![field_error(&field, format_args!("is not as it must be: {why}"))])
        }
        Err(fault) if fault.inner().is_data() => no_object(example),
        Err(fault) => Problem::malformed(&format!("the body is not JSON: {}", fault.inner())),
        Ok(_) => Problem::malformed("the body must be one JSON object and nothing else"),
    }
}

fn no_object(example: &str) -> Problem {
    Problem::malformed(&format!("the body must be an object such as {example}"))
}

/// What a form sent: every field that it may have, and no other. Its values are not shown by `Debug`.
#[derive(Clone, Default)]
pub struct FormFields(BTreeMap<String, Vec<String>>);

impl FormFields {
    /// Reads a form whose fields are `single`, which it may hold once each, and `repeated`. All may be left away.
    ///
    /// # Errors
    /// 422 that names the fields that are unknown, or there more than once.
    pub fn parse(bytes: &[u8], single: &[&str], repeated: &[&str]) -> Result<Self, Problem> {
        let mut fields = Self::default();
        let mut errors = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let is_single = single.contains(&&*name);
            if !is_single && !repeated.contains(&&*name) {
                let name: String = name.chars().take(NAME_MAX).collect();
                errors.push(field_error(&name, "is not a field of this form"));
            } else if is_single && fields.0.contains_key(&*name) {
                errors.push(field_error(&name, "is there more than once"));
            } else {
                fields.0.entry(name.into_owned()).or_default().push(value.into_owned());
            }
            if errors.len() == NAMED_MAX {
                break;
            }
        }
        if errors.is_empty() { Ok(fields) } else { Err(Problem::invalid(errors)) }
    }

    /// A single field's value; empty without that field, as for a field that was not filled in.
    pub fn text(&self, name: &str) -> &str {
        self.all(name).first().map_or("", String::as_str)
    }

    /// A repeated field's values, in the order they were sent.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for FormFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sent {
        name: String,
        tags: Vec<u8>,
    }

    fn refused(json: &str) -> (u16, String) {
        let problem = parse_json::<Sent>(json.as_bytes(), "{\"name\": \"x\", \"tags\": [1]}").unwrap_err();
        (problem.status().as_u16(), problem.detail().to_owned())
    }

    #[test]
    fn a_json_object_is_read() {
        let sent: Sent = parse_json(b" {\"name\": \"x\", \"tags\": [1, 2]} ", "{}").unwrap();
        assert_eq!((sent.name.as_str(), sent.tags.as_slice()), ("x", [1, 2].as_slice()));
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        let (status, detail) = refused("{\"name\": 5, \"tags\": []}");
        assert_eq!(status, 422);
        assert_eq!(detail, "Name is not as it must be: invalid type: integer `5`, expected a string.");
        let (status, detail) = refused("{\"name\": \"x\", \"tags\": [1, \"y\"]}");
        assert_eq!((status, detail.starts_with("Tags[1] is not")), (422, true), "{detail}");
        let (status, detail) = refused("{\"name\": \"x\", \"role\": \"admin\"}");
        assert_eq!((status, detail.contains("unknown field `role`")), (422, true), "{detail}");
    }

    #[test]
    fn what_is_no_object_is_shown_one() {
        for wrong in ["[\"x\", [1]]", " [", "\"x\"", "5", "null"] {
            let (status, detail) = refused(wrong);
            assert_eq!((status, detail.contains("such as {\"name\"")), (400, true), "{wrong}: {detail}");
        }
        for wrong in ["", "{", "{\"name\": \"x\", \"tags\": []} {}", "name=x"] {
            assert_eq!(refused(wrong).0, 400, "{wrong}");
        }
    }

    #[test]
    fn a_form_holds_its_own_fields_and_each_single_one_once() {
        let parse = |form: &str| FormFields::parse(form.as_bytes(), &["round", "csrf"], &["choice"]);
        let fields = parse("round=demo+1&choice=a&choice=%C3%A9").unwrap();
        assert_eq!((fields.text("round"), fields.text("csrf")), ("demo 1", ""));
        assert_eq!(fields.all("choice"), ["a", "é"]);
        let refused = |form: &str| {
            let problem = parse(form).unwrap_err();
            assert_eq!(problem.status(), 422);
            problem.detail().to_owned()
        };
        assert_eq!(
            refused("role=admin&round=a&round=b"),
            "Role is not a field of this form; round is there more than once."
        );
        let long = refused(&"x".repeat(1_000));
        assert!(long.len() < 100, "{long}");
        let many = refused(&"x&".repeat(10_000));
        assert_eq!(many.matches("is not a field").count(), NAMED_MAX);
    }

    #[test]
    fn what_a_form_holds_is_not_shown_by_debug() {
        let fields = FormFields::parse(b"password=hunter2", &["password"], &[]).unwrap();
        assert_eq!(format!("{fields:?}"), "{\"password\"}");
    }
}
