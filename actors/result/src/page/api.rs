//! What the addresses of this actor take and answer, for the document of the HTTP API.

use ::web::api::kinds::{self, Kind, kind};
use ::web::api::{Operation, one_of};
use serde_json::json;

use crate::rules::View;

const RESULTS: &str = "results";
const PAGES: &str = "pages";
const ROUND: &str = "board";
const HTML: &str = "text/html; charset=utf-8";

const HIDDEN: Kind = kind(403, "results-hidden", "The round does not show its results to this caller yet.");
const NOT_FINAL: Kind = kind(
    403,
    "results-not-final",
    "Everybody gets them as CSV after the close; the organiser gets them at any time.",
);

/// The shapes of what is shown, beside the types that hold it.
pub(crate) mod shapes {
    use utoipa::ToSchema;

    /// Where a round stands.
    #[derive(ToSchema)]
    #[schema(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its shape is of use: it is `subjects::RoundState`")]
    pub(crate) enum State {
        Draft,
        Open,
        Closed,
    }

    /// Who may vote.
    #[derive(ToSchema)]
    #[schema(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its shape is of use: it is `subjects::Eligibility`")]
    pub(crate) enum Eligibility {
        Anyone,
        Invited,
        Account,
    }

    /// How a choice is made and counted.
    #[derive(ToSchema)]
    #[schema(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its shape is of use: it is `subjects::Method`")]
    pub(crate) enum Method {
        Plurality,
        Approval,
    }

    /// Whether the counter is at work.
    #[derive(ToSchema)]
    #[schema(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its shape is of use: it is `templates::Counting`")]
    pub(crate) enum Counting {
        Current,
        Waiting,
    }

    /// One option and what it got.
    #[derive(ToSchema)]
    #[schema(as = ResultLine)]
    #[expect(dead_code, reason = "only its shape is of use: it is `templates::ResultLine`")]
    pub(crate) struct Line {
        /// The option's id.
        option: String,
        label: String,
        /// The address of its picture. It changes with the picture.
        picture: Option<String>,
        votes: u64,
        /// On how many of the counted ballots it stands, in percent, with one decimal.
        #[schema(minimum = 0, maximum = 100)]
        share: f64,
    }

    /// Where every accepted ballot went.
    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its shape is of use: it is `subjects::Ledger`")]
    pub(crate) struct Ledger {
        accepted: u64,
        counted: u64,
        /// Ballots whose voter cast another later.
        replaced: u64,
        /// Messages of the log that nobody could read.
        unreadable: u64,
    }
}

/// Every address of this actor.
pub fn operations() -> Vec<Operation> {
    let mut all = vec![results(), events()];
    all.extend(pages());
    all
}

fn results() -> Operation {
    let about = "When they are shown, and to whom, is the round's own: to everybody always, to whoever has voted (a browser \
                 by its cookie, a program by `X-Voted`), or to everybody after the close; to whoever runs the round at any \
                 moment. As CSV, with `Accept: text/csv` or `format=csv`.";
    Operation::get("/rounds/{id}/results", "read_results")
        .is(RESULTS, "Read the results", about)
        .knows_callers()
        .named("id", "The name of the round.", ROUND)
        .asked("format", "In what form.", one_of(&["json", "csv"]), json!("json"))
        .heard(
            "X-Voted",
            "What `POST /vote` has answered under this name.",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        )
        .answers::<View>(200, "The results.")
        .answers_text(200, "The same as CSV.", "text/csv; charset=utf-8; header=present")
        .refuses(&[HIDDEN, NOT_FINAL, kinds::ROUND_NOT_FOUND, kinds::INVALID, kinds::NOT_READY])
}

fn events() -> Operation {
    let about = "Server-sent events without an end. `result` is what `GET /rounds/{id}/results` answers, and comes at once and \
                 with every change; its id is the sequence up to which is counted. Whoever may not see the results, and whoever \
                 asks with `only=round`, gets `round` instead: where the round stands, without any number.";
    Operation::get("/rounds/{id}/events", "watch_results")
        .is(RESULTS, "Watch the results", about)
        .knows_callers()
        .named("id", "The name of the round.", ROUND)
        .asked("only", "Where the round stands, and nothing else.", one_of(&["round"]), json!("round"))
        .asked("view", "What everybody may see, whoever is asking.", one_of(&["public"]), json!("public"))
        .heard(
            "X-Voted",
            "What `POST /vote` has answered under this name.",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        )
        .heard("Last-Event-ID", "The id of the last event that was seen.", "7")
        .answers_text(200, "The events.", "text/event-stream")
        .refuses(&[kinds::ROUND_NOT_FOUND, kinds::INVALID, kinds::NOT_READY])
}

fn pages() -> [Operation; 3] {
    [
        Operation::get("/result/{round}", "result_page")
            .is(
                PAGES,
                "The bars",
                "For browsers. In place of results that are not shown yet, when they will be.",
            )
            .knows_callers()
            .named("round", "The name of the round.", ROUND)
            .answers_page("The page.")
            .refuses(&[kinds::ROUND_NOT_FOUND, kinds::NOT_READY]),
        Operation::get("/present/{round}", "present_page")
            .is(
                PAGES,
                "The big screen",
                "The bars, the way in as a QR code, and the time that is left. For browsers.",
            )
            .knows_callers()
            .named("round", "The name of the round.", ROUND)
            .answers_page("The page.")
            .refuses(&[kinds::ROUND_NOT_FOUND, kinds::NOT_READY]),
        Operation::get("/embed/{round}", "embed_page")
            .is(PAGES, "The bars in a frame", "For the pages of other sites, where the round lets them.")
            .named("round", "The name of the round.", ROUND)
            .answers_page("The page.")
            .answers_text(
                403,
                "The round does not let other sites show its results: a page that says so.",
                HTML,
            )
            .answers_text(404, "There is no round with this name: a page that says so.", HTML)
            .answers_text(503, "The process has just begun: a page that says so.", HTML),
    ]
}
