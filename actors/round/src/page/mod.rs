//! HTTP: the rounds, for people and for programs.

mod admin;
mod api;
mod fields;
mod invites;
mod options;
mod organise;
mod pictures;
mod read;
mod shown;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use ::web::{Caller, FieldError, Problem, at, page};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use nats::Newest;
use subjects::{Role, Round, RoundChanged, RoundId, RoundState};
use templates::{HomePage, RoundCard, Visitor};

pub use self::api::operations;
use self::shown::ShownRound;
use crate::rules::{self, By, Deed, Invalid, Refusal};
use crate::{ChangeRound, Entry, Handle, NotChanged, Order};

/// How long an answer about a change waits for this process to see the change too.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

impl Handle {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/").route(web::get().to(home)))
            .service(at("/rounds").route(web::get().to(list)).route(web::post().to(organise::make)))
            .service(at("/rounds/{id}").route(web::get().to(one)).route(web::patch().to(organise::edit)))
            .service(at("/rounds/{id}/open").route(web::post().to(organise::open)))
            .service(at("/rounds/{id}/close").route(web::post().to(organise::close)))
            .service(at("/rounds/{id}/options").route(web::post().to(options::add)))
            .service(
                at("/rounds/{id}/options/{option}")
                    .route(web::get().to(options::one))
                    .route(web::patch().to(options::change))
                    .route(web::delete().to(options::remove)),
            )
            .service(
                at("/rounds/{id}/options/{option}/picture")
                    .route(web::get().to(pictures::show))
                    .route(web::put().to(pictures::put))
                    .route(web::post().to(pictures::post))
                    .route(web::delete().to(pictures::remove)),
            )
            .service(at("/rounds/{id}/invites").route(web::post().to(invites::make)));
        admin::routes(config);
    }

    /// Whoever is calling may at least make rounds.
    async fn organiser(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        self.edge.callers.at_least(request, Role::Organiser).await
    }

    /// Who is looking at what everybody may see. Only a program that has shown a token is told that it is not good.
    async fn viewer(&self, request: &HttpRequest) -> Result<Option<Caller>, Problem> {
        let is_told = request.headers().contains_key(header::AUTHORIZATION);
        match self.edge.callers.caller(request).await {
            Err(problem) if is_told && problem.status() == StatusCode::UNAUTHORIZED => Err(problem),
            Err(_) => Ok(None),
            known => known,
        }
    }

    /// The round of this name, as this process knows it.
    fn find(&self, id: &str) -> Result<Arc<Newest<RoundChanged>>, Problem> {
        let id = RoundId::parse(id).map_err(|_| Problem::round_not_found())?;
        match self.rounds.get(&id) {
            Some(newest) => Ok(newest),
            None if self.rounds.is_caught_up() => Err(Problem::round_not_found()),
            None => {
                Err(Problem::unavailable("not-ready", "The rounds are being read. Try again in a moment."))
            }
        }
    }

    /// Does what `caller` wants, and waits until this process shows it: whoever changes a round and looks at it again
    /// sees the change.
    async fn change(
        &self,
        id: &str,
        deed: Deed,
        caller: &Caller,
        version: Option<u64>,
    ) -> Result<Entry, Problem> {
        let id = RoundId::parse(id).map_err(|_| Problem::round_not_found())?;
        let order = Order { deed, by: person(caller), version };
        let changed = self.actor.send(ChangeRound { id, order }).await;
        let changed = changed.map_err(|gone| Problem::internal("change a round", &gone))?;
        let entry = changed.map_err(problem_of)?;
        self.seen(&entry).await;
        Ok(entry)
    }

    async fn seen(&self, entry: &Entry) {
        let mut rounds = self.rounds.clone();
        let seen = async {
            while rounds.get(&entry.round.id).is_none_or(|newest| newest.sequence < entry.version) {
                if !rounds.changed().await {
                    return;
                }
            }
        };
        // What is in the book counts, whether it is seen here in time or not.
        let _ = tokio::time::timeout(SEEN_WITHIN, seen).await;
    }

    /// What this caller may see, by title. Only its organiser is shown a draft.
    fn listed(&self, viewer: Option<&Caller>) -> Vec<Arc<Newest<RoundChanged>>> {
        let mut rounds = self.rounds.all();
        rounds.retain(|newest| {
            let round = &newest.message.round;
            round.state != RoundState::Draft || organises(viewer, round)
        });
        let key = |round: &Round| (round.title.clone(), round.id.clone());
        rounds.sort_by_cached_key(|newest| key(&newest.message.round));
        rounds
    }
}

/// What is done for a request, as the answer to it.
async fn answer(
    request: &HttpRequest,
    work: impl Future<Output = Result<HttpResponse, Problem>>,
) -> HttpResponse {
    work.await.unwrap_or_else(|problem| problem.respond(request))
}

fn person(caller: &Caller) -> By {
    By::Person(caller.person.user, caller.person.role)
}

fn organises(viewer: Option<&Caller>, round: &Round) -> bool {
    viewer.is_some_and(|caller| rules::may_organise(round, person(caller)).is_ok())
}

async fn home(rounds: Data<Handle>, request: HttpRequest) -> HttpResponse {
    answer(&request, async {
        let viewer = rounds.viewer(&request).await?;
        let card = |newest: Arc<Newest<RoundChanged>>| {
            let round = &newest.message.round;
            RoundCard { id: round.id.to_string(), title: round.title.clone(), state: round.state }
        };
        let rounds = rounds.listed(viewer.as_ref()).into_iter().map(card).collect();
        Ok(page(&request, HomePage { visitor: visitor(viewer), rounds }.render()))
    })
    .await
}

async fn list(rounds: Data<Handle>, request: HttpRequest) -> HttpResponse {
    answer(&request, async {
        let viewer = rounds.viewer(&request).await?;
        let listed = rounds.listed(viewer.as_ref());
        let shown: Vec<ShownRound<'_>> = listed
            .iter()
            .map(|it| {
                ShownRound::of(it.sequence, &it.message.round, organises(viewer.as_ref(), &it.message.round))
            })
            .collect();
        Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(shown))
    })
    .await
}

async fn one(rounds: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, async {
        let newest = rounds.find(&id)?;
        let viewer = rounds.viewer(&request).await?;
        let round = &newest.message.round;
        let shown = ShownRound::of(newest.sequence, round, organises(viewer.as_ref(), round));
        Ok(shown::tell(StatusCode::OK, newest.sequence, &shown))
    })
    .await
}

fn visitor(viewer: Option<Caller>) -> Visitor {
    match viewer {
        Some(Caller { person, .. }) => Visitor { name: Some(person.name), role: Some(person.role) },
        None => Visitor::default(),
    }
}

fn problem_of(fault: NotChanged) -> Problem {
    match fault {
        NotChanged::NoSuchRound(_) => Problem::round_not_found(),
        NotChanged::Refused(refusal) => refused(&refusal),
        NotChanged::Meanwhile(version) => Problem::conflict("version-conflict", &fault).with_version(version),
        NotChanged::Unconfirmed => unconfirmed(),
        NotChanged::Later(_) => log_unavailable(),
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let kind = match refusal {
        Refusal::NotYours => {
            return Problem::not_your_round("Only the round's organiser or an administrator may do this.");
        }
        Refusal::NoSuchOption => return options::option_not_found(),
        Refusal::Invalid(Invalid(wrong)) => {
            let error =
                |wrong: &rules::Wrong| FieldError { field: wrong.field.clone(), detail: wrong.why.clone() };
            return Problem::invalid(wrong.iter().map(error).collect());
        }
        Refusal::Begun(_) | Refusal::Open => "round-already-opened",
        Refusal::Closed => "round-closed",
        Refusal::NeverOpen | Refusal::NotItsTime => "round-not-open",
        Refusal::TooFewOptions => "too-few-options",
        Refusal::Over => "closing-time-passed",
    };
    Problem::conflict(kind, refusal)
}

fn unconfirmed() -> Problem {
    let detail = "The log has not confirmed it yet: it may have been done or not. Look at the round again.";
    Problem::unavailable("unconfirmed", detail)
}

fn log_unavailable() -> Problem {
    let detail = "The log cannot take it now. Nothing was changed; try again in a moment.";
    Problem::unavailable("log-unavailable", detail)
}
