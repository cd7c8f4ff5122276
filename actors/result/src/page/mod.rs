//! HTTP: the results, for people, for programs and for screens.
//!
//! - [`export`] as JSON and as CSV
//! - [`events`] as they move
//! - [`screens`] where nobody scrolls: in a frame, and on the wall

mod api;
mod events;
mod export;
mod screens;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::web::{Caller, Problem, at, page};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use subjects::{Round, RoundId};
use templates::{HiddenPage, Preview, ResultPage, Schedule};

pub use self::api::operations;
pub(crate) use self::api::shapes;
use crate::rules::Shown;
use crate::rules::sight::{self, Viewer};
use crate::{Handle, Watch, Watched};

impl Handle {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/result/{round}").route(web::get().to(show)))
            .service(at("/embed/{round}").route(web::get().to(screens::embed)))
            .service(at("/present/{round}").route(web::get().to(screens::present)))
            .service(at("/rounds/{id}/results").route(web::get().to(export::results)))
            .service(at("/rounds/{id}/events").route(web::get().to(events::events)));
    }

    async fn find(&self, id: &str) -> Result<Watched, Problem> {
        let id = RoundId::parse(id).map_err(|_| Problem::round_not_found())?;
        let found =
            self.actor.send(Watch(id)).await.map_err(|gone| Problem::internal("find a result", &gone))?;
        found.ok_or_else(|| {
            if self.begun.load(Ordering::Acquire) {
                return Problem::round_not_found();
            }
            Problem::unavailable("not-ready", "The results are being read. Try again in a moment.")
        })
    }

    /// What is shown of the round of this name now.
    async fn now(&self, id: &str) -> Result<Shown, Problem> {
        Ok(self.find(id).await?.shown.borrow().clone())
    }

    /// Whoever runs `round`, if that is who is calling. Only a program that has shown a token is told that it is not
    /// good; whoever cannot be told is nobody.
    async fn organiser(&self, request: &HttpRequest, round: &Round) -> Result<Option<Caller>, Problem> {
        let is_told = request.headers().contains_key(header::AUTHORIZATION);
        match self.given.edge.callers.caller(request).await {
            Err(problem) if is_told && problem.status() == StatusCode::UNAUTHORIZED => Err(problem),
            Ok(Some(caller)) if round.is_run_by(caller.person.user, caller.person.role) => Ok(Some(caller)),
            _ => Ok(None),
        }
    }

    /// Who looks, as far as it opens anything. Nobody is looked up where everything is open.
    async fn viewer(&self, request: &HttpRequest, round: &Round) -> Result<Viewer, Problem> {
        if round.shows_results_to_all() {
            return Ok(Viewer::Anybody);
        }
        if self.organiser(request, round).await?.is_some() {
            return Ok(Viewer::Organiser);
        }
        Ok(self.voter(request, round))
    }

    fn voter(&self, request: &HttpRequest, round: &Round) -> Viewer {
        match self.given.edge.voted.is_shown(request, &round.id) {
            true => Viewer::HasVoted,
            false => Viewer::Anybody,
        }
    }

    fn schedule(&self, round: &Round) -> Schedule {
        Schedule::of(round, self.given.clock.now())
    }
}

/// What is done for a request, as the answer to it.
async fn answer(
    request: &HttpRequest,
    work: impl Future<Output = Result<HttpResponse, Problem>>,
) -> HttpResponse {
    work.await.unwrap_or_else(|problem| problem.respond(request))
}

/// What a program is told that may not see the results yet.
fn hidden(round: &Round) -> Problem {
    let detail = sight::hidden_words(round);
    Problem::new(StatusCode::FORBIDDEN, "results-hidden", "Results hidden", detail)
}

async fn show(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, async {
        let shown = results.now(&id).await?;
        let viewer = results.viewer(&request, &shown.round).await?;
        let looks = Looks::at(&results, &request, &shown.round).await;
        match sight::sees(&shown.round, viewer) {
            true => Ok(page(&request, looks.result(&shown, viewer).render())),
            false => Ok(page(&request, looks.hidden(&shown).render())),
        }
    })
    .await
}

/// What both pages of a result say, whether the counts are shown or not.
struct Looks {
    visitor: templates::Visitor,
    schedule: Schedule,
    preview: Preview,
}

impl Looks {
    async fn at(results: &Handle, request: &HttpRequest, round: &Arc<Round>) -> Self {
        let edge = &results.given.edge;
        let base = edge.proxies.base_url(request);
        Self {
            visitor: edge.callers.visitor(request).await,
            schedule: results.schedule(round),
            preview: Preview::of(&base, &format!("/result/{}", round.id), round),
        }
    }

    fn result(self, shown: &Shown, viewer: Viewer) -> ResultPage {
        let view = &shown.view;
        ResultPage {
            visitor: self.visitor,
            round: view.head_of_page(),
            schedule: self.schedule,
            preview: self.preview,
            eligibility_description: view.eligibility_description.clone(),
            not_for_all: sight::not_for_all(&shown.round, viewer).map(str::to_owned),
            bars: view.bars(),
            head: view.head,
            ledger: view.ledger,
        }
    }

    fn hidden(self, shown: &Shown) -> HiddenPage {
        let (round, view) = (&shown.round, &shown.view);
        HiddenPage {
            visitor: self.visitor,
            round: view.head_of_page(),
            schedule: self.schedule,
            preview: self.preview,
            eligibility_description: view.eligibility_description.clone(),
            hidden_words: sight::hidden_words(round).to_owned(),
            opens_by_voting: sight::sees(round, Viewer::HasVoted),
        }
    }
}
