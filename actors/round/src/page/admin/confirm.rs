//! `GET,POST /admin/rounds/{id}/open` and `/close`: the last question, and its answer.

use ::web::{Caller, Problem};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use nats::Newest;
use subjects::RoundChanged;
use templates::{ConfirmPage, eligibility_description};
use tracing::info;

use super::{head, moment, see_other, version};
use crate::Handle;
use crate::page::{answer, person, visitor};
use crate::rules::{self, Deed};

pub(super) async fn ask_open(rounds: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, ask(&rounds, &request, &id, templates::Deed::Open)).await
}

pub(super) async fn ask_close(rounds: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, ask(&rounds, &request, &id, templates::Deed::Close)).await
}

pub(super) async fn open(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, command(&rounds, &request, &id, payload, templates::Deed::Open)).await
}

pub(super) async fn close(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, command(&rounds, &request, &id, payload, templates::Deed::Close)).await
}

async fn ask(
    rounds: &Handle,
    request: &HttpRequest,
    id: &str,
    deed: templates::Deed,
) -> Result<HttpResponse, Problem> {
    let (caller, newest) = rounds.own(request, id).await?;
    Ok(rounds.edge.form_page(request, |csrf| rounds.confirm_page(caller, csrf, &newest, deed).render()))
}

async fn command(
    rounds: &Handle,
    request: &HttpRequest,
    id: &str,
    payload: Payload,
    asked: templates::Deed,
) -> Result<HttpResponse, Problem> {
    let (caller, _) = rounds.own(request, id).await?;
    let form = rounds.read_form(request, payload, &["version"], &[]).await?;
    let (deed, done) = match asked {
        templates::Deed::Open => (Deed::Open, "opened"),
        templates::Deed::Close => (Deed::Close, "closed"),
    };
    let problem = match rounds.change(id, deed, &caller, Some(version(&form))).await {
        Ok(entry) => {
            let (round, user) = (&entry.round, caller.person.user);
            info!(round.id = %round.id, user.id = %user, state = ?round.state, "opened or closed a round");
            return Ok(see_other(format!("/admin/rounds/{}?done={done}", round.id)));
        }
        Err(problem) => problem,
    };
    let newest = rounds.after(id, version(&form), &problem).await?;
    let why = problem.detail().to_owned();
    Ok(rounds.draw_again(request, &problem, |csrf| {
        ConfirmPage { problem: Some(why), ..rounds.confirm_page(caller, csrf, &newest, asked) }.render()
    }))
}

impl Handle {
    fn confirm_page(
        &self,
        caller: Caller,
        csrf: String,
        newest: &Newest<RoundChanged>,
        asked: templates::Deed,
    ) -> ConfirmPage {
        let round = &newest.message.round;
        let deed = match asked {
            templates::Deed::Open => Deed::Open,
            templates::Deed::Close => Deed::Close,
        };
        let refusal = rules::decide(round, &deed, person(&caller), self.clock.now()).err();
        ConfirmPage {
            visitor: visitor(Some(caller)),
            csrf,
            deed: asked,
            round: head(round),
            version: newest.sequence,
            options: round.options.iter().map(|option| option.label.clone()).collect(),
            eligibility_description: eligibility_description(
                round.eligibility,
                round.program_voters,
                !round.allowed_emails.is_empty(),
            ),
            ballots: self.ballots(round),
            closes: round.closes_at.map(moment),
            is_possible: refusal.is_none(),
            problem: refusal.map(|refusal| crate::page::refused(&refusal).detail().to_owned()),
        }
    }
}
