//! A refusal: RFC 9457 problem+json for programs, a page for browsers.

use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use nats::TraceContext;
use serde::Serialize;
use templates::{ErrorPage, Link};
use tracing::error;

/// After how many seconds it makes sense to try again.
const RETRY_AFTER: u32 = 2;

/// Why a request was refused, in words for whoever sent it. Never holds a cause from inside.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// What kind of problem, for programs: `urn:urna:…`.
    #[serde(rename = "type", serialize_with = "as_urn")]
    kind: &'static str,
    /// What kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong this time, and what to do next.
    detail: String,
    /// Every field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Names this failure in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip)]
    can_be_tried_again: bool,
    #[serde(skip)]
    cookie: Option<Box<Cookie<'static>>>,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Its name.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A problem of this status. `kind` is a few words joined by dashes, such as `already-voted`.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
            can_be_tried_again: false,
            cookie: None,
        }
    }

    /// 409: well-formed and valid, but not as things stand.
    pub fn conflict(kind: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "Not as things stand", sentence(&why.to_string()))
    }

    /// 400: not what the address takes.
    pub fn malformed(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed request", sentence(why))
    }

    /// 401: whoever is calling cannot be told.
    pub fn unknown_caller(why: &dyn std::fmt::Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unknown-caller", "Not known", sentence(&why.to_string()))
    }

    /// 404: there is no such round.
    pub fn no_such_round() -> Self {
        let detail = "There is no round of this name. /rounds lists those there are.";
        Self::new(StatusCode::NOT_FOUND, "no-such-round", "No such round", detail)
    }

    /// 422: well-formed, but these fields are not valid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let said: Vec<String> =
            errors.iter().map(|error| format!("{} {}", error.field, error.detail)).collect();
        let problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Not valid", sentence(&said.join("; ")));
        Self { errors, ..problem }
    }

    /// 503: something that is needed is away. Tells when to try again.
    pub fn unavailable(kind: &'static str, detail: &str) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, "Not now", detail);
        Self { can_be_tried_again: true, ..problem }
    }

    /// 500: our fault. The cause goes to the log, under an id that the caller is given.
    pub fn internal(doing: &str, cause: &dyn std::fmt::Display) -> Self {
        let request_id = TraceContext::start().trace_id();
        error!(request_id, doing, %cause, "a request failed");
        let detail = "Something went wrong. Nothing was accepted.";
        let problem =
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong", detail);
        Self { request_id: Some(request_id), ..problem }
    }

    /// The same, setting this cookie on the way out.
    #[must_use]
    pub fn with_cookie(self, cookie: Cookie<'static>) -> Self {
        Self { cookie: Some(Box::new(cookie)), ..self }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What was wrong, in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The response: a page when the request asks for one, problem+json otherwise.
    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if self.can_be_tried_again {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        if let Some(cookie) = &self.cookie {
            response.cookie(Cookie::clone(cookie));
        }
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if wants_page(request)
            && let Ok(page) = self.page().render()
        {
            return response.content_type("text/html; charset=utf-8").body(page);
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }

    fn page(&self) -> ErrorPage {
        ErrorPage {
            status: self.status,
            title: self.title.to_owned(),
            detail: self.detail.clone(),
            back: Some(Link { href: "/".to_owned(), text: "All rounds".to_owned() }),
            request_id: self.request_id.clone(),
        }
    }
}

/// Whether the request asks for a page rather than for JSON, as browsers do.
pub fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn as_urn<S: serde::Serializer>(kind: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:urna:{kind}"))
}

/// An error's words, which begin in lower case and have no full stop, as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;

    #[actix_web::test]
    async fn a_program_gets_problem_json_that_names_every_field() {
        let wrong = |field: &str| FieldError { field: field.into(), detail: "is missing".into() };
        let response = Problem::invalid(vec![wrong("round"), wrong("choice")])
            .respond(&TestRequest::default().to_http_request());
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "application/problem+json");
        let body: serde_json::Value =
            serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
        assert_eq!(body["status"], 422);
        assert_eq!(body["detail"], "Round is missing; choice is missing.");
        assert_eq!(body["errors"][1]["field"], "choice");
    }

    #[actix_web::test]
    async fn a_browser_gets_a_page_and_everyone_learns_when_to_come_back() {
        let request =
            TestRequest::default().insert_header((header::ACCEPT, "text/html,*/*;q=0.8")).to_http_request();
        let response = Problem::unavailable("log-away", "Try again.").respond(&request);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "2");
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "text/html; charset=utf-8");
    }
}
