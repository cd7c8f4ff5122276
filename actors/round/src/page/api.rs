//! What the addresses of this actor take and answer, for the document of the HTTP API.

mod bodies;
mod pages;

use ::web::api::Operation;
use ::web::api::kinds::{self, Kind, kind};
use serde_json::json;
use subjects::Role;
use utoipa::ToSchema;

use self::bodies::{InviteCount, NewOption, NewRound, OptionEdit, RoundEdit, Version};
use super::invites::ShownInvites;
use super::shown::{ShownOption, ShownRound};

const ROUNDS: &str = "rounds";
const OPTIONS: &str = "options";
/// A round and an option, as the examples have them.
const ROUND: &str = "board";
const OPTION: &str = "ann";
const IF_MATCH: &str = "The version that one has seen, as its `ETag` says it.";

const OPTION_NOT_FOUND: Kind = kind(404, "option-not-found", "The round has no option with this id.");
const PICTURE_NOT_FOUND: Kind = kind(404, "picture-not-found", "The option has no picture.");
const ROUND_ID_TAKEN: Kind = kind(409, "round-id-taken", "A round with this id already exists.");
const VERSION_CONFLICT: Kind =
    kind(409, "version-conflict", "Somebody else has changed the round since the version that was sent.");
const ALREADY_OPENED: Kind =
    kind(409, "round-already-opened", "The round is open, so this cannot change any more.");
const CLOSED: Kind = kind(409, "round-closed", "The round is closed, so nothing can change any more.");
const OPEN: Kind = kind(409, "round-already-opened", "The round is already open.");
const NOT_OPEN: Kind = kind(409, "round-not-open", "The round is not open.");
const TOO_FEW: Kind = kind(409, "too-few-options", "The round has fewer than two options.");
const CLOSING_TIME_PASSED: Kind = kind(409, "closing-time-passed", "The round's closing time has passed.");
const INVITES_NOT_ALLOWED: Kind =
    kind(409, "invites-not-allowed", "The round's eligibility is not `invited`.");
const BUSY: Kind = kind(503, "busy", "Too many pictures are being sent. Nothing was changed.");
const PICTURES_UNAVAILABLE: Kind =
    kind(503, "pictures-unavailable", "Pictures cannot be kept or read now. Nothing was changed.");

/// In which order a voter is shown the options: that of the round, or one of the voter's own.
#[derive(ToSchema)]
#[schema(as = OptionOrder, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: the order is `subjects::OptionOrder`")]
pub(super) enum OptionOrderShown {
    Fixed,
    Shuffled,
}

/// What a ballot names: one option, or as many as one likes, up to `max_choices`.
#[derive(ToSchema)]
#[schema(as = Method, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: the method is `subjects::Method`")]
pub(super) enum MethodShown {
    Plurality,
    Approval,
}

/// Who may vote: anyone with a browser, whoever has an invite, or whoever has an account.
#[derive(ToSchema)]
#[schema(as = Eligibility, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: the eligibility is `subjects::Eligibility`")]
pub(super) enum EligibilityShown {
    Anyone,
    Invited,
    Account,
}

/// Which programs may name the voter of a ballot, by `X-Voter-Id`: none, every program, or those with the access token of
/// the round's organiser or of an administrator.
#[derive(ToSchema)]
#[schema(as = ProgramVoters, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: it is `subjects::ProgramVoters`")]
pub(super) enum ProgramVotersShown {
    No,
    Anyone,
    Token,
}

/// When the results are shown to everybody. Whoever runs the round sees them at any moment.
#[derive(ToSchema)]
#[schema(as = ResultsVisibility, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: it is `subjects::ResultsVisibility`")]
pub(super) enum ResultsVisibilityShown {
    Always,
    AfterVoting,
    AfterClose,
}

/// Where a round stands.
#[derive(ToSchema)]
#[schema(as = State, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: the state is `subjects::RoundState`")]
pub(super) enum StateShown {
    Draft,
    Open,
    Closed,
}

/// Every address of this actor.
pub fn operations() -> Vec<Operation> {
    let mut all = vec![
        list(),
        Operation::get("/rounds/{id}", "read_round")
            .is(ROUNDS, "Read a round", "A draft is shown to whoever knows its name.")
            .knows_callers()
            .named("id", "The name of the round.", ROUND)
            .answers::<ShownRound<'_>>(200, "The round.")
            .versioned(200)
            .refuses(&[kinds::ROUND_NOT_FOUND, kinds::NOT_READY]),
        make(),
        edit(),
        command(
            "/rounds/{id}/open",
            "open_round",
            "Open a round",
            "From now on it takes ballots, and keeps its options.",
        )
        .refuses(&[OPEN, TOO_FEW]),
        command("/rounds/{id}/close", "close_round", "Close a round", "For good: its log is sealed.")
            .refuses(&[NOT_OPEN]),
        invites(),
    ];
    all.extend(options());
    all.extend(pictures());
    all.extend(pages::operations());
    all
}

fn list() -> Operation {
    Operation::get("/rounds", "list_rounds")
        .is(ROUNDS, "List rounds", "By title. A draft is listed for whoever runs it.")
        .knows_callers()
        .answers_list::<ShownRound<'_>>(200, "The rounds.")
}

fn make() -> Operation {
    let about = "Of a title and options at least; then it is open, for anyone, one option a ballot. With `opens_at` ahead, \
                 or `state` `draft`, it begins as a draft, to which more can be added.";
    Operation::post("/rounds", "make_round")
        .is(ROUNDS, "Make a round", about)
        .takes_role(Role::Organiser)
        .takes::<NewRound>(
            json!({ "title": "Who sits on the board?", "options": ["Ann", "Bob"], "state": "draft" }),
        )
        .answers::<ShownRound<'_>>(201, "The round is made.")
        .with_header(201, "Location", "Its address.")
        .versioned(201)
        .refuses(&[ROUND_ID_TAKEN, kinds::UNCONFIRMED, kinds::LOG_UNAVAILABLE])
}

fn edit() -> Operation {
    let about = "What is not sent stays. In a draft everything can be edited; in an open round the description, the closing \
                 time, whether other sites may show it, and more addresses that may vote; in a closed one nothing.";
    changing(Operation::patch("/rounds/{id}", "edit_round"))
        .is(ROUNDS, "Edit a round", about)
        .takes::<RoundEdit>(json!({ "description": "For two years." }))
        .answers::<ShownRound<'_>>(200, "The round as it is now.")
        .versioned(200)
        .refuses(&[ALREADY_OPENED])
}

fn command(path: &'static str, id: &'static str, summary: &'static str, about: &'static str) -> Operation {
    changing(Operation::post(path, id))
        .is(ROUNDS, summary, about)
        .may_take::<Version>(json!({}))
        .may_take_form::<bodies::VersionForm>(json!({ "csrf": "" }))
        .answers::<ShownRound<'_>>(200, "The round as it is now.")
        .versioned(200)
        .leads_on("The form was accepted.")
        .refuses(&[CLOSING_TIME_PASSED])
}

fn invites() -> Operation {
    let about = "Each code lets one person vote. Nothing of them is stored: whoever asks is the only one who has them. With \
                 `Accept: text/csv` as CSV, in a browser as a sheet to print.";
    Operation::post("/rounds/{id}/invites", "make_invites")
        .is(ROUNDS, "Make invites", about)
        .takes_role(Role::Organiser)
        .named("id", "The name of the round, whose eligibility must be `invited`.", ROUND)
        .takes::<InviteCount>(json!({ "count": 2 }))
        .takes_form::<bodies::InviteForm>(json!({ "csrf": "", "count": 2 }))
        .answers::<ShownInvites<'_>>(200, "The codes, and a link for each.")
        .answers_text(200, "The same as CSV.", "text/csv; charset=utf-8")
        .answers_text(200, "The same as a sheet.", "text/html; charset=utf-8")
        .refuses(&[
            kinds::NOT_YOUR_ROUND,
            kinds::ROUND_NOT_FOUND,
            CLOSED,
            INVITES_NOT_ALLOWED,
            kinds::NOT_READY,
        ])
}

fn options() -> [Operation; 4] {
    [
        changing(Operation::post("/rounds/{id}/options", "add_option"))
            .is(OPTIONS, "Add an option", "Behind those that are there, in a draft.")
            .takes::<NewOption>(json!({ "label": "Eve", "description": "Keeps the books." }))
            .answers::<ShownOption<'_>>(201, "The option is added.")
            .with_header(201, "Location", "Its address.")
            .versioned(201)
            .refuses(&[ALREADY_OPENED]),
        of_option(Operation::get("/rounds/{id}/options/{option}", "read_option"))
            .is(OPTIONS, "Read an option", "One of a round's options.")
            .answers::<ShownOption<'_>>(200, "The option.")
            .versioned(200)
            .refuses(&[kinds::ROUND_NOT_FOUND, OPTION_NOT_FOUND, kinds::NOT_READY])
            .named("id", "The name of the round.", ROUND),
        of_option(changing(Operation::patch("/rounds/{id}/options/{option}", "change_option")))
            .is(OPTIONS, "Change an option", "In a draft. Its id stays. What is not sent stays.")
            .takes::<OptionEdit>(json!({ "description": "Keeps the books." }))
            .answers::<ShownOption<'_>>(200, "The option as it is now.")
            .versioned(200)
            .refuses(&[OPTION_NOT_FOUND, ALREADY_OPENED]),
        of_option(changing(Operation::delete("/rounds/{id}/options/{option}", "remove_option")))
            .is(OPTIONS, "Remove an option", "In a draft.")
            .answers_nothing(204, "It is removed.")
            .versioned(204)
            .refuses(&[OPTION_NOT_FOUND, ALREADY_OPENED, kinds::INVALID]),
    ]
}

fn pictures() -> [Operation; 4] {
    const PATH: &str = "/rounds/{id}/options/{option}/picture";
    let seen = "What is shown is made anew from what was sent: at most 1,024 pixels wide and high, and without metadata.";
    [
        of_option(Operation::get(PATH, "read_picture"))
            .is(OPTIONS, "See an option's picture", seen)
            .named("id", "The name of the round.", ROUND)
            .asked(
                "v",
                "Which picture, as an option's `picture` says it.",
                ::web::api::any_text(),
                json!("0a1b2c3d"),
            )
            .answers_bytes(200, "The picture.", "image/jpeg")
            .answers_bytes(200, "The picture.", "image/png")
            .with_header(200, "ETag", "Which picture it is, to be sent back as `If-None-Match`.")
            .answers_nothing(304, "It is the one that `If-None-Match` names.")
            .refuses(&[
                kinds::ROUND_NOT_FOUND,
                OPTION_NOT_FOUND,
                PICTURE_NOT_FOUND,
                kinds::NOT_READY,
                PICTURES_UNAVAILABLE,
            ]),
        upload(of_option(changing(Operation::put(PATH, "put_picture"))))
            .is(OPTIONS, "Give an option a picture", "In a draft: JPEG, PNG or WebP of at most 2 MiB.")
            .takes_bytes("image/jpeg")
            .takes_bytes("image/png")
            .takes_bytes("image/webp")
            .answers::<ShownOption<'_>>(200, "The option as it is now.")
            .versioned(200),
        of_option(changing(Operation::delete(PATH, "remove_picture")))
            .is(OPTIONS, "Take an option's picture away", "In a draft.")
            .answers_nothing(204, "It has none.")
            .versioned(204)
            .refuses(&[OPTION_NOT_FOUND, ALREADY_OPENED]),
        upload(of_option(changing(Operation::post(PATH, "post_picture"))))
            .is("pages", "Give an option a picture by a form", "The same as PUT, as `multipart/form-data`.")
            .takes_parts::<bodies::PictureForm>()
            .leads_on("It has one."),
    ]
}

fn upload(operation: Operation) -> Operation {
    operation.refuses(&kinds::OF_A_BODY).refuses(&[
        OPTION_NOT_FOUND,
        ALREADY_OPENED,
        BUSY,
        PICTURES_UNAVAILABLE,
    ])
}

/// What every change of a round shares.
fn changing(operation: Operation) -> Operation {
    operation
        .takes_role(Role::Organiser)
        .named("id", "The name of the round.", ROUND)
        .heard("If-Match", IF_MATCH, "\"7\"")
        .refuses(&[kinds::NOT_YOUR_ROUND, kinds::ROUND_NOT_FOUND, VERSION_CONFLICT, CLOSED])
        .refuses(&[kinds::UNCONFIRMED, kinds::LOG_UNAVAILABLE])
}

fn of_option(operation: Operation) -> Operation {
    operation.named("option", "The id of the option.", OPTION)
}
