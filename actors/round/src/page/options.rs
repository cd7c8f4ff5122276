//! `POST /rounds/{id}/options` and `GET,PATCH,DELETE /rounds/{id}/options/{option}`.

use ::web::Problem;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use subjects::OptionId;

use super::answer;
use super::read;
use super::shown::{ShownOption, etag, tell, tell_made};
use crate::rules::Deed;
use crate::{Entry, Handle};

/// A round and one of its options, as they stand in an address.
pub type Named = Path<(String, String)>;

pub async fn one(rounds: Data<Handle>, request: HttpRequest, named: Named) -> HttpResponse {
    answer(&request, async {
        let newest = rounds.find(&named.0)?;
        let round = &newest.message.round;
        let option = round.options.iter().find(|option| option.id.as_str() == named.1);
        let option = option.ok_or_else(option_not_found)?;
        Ok(tell(StatusCode::OK, newest.sequence, &ShownOption::of(&round.id, option)))
    })
    .await
}

pub async fn add(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let asked = read::option(&request, &read::json(&request, payload).await?)?;
        let entry = rounds.change(&id, Deed::AddOption(asked.wish), &caller, asked.version).await?;
        // It stands behind the others.
        let added = entry.round.options.last().ok_or_else(option_not_found)?;
        let at = format!("/rounds/{}/options/{}", entry.round.id, added.id);
        Ok(tell_made(at, entry.version, &ShownOption::of(&entry.round.id, added)))
    })
    .await
}

pub async fn change(
    rounds: Data<Handle>,
    request: HttpRequest,
    named: Named,
    payload: Payload,
) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let asked = read::change(&request, &read::json(&request, payload).await?)?;
        let option = option_id(&named.1)?;
        let deed = Deed::ChangeOption(option.clone(), asked.change);
        let Entry { version, round } = rounds.change(&named.0, deed, &caller, asked.version).await?;
        let changed = round.options.iter().find(|it| it.id == option).ok_or_else(option_not_found)?;
        Ok(tell(StatusCode::OK, version, &ShownOption::of(&round.id, changed)))
    })
    .await
}

pub async fn remove(rounds: Data<Handle>, request: HttpRequest, named: Named) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let deed = Deed::RemoveOption(option_id(&named.1)?);
        let entry = rounds.change(&named.0, deed, &caller, read::if_match(&request)).await?;
        Ok(HttpResponse::NoContent().insert_header(etag(entry.version)).finish())
    })
    .await
}

/// The name of an option, as it stands in an address.
pub fn option_id(text: &str) -> Result<OptionId, Problem> {
    OptionId::parse(text).map_err(|_| option_not_found())
}

/// 404: there is no such option.
pub fn option_not_found() -> Problem {
    let detail = "This round has no option with this id.";
    Problem::new(StatusCode::NOT_FOUND, "option-not-found", "Option not found", detail)
}
