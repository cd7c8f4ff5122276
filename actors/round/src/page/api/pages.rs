//! The pages of this actor, and the forms on them.

use ::web::api::Operation;
use ::web::api::kinds;
use serde_json::json;
use subjects::Role;
use utoipa::ToSchema;

use super::{
    ALREADY_OPENED, CLOSED, CLOSING_TIME_PASSED, NOT_OPEN, OPEN, OPTION, OPTION_NOT_FOUND, ROUND, TOO_FEW,
    VERSION_CONFLICT,
};

const PAGES: &str = "pages";

/// A form of an organiser's page: what it shows is what it sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct OrganisersForm {
    csrf: String,
    /// The version that the form was drawn from.
    #[schema(required = false)]
    version: u64,
}

pub fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/", "home")
            .is(PAGES, "The home page", "All rounds, for browsers.")
            .knows_callers()
            .answers_page("The page."),
        organisers(Operation::get("/admin", "admin"))
            .is(PAGES, "My rounds", "For browsers.")
            .answers_page("The page."),
        organisers(Operation::get("/admin/new", "admin_new"))
            .is(PAGES, "The form of a new round", "For browsers.")
            .answers_page("The page."),
        organisers(Operation::post("/admin/new", "admin_make"))
            .is(PAGES, "Make a round by the page's form", "The same as `POST /rounds`.")
            .takes_form::<OrganisersForm>(json!({ "csrf": "" }))
            .refuses(&[super::ROUND_ID_TAKEN, kinds::UNCONFIRMED, kinds::LOG_UNAVAILABLE]),
        own(Operation::get("/admin/rounds/{id}", "admin_round"))
            .is(PAGES, "One of my rounds", "For browsers.")
            .answers_page("The page."),
        form("/admin/rounds/{id}", "admin_save", "Save a round by the page's form")
            .refuses(&[ALREADY_OPENED]),
        own(Operation::get("/admin/rounds/{id}/open", "admin_ask_open"))
            .is(PAGES, "Whether to open a round", "For browsers.")
            .answers_page("The page."),
        form("/admin/rounds/{id}/open", "admin_open", "Open a round by the page's form").refuses(&[
            OPEN,
            CLOSING_TIME_PASSED,
            TOO_FEW,
        ]),
        own(Operation::get("/admin/rounds/{id}/close", "admin_ask_close"))
            .is(PAGES, "Whether to close a round", "For browsers.")
            .answers_page("The page."),
        form("/admin/rounds/{id}/close", "admin_close", "Close a round by the page's form")
            .refuses(&[CLOSING_TIME_PASSED, NOT_OPEN]),
        form(
            "/admin/rounds/{id}/options/{option}/unpicture",
            "admin_unpicture",
            "Take a picture away by a form",
        )
        .named("option", "The id of the option.", OPTION)
        .refuses(&[OPTION_NOT_FOUND, ALREADY_OPENED]),
    ]
}

/// For organisers; a browser that is not signed in is led to sign in.
fn organisers(operation: Operation) -> Operation {
    operation.takes_role(Role::Organiser).leads_on("A browser is led on, or to `/login`.")
}

/// For whoever runs the round.
fn own(operation: Operation) -> Operation {
    organisers(operation).named("id", "The name of the round.", ROUND).refuses(&[
        kinds::NOT_YOUR_ROUND,
        kinds::ROUND_NOT_FOUND,
        kinds::NOT_READY,
    ])
}

fn form(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    own(Operation::post(path, id))
        .is(PAGES, summary, "The form of a page.")
        .takes_form::<OrganisersForm>(json!({ "csrf": "" }))
        .refuses(&[VERSION_CONFLICT, CLOSED, kinds::UNCONFIRMED, kinds::LOG_UNAVAILABLE])
}
