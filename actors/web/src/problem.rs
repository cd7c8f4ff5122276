//! A refusal: RFC 9457 problem+json for programs, a page for browsers.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::cookie::Cookie;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use nats::TraceContext;
use serde::Serialize;
use templates::{ErrorPage, Link, RenderError};
use tracing::error;

use crate::callers::visitor_known;

/// After how many seconds it makes sense to try again when something is away.
pub const RETRY_AFTER: u64 = 2;
const INVALID_TOKEN: &str = "invalid-token";

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
    #[serde(flatten)]
    beside: Box<Beside>,
}

/// What only some problems have.
#[derive(Clone, Default, Serialize)]
struct Beside {
    /// What the version is now of the thing that was changed meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Names this failure in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// After how many seconds it makes sense to try again.
    #[serde(skip)]
    retry_after: Option<u64>,
    /// Whether signing in would help.
    #[serde(skip)]
    ends_at_sign_in: bool,
    #[serde(skip)]
    cookies: Vec<Cookie<'static>>,
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
            beside: Box::default(),
        }
    }

    /// 409: well-formed and valid, but in conflict with what is there.
    pub fn conflict(kind: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "Conflict", sentence(&why.to_string()))
    }

    /// 400: not what the address takes.
    pub fn malformed(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed request", sentence(why))
    }

    /// 401: the caller cannot be identified.
    pub fn unidentified_caller(why: &dyn std::fmt::Display) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unidentified-caller",
            "Unidentified caller",
            sentence(&why.to_string()),
        )
    }

    /// 403: the round is another organiser's.
    pub fn not_your_round(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-your-round", "Not your round", detail)
    }

    /// 401: this takes somebody who is signed in, and nobody is. A browser that opens a page is sent to sign in.
    pub fn sign_in_required() -> Self {
        let detail = "Sign in first.";
        Self::new(StatusCode::UNAUTHORIZED, "sign-in-required", "Sign-in required", detail)
            .ending_at_sign_in()
    }

    /// 401: the token has run out, or is not ours, or its session has ended. It does not say which.
    pub fn invalid_token() -> Self {
        let detail =
            "You are not signed in any more. Sign in again; a program may ask for a new token at /token.";
        Self::new(StatusCode::UNAUTHORIZED, INVALID_TOKEN, "Invalid token", detail).ending_at_sign_in()
    }

    /// 403: known, but not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// 404: there is no such round.
    pub fn round_not_found() -> Self {
        let detail = "There is no round with this name. GET /rounds lists the rounds.";
        Self::new(StatusCode::NOT_FOUND, "round-not-found", "Round not found", detail)
    }

    /// 422: well-formed, but these fields are not valid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let said: Vec<String> =
            errors.iter().map(|error| format!("{} {}", error.field, error.detail)).collect();
        let problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "Invalid request",
            sentence(&said.join("; ")),
        );
        Self { errors, ..problem }
    }

    /// 503: a dependency is unavailable. Tells when to try again.
    pub fn unavailable(kind: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, "Unavailable", detail).tried_again_after(RETRY_AFTER)
    }

    /// 429: too fast. Tells after how many seconds to try again.
    pub fn rate_limited(retry_after_secs: u64, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Rate limited", detail);
        problem.tried_again_after(retry_after_secs)
    }

    /// 500: our fault. The cause goes to the log, under an id that the caller is given.
    pub fn internal(doing: &str, cause: &dyn std::fmt::Display) -> Self {
        let request_id = TraceContext::start().trace_id();
        error!(request_id, doing, %cause, "a request failed");
        let detail = "Something went wrong. Nothing was accepted.";
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail);
        problem.beside.request_id = Some(request_id);
        problem
    }

    /// The same, telling which version there is now.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.beside.version = Some(version);
        self
    }

    /// The same, setting this cookie too on the way out.
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie<'static>) -> Self {
        self.beside.cookies.push(cookie);
        self
    }

    /// The same, naming the fields that are the reason.
    #[must_use]
    pub fn naming(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    fn tried_again_after(mut self, secs: u64) -> Self {
        self.beside.retry_after = Some(secs);
        self
    }

    fn ending_at_sign_in(mut self) -> Self {
        self.beside.ends_at_sign_in = true;
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What kind of problem it is, such as `already-voted`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What was wrong, in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Every field that is wrong, as far as fields are.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    pub(crate) fn is_invalid_token(&self) -> bool {
        self.kind == INVALID_TOKEN
    }

    /// The response: a page when the request asks for one, problem+json otherwise. A browser that opened a page and
    /// is not signed in is sent to sign in, and from there back.
    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let is_page = wants_page(request);
        let mut response = HttpResponse::build(self.status());
        if let Some(secs) = self.beside.retry_after {
            response.insert_header((header::RETRY_AFTER, secs));
        }
        for cookie in &self.beside.cookies {
            response.cookie(cookie.clone());
        }
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if is_page && self.beside.ends_at_sign_in && request.method() == Method::GET {
            let to = (header::LOCATION, sign_in_from(request));
            return response.status(StatusCode::SEE_OTHER).insert_header(to).finish();
        }
        if is_page && let Some(page) = self.drawn(request) {
            return response.content_type("text/html; charset=utf-8").body(page);
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }

    /// This problem, told on a page of the caller's own where somebody in a browser asks: a form that was not taken, shown
    /// again. Everything else that the refusal has, such as when to come back, stays.
    pub fn respond_on_page(&self, request: &HttpRequest, drawn: Result<String, RenderError>) -> HttpResponse {
        match drawn {
            Ok(html) if wants_page(request) => self.respond(request).set_body(BoxBody::new(html)),
            _ => self.respond(request),
        }
    }

    /// As a page; `None` when it cannot be drawn.
    fn drawn(&self, request: &HttpRequest) -> Option<String> {
        let drawn = self.page(request).render();
        #[cfg(debug_assertions)]
        if let Err(fault) = &drawn {
            return crate::dev::fault_page(fault);
        }
        drawn.ok()
    }

    fn page(&self, request: &HttpRequest) -> ErrorPage {
        let (href, text) = match self.beside.ends_at_sign_in {
            true => ("/login", "Sign in"),
            false => ("/", "All rounds"),
        };
        ErrorPage {
            visitor: visitor_known(request),
            status: self.status,
            title: self.title.to_owned(),
            detail: self.detail.clone(),
            back: Some(Link { href: href.to_owned(), text: text.to_owned() }),
            request_id: self.beside.request_id.clone(),
        }
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the cookies: they may hold a token.
        f.debug_struct("Beside").field("retry_after", &self.retry_after).finish_non_exhaustive()
    }
}

/// Where to sign in, and then to come back to what this request asked for.
fn sign_in_from(request: &HttpRequest) -> String {
    let asked_for = request.uri().path_and_query().map_or("/", |asked_for| asked_for.as_str());
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", asked_for).finish();
    format!("/login?{next}")
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

    /// The problem is what the snapshot of this name shows.
    fn is_told_as(name: &str, problem: &serde_json::Value) {
        // The order of fields depends on what else is built with serde_json.
        insta::with_settings!({
            prepend_module_to_snapshot => false, omit_expression => true, sort_maps => true,
        }, {
            insta::assert_json_snapshot!(format!("problem.{name}"), problem);
        });
    }

    #[actix_web::test]
    async fn a_program_gets_problem_json_that_names_every_field() {
        let wrong = |field: &str| FieldError { field: field.into(), detail: "is missing".into() };
        let response = Problem::invalid(vec![wrong("round"), wrong("choice")])
            .respond(&TestRequest::default().to_http_request());
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "application/problem+json");
        let body: serde_json::Value =
            serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
        is_told_as("invalid", &body);
    }

    #[actix_web::test]
    async fn a_browser_gets_a_page_and_everyone_learns_when_to_come_back() {
        let request =
            TestRequest::default().insert_header((header::ACCEPT, "text/html,*/*;q=0.8")).to_http_request();
        let response = Problem::unavailable("log-unavailable", "Try again.").respond(&request);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "2");
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "text/html; charset=utf-8");
    }

    #[actix_web::test]
    async fn whoever_opens_a_page_is_sent_to_sign_in_and_back() {
        let page = ("Accept", "text/html");
        let request = TestRequest::get().uri("/account?tab=1&x=%C3%A9").insert_header(page).to_http_request();
        let response = Problem::sign_in_required().respond(&request);
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let to = response.headers().get(header::LOCATION).unwrap();
        assert_eq!(to, "/login?next=%2Faccount%3Ftab%3D1%26x%3D%25C3%25A9");

        let request = TestRequest::post().uri("/account").insert_header(page).to_http_request();
        let response = Problem::sign_in_required().respond(&request);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let body = to_bytes(response.into_body()).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("href=\"/login\""));
    }

    #[actix_web::test]
    async fn a_program_that_is_not_signed_in_is_told_by_what_it_could_be() {
        let cookie = |name| Cookie::new(name, "");
        let problem = Problem::invalid_token().with_cookie(cookie("a")).with_cookie(cookie("b"));
        let response = problem.respond(&TestRequest::default().to_http_request());
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers().get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
        assert_eq!(response.cookies().count(), 2);
    }

    #[actix_web::test]
    async fn whoever_is_too_fast_learns_when_to_come_back() {
        let problem = Problem::rate_limited(17, "Slower, please.");
        let response = problem.respond(&TestRequest::default().to_http_request());
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "17");
    }

    #[test]
    fn a_problem_has_a_version_or_a_request_id_only_where_it_makes_sense() {
        let json = |problem| serde_json::to_value::<Problem>(problem).unwrap();
        let plain = json(Problem::sign_in_required().with_cookie(Cookie::new("a", "b")));
        is_told_as("sign_in", &plain);
        is_told_as("with_version", &json(Problem::sign_in_required().with_version(7)));
        let mut internal = json(Problem::internal("do a thing", &"why"));
        assert!(internal["request_id"].is_string());
        internal["request_id"] = "[request_id]".into();
        is_told_as("internal", &internal);
    }

    #[test]
    fn a_cookie_is_not_shown_by_debug() {
        let problem = Problem::sign_in_required().with_cookie(Cookie::new("urna_access", "a token"));
        assert!(!format!("{problem:?}").contains("a token"));
    }
}
