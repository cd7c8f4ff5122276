//! `GET /sessions`, `DELETE /sessions/{id}`, `POST /sessions/{id}/end`, `POST /logout` and `POST /token`.

mod api;

use ::web::{
    Body, Caller, FormFields, Problem, Tokens, at, field_error, page, parse_json, read_body, wants_page,
};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use subjects::{Role, SessionId, Timestamp};
use templates::{Moment, SessionLine, SessionsPage};
use utoipa::ToSchema;

pub use self::api::operations;

use crate::rules::{ago, ahead, browser_in_words, last_seen};
use crate::store::Member;
use crate::{EndSession, Handle, NotEnded};

/// What `GET /sessions` answers.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnSessions)]
struct List {
    sessions: Vec<Listed>,
}

/// One session, as its person sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnSession)]
struct Listed {
    #[schema(value_type = String, format = "uuid")]
    id: SessionId,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The address of the network it was opened from.
    network: String,
    /// What the browser or program that opened it calls itself.
    user_agent: String,
    /// Whether this request came in it.
    current: bool,
}

/// What `POST /token` takes. Holds a secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AskForToken {
    #[serde(default)]
    #[schema(required = true, min_length = 1)]
    refresh_token: String,
}

/// What `POST /token` answers. Holds secrets.
#[derive(Serialize, ToSchema)]
struct Granted {
    /// For `Authorization: Bearer`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    expires_in: u64,
    /// The same as was sent, or one that lasts as long.
    refresh_token: String,
}

/// How whoever asked wants to be answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    ByForm,
    ByProgram,
}

impl Handle {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/sessions").route(web::get().to(list)))
            .service(at("/sessions/{id}").route(web::delete().to(end)))
            .service(at("/sessions/{id}/end").route(web::post().to(end_by_form)))
            .service(at("/logout").route(web::post().to(log_out)))
            .service(at("/token").route(web::post().to(token)));
    }

    async fn end(&self, caller: &Caller, id: SessionId) -> Result<(), Problem> {
        let end = EndSession { user: caller.person.user, session: id };
        match self.actor.send(end).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(NotEnded::NoSuchSession)) => Err(session_not_found()),
            Ok(Err(NotEnded::Away(_))) | Err(_) => Err(cannot_end()),
        }
    }

    /// Makes the browser forget that it is signed in.
    fn sign_out(&self, response: &mut HttpResponse) {
        for cookie in self.edge.callers.forget() {
            // Fails only for a cookie that cannot be a header, and ours always can.
            let _ = response.add_cookie(&cookie);
        }
    }

    /// Nothing for a session that has ended.
    fn listed(&self, member: Member, caller: &Caller, now: Timestamp) -> Option<Listed> {
        let record = member.record.filter(|record| now < record.expires_at)?;
        Some(Listed {
            id: member.id,
            opened_at: record.opened_at,
            last_seen_at: last_seen(record.opened_at, now, self.idle, member.left),
            expires_at: record.expires_at,
            network: record.origin.network,
            user_agent: record.origin.user_agent,
            current: member.id == caller.session,
        })
    }

    async fn draw(&self, request: &HttpRequest, listed: Vec<Listed>, now: Timestamp) -> HttpResponse {
        let moment = |at: Timestamp, words| Moment { at: at.to_string(), words };
        let line = |listed: Listed| SessionLine {
            id: listed.id.to_string(),
            current: listed.current,
            browser: browser_in_words(&listed.user_agent),
            address: listed.network,
            opened: moment(listed.opened_at, ago(listed.opened_at, now)),
            seen: moment(listed.last_seen_at, ago(listed.last_seen_at, now)),
            expires: moment(listed.expires_at, ahead(listed.expires_at, now)),
        };
        let browser = self.edge.browser(request);
        let drawn = SessionsPage {
            visitor: self.edge.callers.visitor(request).await,
            csrf: browser.csrf,
            sessions: listed.into_iter().map(line).collect(),
        };
        let mut response = page(request, drawn.render());
        if let Some(cookie) = browser.minted {
            // Fails only for a cookie that cannot be a header, and ours always can.
            let _ = response.add_cookie(&cookie);
        }
        response
    }
}

async fn list(sessions: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let caller = match sessions.edge.callers.at_least(&request, Role::Voter).await {
        Ok(caller) => caller,
        Err(problem) => return problem.respond(&request),
    };
    let Ok(members) = sessions.store.of_user(caller.person.user).await else {
        let detail = "Your sessions cannot be listed now. Try again in a moment.";
        return Problem::unavailable("sessions-unavailable", detail).respond(&request);
    };
    let now = sessions.clock.now();
    let listed: Vec<Listed> =
        members.into_iter().filter_map(|member| sessions.listed(member, &caller, now)).collect();
    if wants_page(&request) {
        return sessions.draw(&request, listed, now).await;
    }
    let list = List { sessions: listed };
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(list)
}

async fn end(sessions: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    end_as_asked(&sessions, &request, &id, Asked::ByProgram).await
}

async fn end_by_form(
    sessions: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    match asked(&sessions, &request, payload).await {
        Ok(asked) => end_as_asked(&sessions, &request, &id, asked).await,
        Err(problem) => problem.respond(&request),
    }
}

async fn end_as_asked(sessions: &Handle, request: &HttpRequest, id: &str, asked: Asked) -> HttpResponse {
    let ended = async {
        let caller = sessions.edge.callers.at_least(request, Role::Voter).await?;
        let id = SessionId::parse(id).map_err(|_| session_not_found())?;
        sessions.end(&caller, id).await?;
        Ok(id == caller.session)
    };
    match ended.await {
        Ok(true) => {
            let mut response = done(asked, "/");
            sessions.sign_out(&mut response);
            response
        }
        Ok(false) => done(asked, "/sessions"),
        Err(problem) => Problem::respond(&problem, request),
    }
}

async fn log_out(sessions: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let asked = match asked(&sessions, &request, payload).await {
        Ok(asked) => asked,
        Err(problem) => return problem.respond(&request),
    };
    let ended = match sessions.edge.callers.caller(&request).await {
        Ok(Some(caller)) => sessions.end(&caller, caller.session).await,
        Ok(None) => Ok(()),
        Err(problem) => Err(problem),
    };
    let is_program = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = match ended.map_err(|problem| (problem.status(), problem)) {
        Err((StatusCode::SERVICE_UNAVAILABLE, _)) if is_program => cannot_end().respond(&request),
        Err((StatusCode::SERVICE_UNAVAILABLE, _)) => only_forgotten().respond(&request),
        // Its token may have run out while its session goes on.
        Err((StatusCode::UNAUTHORIZED, problem)) if is_program => problem.respond(&request),
        // Nobody is signed in by what this browser has.
        Ok(()) | Err(_) => done(asked, "/"),
    };
    sessions.sign_out(&mut response);
    response
}

async fn token(sessions: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let granted = async {
        let refresh_token = read_refresh_token(read_body(&request, payload).await?)?;
        sessions.edge.callers.refresh(&refresh_token).await
    };
    match granted.await {
        Ok(Tokens { access, refresh, expires_in }) => {
            let granted =
                Granted { access_token: access, token_type: "Bearer", expires_in, refresh_token: refresh };
            HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(granted)
        }
        Err(problem) => problem.respond(&request),
    }
}

fn read_refresh_token(body: Body) -> Result<String, Problem> {
    let example = "{\"refresh_token\": \"eyJ…\"}";
    let Body::Json(bytes) = body else {
        return Err(Problem::malformed(&format!("the body must be JSON such as {example}")));
    };
    let AskForToken { refresh_token } = parse_json(&bytes, example)?;
    if refresh_token.is_empty() {
        return Err(Problem::invalid(vec![field_error("refresh_token", "is missing")]));
    }
    Ok(refresh_token)
}

/// Whether a form asks, which must be one of ours, or a program, which need not send anything.
async fn asked(sessions: &Handle, request: &HttpRequest, payload: Payload) -> Result<Asked, Problem> {
    if !request.headers().contains_key(header::CONTENT_TYPE) {
        return Ok(Asked::ByProgram);
    }
    match read_body(request, payload).await? {
        Body::Json(_) => Ok(Asked::ByProgram),
        Body::Form(bytes) => {
            let fields = FormFields::parse(&bytes, &["csrf"], &[])?;
            sessions.edge.check_form(request, fields.text("csrf"))?;
            Ok(Asked::ByForm)
        }
    }
}

fn done(asked: Asked, back: &'static str) -> HttpResponse {
    match asked {
        Asked::ByForm => HttpResponse::SeeOther().insert_header((header::LOCATION, back)).finish(),
        Asked::ByProgram => HttpResponse::NoContent().finish(),
    }
}

fn session_not_found() -> Problem {
    let detail = "You have no session with this id. GET /sessions lists your sessions.";
    Problem::new(StatusCode::NOT_FOUND, "session-not-found", "Session not found", detail)
}

fn cannot_end() -> Problem {
    let detail = "The session cannot be ended now, and may go on. Try again in a moment.";
    Problem::unavailable("sessions-unavailable", detail)
}

fn only_forgotten() -> Problem {
    let detail = "This browser has forgotten that you are signed in, but the session itself cannot be ended now, and \
                  may go on. Sign in again in a moment and end it there.";
    Problem::unavailable("sessions-unavailable", detail)
}
