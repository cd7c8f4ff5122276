//! What the addresses of this actor take and answer, for the document of the HTTP API.

use ::web::api::Operation;
use ::web::api::kinds::{self, Kind, kind};
use serde_json::json;
use subjects::Role;
use utoipa::ToSchema;

use super::{AskForToken, Granted, List};

const SESSIONS: &str = "sessions";
const PAGES: &str = "pages";
/// The name of a session, as the examples have it.
const ONE: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

const SESSION_NOT_FOUND: Kind = kind(404, "session-not-found", "The account has no session with this id.");

/// The only field of a form that ends something.
#[derive(ToSchema)]
#[schema(as = CsrfForm)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct CsrfFields {
    csrf: String,
}

/// Every address of this actor.
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/sessions", "list_sessions")
            .is(SESSIONS, "List my sessions", "Where one is signed in, newest first.")
            .takes_role(Role::Voter)
            .answers::<List>(200, "The sessions.")
            .answers_text(200, "The same as a page.", "text/html; charset=utf-8")
            .leads_on("A browser is led to `/login`."),
        Operation::delete("/sessions/{id}", "end_session")
            .is(SESSIONS, "End a session", "Its tokens are refused from the next request on.")
            .takes_role(Role::Voter)
            .named("id", "Which of one's own sessions.", ONE)
            .answers_nothing(204, "It is ended.")
            .refuses(&[SESSION_NOT_FOUND]),
        log_out(),
        Operation::post("/token", "refresh_token")
            .is(SESSIONS, "Get a new access token", "For a refresh token, while its session lasts.")
            .takes::<AskForToken>(json!({ "refresh_token": "eyJ…" }))
            .answers::<Granted>(200, "New tokens.")
            .refuses(&[kinds::INVALID_TOKEN, kinds::SESSIONS_UNAVAILABLE]),
        Operation::post("/sessions/{id}/end", "end_session_by_form")
            .is(PAGES, "End a session by the page's form", "The same as `DELETE /sessions/{id}`.")
            .takes_role(Role::Voter)
            .named("id", "Which of one's own sessions.", ONE)
            .takes_form::<CsrfFields>(json!({ "csrf": "" }))
            .leads_on("It is ended.")
            .refuses(&[SESSION_NOT_FOUND]),
    ]
}

fn log_out() -> Operation {
    let about =
        "Ends the session whose token is shown, and makes a browser forget it. Nobody need be signed in.";
    Operation::post("/logout", "logout")
        .is(SESSIONS, "Sign out", about)
        .knows_callers()
        .may_take_form::<CsrfFields>(json!({ "csrf": "" }))
        .answers_nothing(204, "Signed out.")
        .leads_on("The form was accepted.")
        .refuses(&[kinds::SESSIONS_UNAVAILABLE])
}
