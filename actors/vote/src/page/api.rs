//! What the addresses of this actor take and answer, for the document of the HTTP API.

use ::web::api::kinds::{self, Kind, kind};
use ::web::api::{Operation, any_text};
use serde_json::json;
use utoipa::ToSchema;

use super::{Told, receipts};

const VOTES: &str = "votes";
const PAGES: &str = "pages";

const UNIDENTIFIED_CALLER: Kind = kind(
    401,
    "unidentified-caller",
    "`X-Voter-Id` cannot be the name of a voter, or the browser's cookie is not ours.",
);
const INVITE_REQUIRED: Kind = kind(401, "invite-required", "The round needs an invite.");
const INVALID_INVITE: Kind = kind(403, "invalid-invite", "The invite is not one of this round's.");
const PROGRAM_VOTERS_NOT_ALLOWED: Kind =
    kind(403, "program-voters-not-allowed", "Programs cannot name voters in this round.");
const TOKEN_REQUIRED: Kind =
    kind(401, "token-required", "Programs name voters in this round only with an access token.");
const NOT_ELIGIBLE: Kind = kind(403, "not-eligible", "The account's address is not on the organiser's list.");
const NOT_OPEN: Kind = kind(409, "round-not-open", "The round is not open yet.");
const CLOSED: Kind = kind(409, "round-closed", "The round is closed.");
const ALREADY_VOTED: Kind = kind(409, "already-voted", "This voter has voted, and may not change it.");
const REUSED: Kind = kind(409, "ballot-id-reused", "The ballot was sent before, with another choice.");
const LOG_UNAVAILABLE: Kind =
    kind(503, "log-unavailable", "The ballot box cannot take it now. Nothing was accepted.");
const QUEUE_FULL: Kind = kind(503, "queue-full", "Too many ballots arrive at once. Nothing was accepted.");
const UNCONFIRMED: Kind =
    kind(503, "unconfirmed", "It may be in the box or not. Send the same ballot again: it counts once.");
const RECEIPT_NOT_FOUND: Kind =
    kind(404, "receipt-not-found", "No ballot box holds a ballot with this receipt.");

/// A ballot. Of `round` and `round_id` it says one, and one of `choice` and `option`: they are two names for the same.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use: it is read in `sent.rs`")]
struct Ballot {
    /// In which round.
    #[schema(required = false)]
    round: String,
    /// Another name of `round`.
    #[schema(required = false)]
    round_id: String,
    /// What is chosen, by id or label: one, or a list where the round's method is `approval`.
    #[schema(required = false)]
    choice: OneOrMany,
    /// Another name of `choice`.
    #[schema(required = false)]
    option: OneOrMany,
    /// A name for the ballot, made up by whoever sends it. Sent again under the same name it counts once, and gets the
    /// same answer.
    #[schema(format = "uuid")]
    ballot: Option<String>,
    /// The code of an invite, where the round asks for one. `X-Invite` does as well.
    invite: Option<String>,
}

/// One option, or several.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is of use: it is read in `sent.rs`")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// The fields of the form at `/vote/{round}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct BallotForm {
    csrf: String,
    round: String,
    choice: Vec<String>,
    ballot: Option<String>,
    invite: Option<String>,
}

/// What became of a ballot.
#[derive(ToSchema)]
#[schema(as = BallotStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: it is `templates::ReceiptStatus`")]
pub(super) enum StatusShown {
    Waiting,
    Counted,
    Replaced,
}

/// Every address of this actor.
pub fn operations() -> Vec<Operation> {
    vec![
        cast(),
        Operation::get("/receipts/{receipt}", "read_receipt")
            .is(VOTES, "What became of a ballot", "Never the choice, never the voter.")
            .named("receipt", "As the ballot's answer says it.", "board.2.0")
            .answers::<receipts::Told<'_>>(200, "Where it is.")
            .answers_text(200, "The same as a page.", "text/html; charset=utf-8")
            .refuses(&[kinds::ROUND_NOT_FOUND, RECEIPT_NOT_FOUND, kinds::RATE_LIMITED, kinds::NOT_READY]),
        Operation::get("/vote/{round}", "vote_page")
            .is(PAGES, "The ballot", "For browsers.")
            .named("round", "The name of the round.", "board")
            .asked("invite", "The code of an invite.", any_text(), json!("ABCD-EFGH"))
            .asked("voted", "Shown to whoever has just voted.", any_text(), json!("1"))
            .answers_page("The page.")
            .refuses(&[kinds::ROUND_NOT_FOUND, kinds::NOT_READY]),
    ]
}

fn cast() -> Operation {
    let about = "The answer comes when the ballot is in the log. Who may vote, and as whom, is the round's eligibility: \
                 `anyone` as the browser that one is, by a cookie that the answer sets, or as a program by `X-Voter-Id` \
                 where the round's `program_voters` lets it; `invited` by an invite's code; `account` by being signed in. Where results \
                 are shown after voting, `X-Voted` says that one has voted, and shows them when it is sent back.";
    Operation::post("/vote", "cast_ballot")
        .is(VOTES, "Cast a ballot", about)
        .known_by(&["voter_id", "invite", "bearer", "cookie"])
        .known_by_nothing()
        .takes::<Ballot>(json!({ "round": "board", "choice": ["ann"] }))
        .takes_form::<BallotForm>(json!({ "csrf": "", "round": "board", "choice": ["ann"] }))
        .answers::<Told<'_>>(201, "The ballot is in the log.")
        .with_header(201, "X-Voted", "Where results are shown after voting: what shows that one has voted.")
        .leads_on("The form was accepted.")
        .refuses(&[
            UNIDENTIFIED_CALLER,
            TOKEN_REQUIRED,
            INVITE_REQUIRED,
            kinds::SIGN_IN_REQUIRED,
            kinds::INVALID_TOKEN,
        ])
        .refuses(&[
            INVALID_INVITE,
            PROGRAM_VOTERS_NOT_ALLOWED,
            kinds::NOT_YOUR_ROUND,
            NOT_ELIGIBLE,
            kinds::ROUND_NOT_FOUND,
        ])
        .refuses(&[NOT_OPEN, CLOSED, ALREADY_VOTED, REUSED, kinds::RATE_LIMITED])
        .refuses(&[LOG_UNAVAILABLE, QUEUE_FULL, UNCONFIRMED, kinds::NOT_READY, kinds::SESSIONS_UNAVAILABLE])
}
