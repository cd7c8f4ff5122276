//! `GET /admin/rounds/{id}`: one round, as whoever runs it sees it; and `POST …/options/{option}/unpicture`.

use ::web::{Caller, Problem};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use subjects::{Eligibility, OptionId, Round, RoundState};
use templates::{Done, PictureForm, RoundAdminPage, RoundForm, Share, picture_address};

use super::typed::Typed;
use super::{answer_on_page, head, next, see_other, version};
use crate::Handle;
use crate::page::options::option_not_found;
use crate::page::{answer, visitor};
use crate::rules::{Deed, OptionChange};

pub(super) async fn show(rounds: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, async {
        let (caller, newest) = rounds.own(&request, &id).await?;
        let round = &newest.message.round;
        let form = Typed::of(round).drawn(Some((round, newest.sequence)), &[]);
        let done = done(&request);
        Ok(rounds.edge.form_page(&request, |csrf| {
            RoundAdminPage { done, ..rounds.round_page(&request, caller, csrf, (round, form)) }.render()
        }))
    })
    .await
}

/// Takes away the picture of an option. Giving it one is `POST /rounds/{id}/options/{option}/picture`.
pub(super) async fn unpicture(
    rounds: Data<Handle>,
    request: HttpRequest,
    named: Path<(String, String)>,
    payload: Payload,
) -> HttpResponse {
    answer_on_page(&rounds, &request, &named.0, async {
        let (caller, newest) = rounds.own(&request, &named.0).await?;
        let form = rounds.read_form(&request, payload, &["version"], &[]).await?;
        let option = OptionId::parse(&named.1).map_err(|_| option_not_found())?;
        let nothing = OptionChange { picture: Some(None), ..OptionChange::default() };
        let deed = Deed::ChangeOption(option, nothing);
        let round = &newest.message.round.id;
        rounds.change(round.as_str(), deed, &caller, Some(version(&form))).await?;
        Ok(see_other(format!("/admin/rounds/{round}#pictures")))
    })
    .await
}

/// Says on the page of a round why something was not done, to whoever may see that page.
pub(super) async fn refuse(
    rounds: &Handle,
    request: &HttpRequest,
    id: &str,
    problem: &Problem,
) -> HttpResponse {
    let Ok((caller, newest)) = rounds.own(request, id).await else { return problem.respond(request) };
    let round = &newest.message.round;
    let form = Typed::of(round).drawn(Some((round, newest.sequence)), &[]);
    rounds.draw_again(request, problem, |csrf| {
        let page = rounds.round_page(request, caller, csrf, (round, form));
        RoundAdminPage { problem: Some(problem.detail().to_owned()), ..page }.render()
    })
}

fn done(request: &HttpRequest) -> Option<Done> {
    match request.query_string() {
        "done=made" => Some(Done::Made),
        "done=saved" => Some(Done::Saved),
        "done=opened" => Some(Done::Opened),
        "done=closed" => Some(Done::Closed),
        _ => None,
    }
}

impl Handle {
    /// The page of a round with this form on it.
    pub(super) fn round_page(
        &self,
        request: &HttpRequest,
        caller: Caller,
        csrf: String,
        (round, form): (&Round, RoundForm),
    ) -> RoundAdminPage {
        let base = self.edge.proxies.base_url(request);
        let pictures = match round.state {
            RoundState::Draft => pictures(round),
            RoundState::Open | RoundState::Closed => Vec::new(),
        };
        RoundAdminPage {
            visitor: visitor(Some(caller)),
            csrf,
            round: head(round),
            ballots: self.ballots(round),
            next: next(round),
            done: None,
            problem: None,
            differences: Vec::new(),
            form,
            pictures,
            share: Share::of(&base, round.id.as_str(), &round.title, round.allow_embedding),
            takes_invites: round.eligibility == Eligibility::Invited && round.state != RoundState::Closed,
        }
    }
}

fn pictures(round: &Round) -> Vec<PictureForm> {
    let form = |option: &subjects::RoundOption| PictureForm {
        id: option.id.to_string(),
        label: option.label.clone(),
        picture: picture_address(&round.id, option),
    };
    round.options.iter().map(form).collect()
}
