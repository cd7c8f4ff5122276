//! `POST /rounds`, `PATCH /rounds/{id}`, `POST /rounds/{id}/open` and `POST /rounds/{id}/close`.

use ::web::{Caller, FieldError, Problem};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use subjects::RoundId;
use tracing::info;

use super::read::{self, AskedRound};
use super::shown::{ShownRound, tell, tell_made};
use super::{answer, log_unavailable, unconfirmed};
use crate::rules::{Birth, Deed, Invalid, ShortText};
use crate::{Entry, Handle, MakeRound, NotMade};

/// How many names are tried for a round whose organiser has given it none.
const NAMES: usize = 4;
/// The letters of a name that is made longer because it was taken: none that is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// How many of them.
const SUFFIX: usize = 4;

pub async fn make(rounds: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let asked = read::round(&read::json(&request, payload).await?)?;
        let entry = make_named(&rounds, &caller, asked).await?;
        info!(round.id = %entry.round.id, user.id = %caller.person.user, "made a round");
        rounds.seen(&entry).await;
        let at = format!("/rounds/{}", entry.round.id);
        Ok(tell_made(at, entry.version, &ShownRound::to_organiser(&entry)))
    })
    .await
}

/// Makes the round under the name it is given, or else under one of its title that is free.
pub(super) async fn make_named(
    rounds: &Handle,
    caller: &Caller,
    asked: AskedRound,
) -> Result<Entry, Problem> {
    let AskedRound { id, wish, state, wrong } = asked;
    let title = wish.title.as_ref().map_or("", ShortText::as_str);
    let of_title = RoundId::from_title(title);
    let is_named = id.is_some();
    let birth = Birth { id: id.unwrap_or_else(|| of_title.clone()), owner: Some(caller.person.user), state };
    let made = wish.make(&birth, rounds.clock.now());
    let mut round = match made {
        Ok(round) if wrong.is_empty() => round,
        made => return Err(Problem::invalid(all_wrong(wrong, made.err()))),
    };
    for _ in 0..NAMES {
        let made = rounds.actor.send(MakeRound(round.clone())).await;
        match made.map_err(|gone| Problem::internal("make a round", &gone))? {
            Ok(entry) => return Ok(entry),
            Err(NotMade::Exists(_)) if is_named => break,
            Err(NotMade::Exists(_)) => round.id = longer(&of_title)?,
            Err(NotMade::Unconfirmed) => return Err(unconfirmed()),
            Err(NotMade::Later(_)) => return Err(log_unavailable()),
        }
    }
    Err(Problem::conflict("round-id-taken", &format_args!("a round with the id {} already exists", round.id)))
}

/// What could not be read, and what else is wrong.
fn all_wrong(mut read: Vec<FieldError>, made: Option<Invalid>) -> Vec<FieldError> {
    // A field of which a part could not be read is wrong already, whatever else is said of it.
    let part = |field: &str| field.split('[').next().unwrap_or_default().to_owned();
    let unread: Vec<String> = read.iter().map(|error| part(&error.field)).collect();
    let Invalid(wrong) = made.unwrap_or_else(|| Invalid(Vec::new()));
    let wrong = wrong.into_iter().filter(|wrong| !unread.contains(&part(&wrong.field)));
    read.extend(wrong.map(|wrong| FieldError { field: wrong.field, detail: wrong.why }));
    read
}

fn longer(name: &RoundId) -> Result<RoundId, Problem> {
    let mut random = [0; SUFFIX];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let suffix: String = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    name.with_suffix(&suffix).map_err(|fault| Problem::internal("name a round", &fault))
}

pub async fn edit(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let asked = read::edit(&request, &read::json(&request, payload).await?)?;
        let entry = rounds.change(&id, Deed::Edit(asked.wish), &caller, asked.version).await?;
        info!(round.id = %entry.round.id, user.id = %caller.person.user, "edited a round");
        Ok(tell(StatusCode::OK, entry.version, &ShownRound::to_organiser(&entry)))
    })
    .await
}

pub async fn open(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, command(&rounds, &request, &id, payload, Deed::Open)).await
}

pub async fn close(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, command(&rounds, &request, &id, payload, Deed::Close)).await
}

async fn command(
    rounds: &Handle,
    request: &HttpRequest,
    id: &str,
    payload: Payload,
    deed: Deed,
) -> Result<HttpResponse, Problem> {
    let caller = rounds.organiser(request).await?;
    let asked = read::command(rounds, request, payload).await?;
    let entry = rounds.change(id, deed, &caller, asked.version).await?;
    let round = &entry.round;
    info!(round.id = %round.id, user.id = %caller.person.user, state = ?round.state, "opened or closed a round");
    if asked.is_form {
        let to = (header::LOCATION, format!("/result/{}", round.id));
        return Ok(HttpResponse::SeeOther().insert_header(to).finish());
    }
    Ok(tell(StatusCode::OK, entry.version, &ShownRound::to_organiser(&entry)))
}
