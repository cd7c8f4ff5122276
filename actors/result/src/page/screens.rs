//! `GET /embed/{round}` and `GET /present/{round}`: results in places where people look who have not asked for them.
//! Nothing is shown there that is not for everybody, whoever is signed in.

use ::web::{Problem, may_be_framed, page};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use templates::{EmbedPage, NoEmbedPage, PresentPage, RenderError};

use super::answer;
use crate::Handle;
use crate::rules::Shown;
use crate::rules::sight::{self, Viewer};

/// The results in the frame of another site. Nobody is looked up: a frame is the same for everybody, and sets no cookie.
pub(super) async fn embed(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let shown = match results.now(&id).await {
        Ok(shown) => shown,
        Err(problem) => return refused(&request, problem.status(), problem.detail(), None),
    };
    let round = &shown.round;
    if !round.allow_embedding {
        let why = "The organiser of this round does not let other sites show its results.";
        return refused(&request, StatusCode::FORBIDDEN, why, Some(round.id.to_string()));
    }
    let schedule = results.schedule(round);
    let embed = EmbedPage { round: shown.view.head_of_page(), schedule, shown: for_everybody(&shown) };
    may_be_framed(page(&request, embed.render()))
}

/// The sentence in place of the results. It may be framed too: else the site around it shows nothing but a grey box.
fn refused(request: &HttpRequest, status: StatusCode, why: &str, round: Option<String>) -> HttpResponse {
    let drawn: Result<String, RenderError> = NoEmbedPage { why: why.to_owned(), round }.render();
    let mut response = page(request, drawn);
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    may_be_framed(response)
}

/// The results on a big screen. Of a hidden round, only whoever runs it learns how many have voted.
pub(super) async fn present(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, async {
        let shown = results.now(&id).await?;
        let viewer = results.viewer(&request, &shown.round).await?;
        let base = results.given.edge.proxies.base_url(&request);
        let (address, qr) = PresentPage::way_in(&base, shown.round.id.as_str());
        let present = PresentPage {
            round: shown.view.head_of_page(),
            schedule: results.schedule(&shown.round),
            address,
            qr,
            turnout: (viewer == Viewer::Organiser).then_some(shown.view.total),
            shown: for_everybody(&shown),
        };
        Ok::<_, Problem>(page(&request, present.render()))
    })
    .await
}

fn for_everybody(shown: &Shown) -> templates::Shown {
    match sight::sees(&shown.round, Viewer::Anybody) {
        true => templates::Shown::Bars(shown.view.bars()),
        false => templates::Shown::HiddenWords(sight::hidden_words(&shown.round).to_owned()),
    }
}
