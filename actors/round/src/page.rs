//! `GET /`, `GET /rounds` and `GET /rounds/{id}`.

use ::web::{Problem, at, page};
use actix_web::http::header;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use subjects::{Round, RoundChanged, RoundId};
use templates::{HomePage, RoundCard};

use crate::Handle;

impl Handle {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/").route(web::get().to(home)))
            .service(at("/rounds").route(web::get().to(list)))
            .service(at("/rounds/{id}").route(web::get().to(one)));
    }

    fn by_title(&self) -> Vec<Round> {
        let mut rounds: Vec<Round> =
            self.rounds.all().into_iter().map(|newest| newest.message.round.clone()).collect();
        rounds.sort_by(|a, b| (&a.title, &a.id).cmp(&(&b.title, &b.id)));
        rounds
    }
}

async fn home(rounds: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let card = |round: Round| RoundCard { id: round.id.to_string(), title: round.title, state: round.state };
    let drawn = HomePage { rounds: rounds.by_title().into_iter().map(card).collect() }.render();
    page(&request, drawn)
}

async fn list(rounds: Data<Handle>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(rounds.by_title())
}

async fn one(rounds: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let id = RoundId::parse(&id).ok();
    match id.and_then(|id| rounds.rounds.get(&RoundChanged::subject_of(&id))) {
        Some(newest) => {
            HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(&newest.message.round)
        }
        None => Problem::no_such_round().respond(&request),
    }
}
