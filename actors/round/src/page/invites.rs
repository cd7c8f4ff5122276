//! `POST /rounds/{id}/invites`: codes that let people vote, as JSON, as CSV or as a sheet to print.
//!
//! Nothing of them is stored, and none is logged: whoever asks is the only one who has them.

use ::web::{Caller, INVITES_MAX, Problem, field_error, page, wants_page};
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use subjects::{Eligibility, Round, RoundId, RoundState};
use templates::{InviteCard, InvitesPage, RoundHead};
use tracing::info;
use utoipa::ToSchema;

use super::read::{self, AskedInvites};
use super::{answer, person, refused, visitor};
use crate::Handle;
use crate::rules::{self, Refusal};

/// How many invites fit on a sheet that a browser can still lay out.
const SHEET_MAX: usize = 500;

/// In what form invites are handed out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HandedOut {
    Json,
    Csv,
    Sheet,
}

/// The invites, as a program is told.
#[derive(Serialize, ToSchema)]
#[schema(as = Invites)]
pub(super) struct ShownInvites<'a> {
    #[schema(value_type = String)]
    round: &'a RoundId,
    invites: Vec<ShownInvite>,
}

/// One invite: it lets one person in.
#[derive(Serialize, ToSchema)]
#[schema(as = Invite)]
struct ShownInvite {
    code: String,
    /// Where its holder votes.
    link: String,
}

pub async fn make(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let asked = read::invites(&rounds, &request, payload).await?;
        let newest = rounds.find(&id)?;
        let round = &newest.message.round;
        rules::may_organise(round, person(&caller)).map_err(|refusal| refused(&refusal))?;
        takes_invites(&rounds, round)?;
        let form = form(&request, &asked);
        let count = count(&asked, form)?;
        let base = rounds.edge.proxies.base_url(&request);
        let code = |code| ShownInvite { link: format!("{base}/vote/{}?invite={code}", round.id), code };
        let invites = rounds.edge.invites.make(&round.id, count).into_iter().map(code).collect();
        info!(round.id = %round.id, user.id = %caller.person.user, count, "made invites");
        Ok(match form {
            HandedOut::Json => json(round, invites),
            HandedOut::Csv => csv(round, &invites),
            HandedOut::Sheet => page(&request, sheet(caller, round, &base, invites).render()),
        })
    })
    .await
}

fn takes_invites(rounds: &Handle, round: &Round) -> Result<(), Problem> {
    if round.state == RoundState::Closed || rules::is_over(round, rounds.clock.now()) {
        return Err(refused(&Refusal::Closed));
    }
    match round.eligibility {
        Eligibility::Invited => Ok(()),
        Eligibility::Anyone | Eligibility::Account => {
            let why = "this round takes no invites; its eligibility must be invited";
            Err(Problem::conflict("invites-not-allowed", &why))
        }
    }
}

fn form(request: &HttpRequest, asked: &AskedInvites) -> HandedOut {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if wants_page(request) {
        HandedOut::Sheet
    } else if accept.is_some_and(|accept| accept.contains("text/csv")) {
        HandedOut::Csv
    } else if asked.is_form {
        HandedOut::Sheet
    } else {
        HandedOut::Json
    }
}

fn count(asked: &AskedInvites, form: HandedOut) -> Result<usize, Problem> {
    let (most, where_to) = match form {
        HandedOut::Sheet => (SHEET_MAX, " on one sheet; JSON and CSV may hold more"),
        HandedOut::Json | HandedOut::Csv => (INVITES_MAX, ""),
    };
    let count = usize::try_from(asked.count).ok().filter(|count| (1..=most).contains(count));
    let wrong = || field_error("count", format_args!("must be 1 to {most}{where_to}"));
    count.ok_or_else(|| Problem::invalid(vec![wrong()]))
}

fn json(round: &Round, invites: Vec<ShownInvite>) -> HttpResponse {
    let shown = ShownInvites { round: &round.id, invites };
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(shown)
}

/// Codes and links hold nothing that would have to be quoted.
fn csv(round: &Round, invites: &[ShownInvite]) -> HttpResponse {
    let mut lines = "code,link\r\n".to_owned();
    for ShownInvite { code, link } in invites {
        lines.push_str(&format!("{code},{link}\r\n"));
    }
    let file = format!("attachment; filename=\"{}-invites.csv\"", round.id);
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, file))
        .content_type("text/csv; charset=utf-8")
        .body(lines)
}

fn sheet(caller: Caller, round: &Round, base: &str, invites: Vec<ShownInvite>) -> InvitesPage {
    let address = format!("{base}/vote/{}", round.id);
    let without_scheme = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    InvitesPage {
        visitor: visitor(Some(caller)),
        round: RoundHead { id: round.id.to_string(), title: round.title.clone(), state: round.state },
        address: without_scheme.to_owned(),
        cards: invites.into_iter().map(|it| InviteCard::new(it.code, &it.link)).collect(),
    }
}
