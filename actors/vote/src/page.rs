//! `GET /vote/{round}` and `POST /vote`.

use ::web::{Body, FieldError, Identity, Problem, at, page, read_body, wants_page};
use actix::Addr;
use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use metrics::counter;
use serde::{Deserialize, Serialize};
use subjects::{BallotId, Choice, Round, RoundId};
use templates::{RoundHead, VoteOption, VotePage};

use crate::rules::{Ballot, InvalidChoice, Refusal, Standing, choose, takes_ballots};
use crate::{Accepted, BallotBox, CastBallot, FindBallot, NotAccepted, Vote};

/// A ballot as it is sent, in JSON or as a form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(default)]
    round: String,
    #[serde(default)]
    choice: OneOrMany,
    #[serde(default)]
    ballot: Option<String>,
}

/// A choice may be sent as a list or, of one, without the brackets.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "the id of an option, or a list of them")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What a program is told of its accepted ballot.
#[derive(Serialize)]
struct Told<'a> {
    ballot: BallotId,
    round: &'a RoundId,
    choice: &'a Choice,
    receipt: String,
    sequence: u64,
    place: u32,
}

/// Everything that is needed to judge one request.
struct Admitted {
    round: Round,
    ballot: Ballot,
    to: Addr<BallotBox>,
    minted: Option<Cookie<'static>>,
}

impl Vote {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/vote").route(web::post().to(cast)))
            .service(at("/vote/{round}").route(web::get().to(show)));
    }
}

async fn cast(vote: Data<Vote>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let body = match read_body(&request, payload).await {
        Ok(body) => body,
        Err(problem) => return problem.respond(&request),
    };
    let is_form = matches!(body, Body::Form(_));
    let sent = match parse(&body) {
        Ok(sent) => sent,
        Err(problem) => return problem.respond(&request),
    };
    let admitted = match admit(&vote, &request, &sent) {
        Ok(admitted) => admitted,
        Err(problem) => return turn_away(&vote, &request, is_form.then_some(&sent), &problem).await,
    };
    let Admitted { round, ballot, to, minted } = admitted;
    let choice = ballot.choice.clone();
    let Ok(answer) = to.send(CastBallot(ballot)).await else {
        return not_ready().respond(&request);
    };
    let mut response = match answer {
        Err(not_accepted) => problem_of(not_accepted).respond(&request),
        Ok(_) if is_form && !wants_json(&request) => {
            let to = format!("/vote/{}?voted=1", round.id);
            HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
        }
        Ok(accepted) => told(&round.id, &choice, accepted),
    };
    if let Some(cookie) = minted {
        // Fails only for a cookie that cannot be a header, and ours always can.
        let _ = response.add_cookie(&cookie);
    }
    response
}

fn told(round: &RoundId, choice: &Choice, Accepted { ballot, place }: Accepted) -> HttpResponse {
    let receipt = place.receipt(round);
    let body = Told { ballot, round, choice, receipt, sequence: place.sequence, place: place.index };
    HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

fn wants_json(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    !wants_page(request) && accept.is_some_and(|accept| accept.contains("json"))
}

/// Reads what was sent.
fn parse(body: &Body) -> Result<Sent, Problem> {
    match body {
        // serde would take a list of the fields' values for an object.
        Body::Json(bytes) if bytes.trim_ascii_start().starts_with(b"[") => Err(no_object()),
        Body::Json(bytes) => serde_json::from_slice(bytes).map_err(|_| malformed_json(bytes)),
        Body::Form(bytes) => parse_form(bytes),
    }
}

/// Reads it once more, slowly, to say which field is wrong.
fn malformed_json(bytes: &[u8]) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, Sent>(&mut json) {
        Err(fault) if fault.inner().is_data() && fault.path().iter().next().is_some() => {
            let field = fault.path().to_string();
            let why = fault.inner().to_string();
            let detail = why.split(" at line ").next().unwrap_or_default();
            Problem::invalid(vec![FieldError { field, detail: format!("is not as it must be: {detail}") }])
        }
        Err(fault) if fault.inner().is_data() => no_object(),
        Err(fault) => Problem::malformed(&format!("the body is not JSON: {}", fault.inner())),
        Ok(_) => Problem::malformed("the body must be one JSON object and nothing else"),
    }
}

fn no_object() -> Problem {
    Problem::malformed("the body must be an object such as {\"round\": \"demo\", \"choice\": [\"cats\"]}")
}

fn parse_form(bytes: &[u8]) -> Result<Sent, Problem> {
    let mut choice = Vec::new();
    let mut sent = Sent::default();
    for (name, value) in form_urlencoded::parse(bytes) {
        match &*name {
            "round" => sent.round = value.into_owned(),
            "choice" => choice.push(value.into_owned()),
            "ballot" => sent.ballot = Some(value.into_owned()),
            other => {
                let name: String = other.chars().take(64).collect();
                return Err(Problem::invalid(vec![field(&name, "is not a field of a ballot")]));
            }
        }
    }
    sent.choice = OneOrMany::Many(choice);
    Ok(sent)
}

/// Checks everything that can be told without the box.
fn admit(vote: &Vote, request: &HttpRequest, sent: &Sent) -> Result<Admitted, Problem> {
    let mut errors = Vec::new();
    let ballot_id = sent.ballot.as_deref().map(BallotId::parse).transpose();
    let ballot_id =
        ballot_id.map_err(|why| errors.push(field("ballot", &why.to_string()))).unwrap_or_default();
    let named = sent.choice.named();
    if named.is_empty() {
        errors.push(field("choice", &InvalidChoice::NotOne.to_string()));
    }
    let id = RoundId::parse(&sent.round).map_err(|why| errors.push(field("round", &why.to_string())));
    let Ok(id) = id else { return Err(Problem::invalid(errors)) };
    let round = find_round(vote, &id)?;
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let choice =
        choose(&round, named).map_err(|why| Problem::invalid(vec![field("choice", &why.to_string())]))?;
    takes_ballots(&round, vote.given.clock.now()).map_err(|refusal| problem_of(refusal.into()))?;
    let (identity, minted) = identify(vote, request)?;
    let (Some(key), Some(to)) = (vote.key(&id), vote.open_box(&id)) else {
        return Err(not_ready());
    };
    let ballot = Ballot { id: ballot_id, voter: identity.voter(&key), choice };
    Ok(Admitted { round, ballot, to, minted })
}

/// Who is calling: a program that says so, a browser with its cookie, or a browser without one, which gets one.
fn identify(vote: &Vote, request: &HttpRequest) -> Result<(Identity, Option<Cookie<'static>>), Problem> {
    let cookies = &vote.given.cookies;
    if let Some(program) = Identity::of_program(request).map_err(|why| Problem::unknown_caller(&why))? {
        return Ok((program, None));
    }
    match cookies.identity(request) {
        Ok(Some(browser)) => Ok((browser, None)),
        Ok(None) => {
            let (browser, cookie) = cookies.mint();
            Ok((browser, Some(cookie)))
        }
        Err(why) => Err(Problem::unknown_caller(&why).with_cookie(cookies.forget())),
    }
}

fn find_round(vote: &Vote, id: &RoundId) -> Result<Round, Problem> {
    match vote.round(id) {
        Some(newest) => Ok(newest.message.round.clone()),
        None if vote.rounds.is_caught_up() => Err(Problem::no_such_round()),
        None => Err(not_ready()),
    }
}

fn not_ready() -> Problem {
    let detail = "The ballot box is being opened. Nothing was accepted; try again in a moment.";
    Problem::unavailable("not-ready", detail)
}

fn problem_of(not_accepted: NotAccepted) -> Problem {
    match not_accepted {
        NotAccepted::Refused(refusal) => {
            let kind = match refusal {
                Refusal::NotYetOpen => "round-not-open",
                Refusal::Closed => "round-closed",
                Refusal::AlreadyVoted => "already-voted",
                Refusal::BallotIdReused => "ballot-id-reused",
            };
            Problem::conflict(kind, &refusal)
        }
        NotAccepted::LogAway => {
            let detail = "The ballot box cannot take it now. Nothing was accepted; try again in a moment.";
            Problem::unavailable("log-away", detail)
        }
        NotAccepted::Full => {
            let detail = "Too many ballots arrive at once. Nothing was accepted; try again in a moment.";
            Problem::unavailable("full", detail)
        }
        NotAccepted::Unconfirmed => {
            let detail = "The ballot box has not confirmed it yet: it may be in the box or not. Send the same ballot \
                          again in a moment to learn which; it counts once.";
            Problem::unavailable("unconfirmed", detail)
        }
    }
}

fn field(name: &str, detail: &str) -> FieldError {
    FieldError { field: name.to_owned(), detail: detail.to_owned() }
}

async fn show(vote: Data<Vote>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let round =
        RoundId::parse(&id).map_err(|_| Problem::no_such_round()).and_then(|id| find_round(&vote, &id));
    let round = match round {
        Ok(round) => round,
        Err(problem) => return problem.respond(&request),
    };
    // A forged cookie, or one of before the secret was changed, is replaced by a good one.
    let (identity, minted) = match vote.given.cookies.identity(&request) {
        Ok(Some(known)) => (Some(known), None),
        Ok(None) | Err(_) => (None, Some(vote.given.cookies.mint().1)),
    };
    let drawn = draw(&vote, &round, identity.as_ref()).await;
    let just_voted = drawn.receipt.is_some() && request.query_string().contains("voted=");
    let mut response = page(&request, VotePage { just_voted, ..drawn }.render());
    if let Some(cookie) = minted {
        // Fails only for a cookie that cannot be a header, and ours always can.
        let _ = response.add_cookie(&cookie);
    }
    response
}

/// Answers what never reaches the box. A form that was filled in wrongly is shown again.
async fn turn_away(
    vote: &Vote,
    request: &HttpRequest,
    form: Option<&Sent>,
    problem: &Problem,
) -> HttpResponse {
    let is_invalid = problem.status() == StatusCode::UNPROCESSABLE_ENTITY;
    let outcome = if is_invalid { "invalid" } else { "refused" };
    counter!("urna_vote_cast_total", "outcome" => outcome).increment(1);
    let again = match form {
        Some(sent) if is_invalid && wants_page(request) => show_again(vote, request, sent, problem).await,
        _ => None,
    };
    again.unwrap_or_else(|| problem.respond(request))
}

/// A form that was filled in wrongly, with what is wrong above it.
async fn show_again(
    vote: &Vote,
    request: &HttpRequest,
    sent: &Sent,
    problem: &Problem,
) -> Option<HttpResponse> {
    let round = find_round(vote, &RoundId::parse(&sent.round).ok()?).ok()?;
    let identity = vote.given.cookies.identity(request).ok().flatten();
    let drawn = draw(vote, &round, identity.as_ref()).await;
    let mut response =
        page(request, VotePage { problem: Some(problem.detail().to_owned()), ..drawn }.render());
    *response.status_mut() = problem.status();
    Some(response)
}

async fn standing_of(vote: &Vote, round: &RoundId, identity: &Identity) -> Option<Standing> {
    let (key, open) = (vote.key(round)?, vote.open_box(round)?);
    open.send(FindBallot(identity.voter(&key))).await.ok().flatten()
}

/// The page of a round, as this caller sees it.
async fn draw(vote: &Vote, round: &Round, identity: Option<&Identity>) -> VotePage {
    let standing = match identity {
        Some(identity) => standing_of(vote, &round.id, identity).await,
        None => None,
    };
    let chosen = standing.as_ref().map(|standing| standing.choice.0.clone()).unwrap_or_default();
    let option = |option: &subjects::RoundOption| VoteOption {
        id: option.id.to_string(),
        label: option.label.clone(),
        chosen: chosen.contains(&option.id),
    };
    VotePage {
        round: RoundHead { id: round.id.to_string(), title: round.title.clone(), state: round.state },
        options: round.options.iter().map(option).collect(),
        changeable: round.changeable,
        just_voted: false,
        receipt: standing.map(|standing| standing.place.receipt(&round.id)),
        problem: None,
    }
}

impl OneOrMany {
    fn named(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}
