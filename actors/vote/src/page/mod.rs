//! `GET /vote/{round}` and `POST /vote`.

mod api;
mod caller;
mod drawn;
mod receipts;
mod sent;

use ::web::{Identity, Limited, Problem, at, field_error, read_body, wants_page};
use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use metrics::counter;
use serde::Serialize;
use subjects::{BallotId, Choice, Eligibility, ResultsVisibility, Round, RoundId};
use templates::{Gate, VotePage};
use utoipa::ToSchema;

pub use self::api::operations;
use self::caller::{Admitted, admit_ballot};
use self::drawn::Drawn;
use self::sent::Sent;
use crate::rules::{Ballot, InvalidChoice, Refusal, choose, takes_ballots};
use crate::{Accepted, KnownRound, NotAccepted, OpenBox, Vote};

/// What a program is told of its accepted ballot.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
struct Told<'a> {
    /// The name that the ballot has, given or made up.
    #[schema(value_type = String)]
    ballot: BallotId,
    #[schema(value_type = String)]
    round: &'a RoundId,
    /// The options that were chosen, by id.
    #[schema(value_type = Vec<String>)]
    choice: &'a Choice,
    /// By which anybody can ask what became of it: `GET /receipts/{receipt}`.
    receipt: String,
    /// The sequence of its block in the round's log.
    sequence: u64,
    /// Its index in the block, from 0.
    index: u32,
}

/// Everything that is needed to judge one ballot.
struct Judgeable {
    round: KnownRound,
    ballot: Ballot,
    to: OpenBox,
    minted: Option<Cookie<'static>>,
}

/// A ballot that is in order, whoever's it is.
struct InOrder {
    round: KnownRound,
    id: Option<BallotId>,
    choice: Choice,
}

impl Vote {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .service(at("/vote").route(web::post().to(cast)))
            .service(at("/vote/{round}").route(web::get().to(show)))
            .service(at("/receipts/{receipt}").route(web::get().to(receipts::show)));
    }
}

async fn cast(vote: Data<Vote>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let edge = &vote.given.edge;
    if let Err(problem) = edge.limits.take(Limited::VotesByAddress, &edge.proxies.network(&request)) {
        return turn_away(&vote, &request, None, &problem).await;
    }
    let sent = match read_body(&request, payload).await.and_then(|body| Sent::read(&body)) {
        Ok(sent) => sent,
        Err(problem) => return problem.respond(&request),
    };
    let judgeable = match check(&vote, &request, &sent).await {
        Ok(judgeable) => judgeable,
        Err(problem) => return turn_away(&vote, &request, Some(&sent), &problem).await,
    };
    let Judgeable { round, ballot, to, minted } = judgeable;
    let choice = ballot.choice.clone();
    let cast = to.cast(ballot).await;
    let is_accepted = cast.is_ok();
    let mut response = match cast {
        Err(not_accepted) => problem_of(not_accepted).respond(&request),
        Ok(_) if sent.is_form() && !wants_json(&request) => {
            let to = (header::LOCATION, page_after(&round, sent.invite.as_deref()));
            HttpResponse::SeeOther().insert_header(to).finish()
        }
        Ok(accepted) => told(&round.id, &choice, accepted),
    };
    if is_accepted {
        prove(&vote, &request, &round, &mut response);
    }
    if let Some(cookie) = minted {
        // Fails only for a cookie that cannot be a header, and ours always can.
        let _ = response.add_cookie(&cookie);
    }
    response
}

fn told(round: &RoundId, choice: &Choice, Accepted { ballot, place }: Accepted) -> HttpResponse {
    let receipt = place.receipt(round);
    let body = Told { ballot, round, choice, receipt, sequence: place.sequence, index: place.index };
    HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// Gives somebody who has a ballot in the box what shows it, where that opens the results to them.
fn prove(vote: &Vote, request: &HttpRequest, round: &Round, response: &mut HttpResponse) {
    if round.results_visibility == ResultsVisibility::AfterVoting && !round.shows_results_to_all() {
        vote.given.edge.voted.prove(request, &round.id, response);
    }
}

/// Where whoever has sent a form goes on: to the page that shows their ballot, by their invite if that is how.
fn page_after(round: &Round, invite: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("voted", "1");
    if let (Eligibility::Invited, Some(code)) = (round.eligibility, invite) {
        query.append_pair("invite", code);
    }
    format!("/vote/{}?{}", round.id, query.finish())
}

fn wants_json(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    !wants_page(request) && accept.is_some_and(|accept| accept.contains("json"))
}

/// Checks everything that can be told without the box: first the ballot, then whose it is.
async fn check(vote: &Vote, request: &HttpRequest, sent: &Sent) -> Result<Judgeable, Problem> {
    let edge = &vote.given.edge;
    if let Some(csrf) = &sent.csrf {
        edge.check_form(request, csrf)?;
    }
    let InOrder { round, id, choice } = in_order(vote, sent)?;
    let invite = sent.invite.as_deref();
    let (identity, minted) = match admit_ballot(edge, request, &round, invite).await {
        Ok(Admitted::As(identity)) => (identity, None),
        Ok(Admitted::AsBrowser) => browser(vote, request)?,
        Err(stopped) => return Err(stopped.problem()),
    };
    let (Some(key), Some(to)) = (vote.key(&round.id), vote.open_box(&round.id)) else {
        return Err(not_ready());
    };
    let voter = identity.voter(&key);
    edge.limits.take(Limited::VotesByVoter, voter.as_bytes())?;
    let (has_given_id, id) = (id.is_some(), id.unwrap_or_else(BallotId::random));
    Ok(Judgeable { round, ballot: Ballot { id, has_given_id, voter, choice }, to, minted })
}

fn in_order(vote: &Vote, sent: &Sent) -> Result<InOrder, Problem> {
    let mut errors = Vec::new();
    let ballot_id = sent.ballot.as_deref().map(BallotId::parse).transpose();
    let id = ballot_id.map_err(|why| errors.push(field_error("ballot", why))).unwrap_or_default();
    let round = match RoundId::parse(&sent.round) {
        Ok(id) => find_round(vote, &id)?,
        Err(why) => {
            errors.push(field_error("round", why));
            if sent.choice.is_empty() {
                errors.push(field_error("choice", InvalidChoice::NotAny));
            }
            return Err(Problem::invalid(errors));
        }
    };
    let choice = match choose(&round, &sent.choice) {
        Ok(choice) if errors.is_empty() => choice,
        Ok(_) => return Err(Problem::invalid(errors)),
        Err(why) => {
            errors.push(field_error(&why.field(), why));
            return Err(Problem::invalid(errors));
        }
    };
    takes_ballots(&round, vote.given.clock.now()).map_err(|refusal| problem_of(refusal.into()))?;
    Ok(InOrder { round, id, choice })
}

/// A browser with its cookie, or one without, which gets one.
fn browser(vote: &Vote, request: &HttpRequest) -> Result<(Identity, Option<Cookie<'static>>), Problem> {
    let cookies = &vote.given.edge.cookies;
    match cookies.identity(request) {
        Ok(Some(browser)) => Ok((browser, None)),
        Ok(None) => {
            let (browser, cookie) = cookies.mint();
            Ok((browser, Some(cookie)))
        }
        Err(why) => Err(Problem::unidentified_caller(&why).with_cookie(cookies.forget())),
    }
}

fn find_round(vote: &Vote, id: &RoundId) -> Result<KnownRound, Problem> {
    match vote.round(id) {
        Some(round) => Ok(round),
        None if vote.rounds.is_caught_up() => Err(Problem::round_not_found()),
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
            Problem::unavailable("log-unavailable", detail)
        }
        NotAccepted::Full => {
            let detail = "Too many ballots arrive at once. Nothing was accepted; try again in a moment.";
            Problem::unavailable("queue-full", detail)
        }
        NotAccepted::Unconfirmed => {
            let detail = "The ballot box has not confirmed it yet: it may be in the box or not. Send the same ballot \
                          again in a moment to learn which; it counts once.";
            Problem::unavailable("unconfirmed", detail)
        }
    }
}

async fn show(vote: Data<Vote>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let round =
        RoundId::parse(&id).map_err(|_| Problem::round_not_found()).and_then(|id| find_round(&vote, &id));
    let round = match round {
        Ok(round) => round,
        Err(problem) => return problem.respond(&request),
    };
    let asked = |name: &str| {
        let mut query = form_urlencoded::parse(request.query_string().as_bytes());
        query.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value)
    };
    let Drawn { page, minted } = Drawn::of(&vote, &request, &round, asked("invite").as_deref()).await;
    let has_voted = page.receipt.is_some();
    let just_voted = has_voted && asked("voted").is_some();
    let mut response = Drawn { page: VotePage { just_voted, ..page }, minted }.respond(&request);
    if has_voted {
        // By another browser of the same account, or one that has lost its cookie.
        prove(&vote, &request, &round, &mut response);
    }
    response
}

/// Answers what never reaches the box. A form that was filled in wrongly is shown again.
async fn turn_away(
    vote: &Vote,
    request: &HttpRequest,
    sent: Option<&Sent>,
    problem: &Problem,
) -> HttpResponse {
    let outcome = match problem.status() {
        StatusCode::UNPROCESSABLE_ENTITY => "invalid",
        StatusCode::TOO_MANY_REQUESTS => "limited",
        _ => "refused",
    };
    counter!("urna_vote_cast_total", "outcome" => outcome).increment(1);
    let again = match sent {
        Some(sent) if sent.is_form() && wants_page(request) => show_again(vote, request, sent, problem).await,
        _ => None,
    };
    again.unwrap_or_else(|| problem.respond(request))
}

/// A form that can be sent again when something is put right: with what is wrong above it, or with what there is to
/// do in place of the ballot.
async fn show_again(
    vote: &Vote,
    request: &HttpRequest,
    sent: &Sent,
    problem: &Problem,
) -> Option<HttpResponse> {
    let can_be_put_right = matches!(
        problem.status(),
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    );
    if !can_be_put_right {
        return None;
    }
    let round = find_round(vote, &RoundId::parse(&sent.round).ok()?).ok()?;
    let Drawn { mut page, minted } = Drawn::of(vote, request, &round, sent.invite.as_deref()).await;
    // What they had chosen stays chosen.
    for option in &mut page.options {
        option.chosen = sent.choice.contains(&option.id);
    }
    let problem_shown = (page.gate == Gate::Open).then(|| problem.detail().to_owned());
    let mut response = Drawn { page: VotePage { problem: problem_shown, ..page }, minted }.respond(request);
    *response.status_mut() = problem.status();
    Some(response)
}
