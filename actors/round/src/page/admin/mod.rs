//! The organiser's pages, under `/admin`. They work by forms alone; what a form asks for is what a program could.

mod confirm;
mod drawn;
mod form;
mod list;
mod rearranged;
mod round;
mod typed;

use std::sync::Arc;

use ::web::{Body, Caller, FormFields, Problem, at, read_body_up_to};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use nats::Newest;
use subjects::{Round, RoundChanged, RoundState, Timestamp};
use templates::{Moment, RenderError, RoundHead};

use super::{SEEN_WITHIN, person, refused};
use crate::Handle;
use crate::rules;

/// The largest form, in bytes: a hundred options with every text at its longest, each character of it escaped.
const FORM_MAX: usize = 4 * 1024 * 1024;

/// Adds the addresses of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/admin").route(web::get().to(list::show)))
        .service(at("/admin/new").route(web::get().to(form::blank)).route(web::post().to(form::make)))
        .service(at("/admin/rounds/{id}").route(web::get().to(round::show)).route(web::post().to(form::save)))
        .service(
            at("/admin/rounds/{id}/open")
                .route(web::get().to(confirm::ask_open))
                .route(web::post().to(confirm::open)),
        )
        .service(
            at("/admin/rounds/{id}/close")
                .route(web::get().to(confirm::ask_close))
                .route(web::post().to(confirm::close)),
        )
        .service(at("/admin/rounds/{id}/options/{option}/unpicture").route(web::post().to(round::unpicture)));
}

/// What is done for a form on the page of a round, as the answer to it: a refusal is said on that page.
pub(super) async fn answer_on_page(
    rounds: &Handle,
    request: &HttpRequest,
    id: &str,
    work: impl Future<Output = Result<HttpResponse, Problem>>,
) -> HttpResponse {
    match work.await {
        Ok(response) => response,
        Err(problem) => round::refuse(rounds, request, id, &problem).await,
    }
}

impl Handle {
    /// Whoever is calling, and the round of this name, which is theirs to run.
    async fn own(
        &self,
        request: &HttpRequest,
        id: &str,
    ) -> Result<(Caller, Arc<Newest<RoundChanged>>), Problem> {
        let caller = self.organiser(request).await?;
        let newest = self.find(id)?;
        rules::may_organise(&newest.message.round, person(&caller)).map_err(|refusal| refused(&refusal))?;
        Ok((caller, newest))
    }

    /// Reads a form that was shown to the browser that sends it.
    async fn read_form(
        &self,
        request: &HttpRequest,
        payload: Payload,
        single: &[&str],
        repeated: &[&str],
    ) -> Result<FormFields, Problem> {
        match read_body_up_to(request, payload, FORM_MAX).await? {
            Body::Form(bytes) => {
                let form = FormFields::parse(&bytes, &[single, &["csrf"]].concat(), repeated)?;
                self.edge.check_form(request, form.text("csrf"))?;
                Ok(form)
            }
            Body::Json(_) => {
                let detail = "Send a form: application/x-www-form-urlencoded. For JSON there is /rounds.";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Err(Problem::new(status, "unsupported-media-type", "Unsupported media type", detail))
            }
        }
    }

    /// A page with a form that says what is wrong with what was sent.
    fn draw_again(
        &self,
        request: &HttpRequest,
        problem: &Problem,
        drawn: impl FnOnce(String) -> Result<String, RenderError>,
    ) -> HttpResponse {
        problem.respond_on_page(request, drawn(self.edge.browser(request).csrf))
    }

    /// The round as it is after this refusal of a change to version `seen`: what somebody else has written first is
    /// there, unless it takes too long to come.
    async fn after(
        &self,
        id: &str,
        seen: u64,
        problem: &Problem,
    ) -> Result<Arc<Newest<RoundChanged>>, Problem> {
        let mut rounds = self.rounds.clone();
        let is_late = |newest: &Newest<RoundChanged>| newest.sequence <= seen;
        let newer =
            async { while self.find(id).is_ok_and(|newest| is_late(&newest)) && rounds.changed().await {} };
        if problem.kind() == "version-conflict" {
            let _ = tokio::time::timeout(SEEN_WITHIN, newer).await;
        }
        self.find(id)
    }

    /// How many ballots of a round count.
    fn ballots(&self, round: &Round) -> u64 {
        let newest = self.tallies.get(&round.id);
        newest.map_or(0, |newest| newest.message.ledger.counted)
    }
}

fn head(round: &Round) -> RoundHead {
    RoundHead { id: round.id.to_string(), title: round.title.clone(), state: round.state }
}

fn moment(at: Timestamp) -> Moment {
    Moment { at: at.to_string(), words: at.words() }
}

/// When a round next opens or closes by itself, if it ever does.
fn next(round: &Round) -> Option<Moment> {
    rules::next_moment(round).map(moment)
}

/// Which version of a round a form was drawn from; one that is never there when it does not say.
fn version(form: &FormFields) -> u64 {
    form.text("version").parse().unwrap_or(0)
}

fn see_other(to: String) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// Open rounds first, then those that are being written, then those that are over.
fn rank(state: RoundState) -> u8 {
    match state {
        RoundState::Open => 0,
        RoundState::Draft => 1,
        RoundState::Closed => 2,
    }
}
