//! `GET /rounds/{id}/results`: as JSON for whoever may see them, and as CSV to take away.

use ::web::{Problem, field_error};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::{answer, hidden};
use crate::Handle;
use crate::rules::Shown;
use crate::rules::sight::{self, NoExport, Viewer};
use crate::rules::table;

/// In what form results are handed out.
enum HandedOut {
    Json,
    Csv,
}

pub(super) async fn results(results: Data<Handle>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&request, async {
        let handed_out = form(&request)?;
        let shown = results.now(&id).await?;
        match handed_out {
            HandedOut::Json => json(&results, &request, shown).await,
            HandedOut::Csv => csv(&results, &request, shown).await,
        }
    })
    .await
}

async fn json(results: &Handle, request: &HttpRequest, shown: Shown) -> Result<HttpResponse, Problem> {
    let viewer = results.viewer(request, &shown.round).await?;
    if !sight::sees(&shown.round, viewer) {
        return Err(hidden(&shown.round));
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store")).content_type("application/json");
    Ok(response.body(shown.json))
}

async fn csv(results: &Handle, request: &HttpRequest, shown: Shown) -> Result<HttpResponse, Problem> {
    let organiser = results.organiser(request, &shown.round).await?;
    let viewer = if organiser.is_some() { Viewer::Organiser } else { Viewer::Anybody };
    sight::may_export(&shown.round, shown.view.is_final, viewer).map_err(not_yet)?;
    let file = format!("attachment; filename=\"{}-results.csv\"", shown.round.id);
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, file))
        .content_type("text/csv; charset=utf-8; header=present")
        .body(table::csv(&shown.view)))
}

fn not_yet(why: NoExport) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "results-not-final", "Results not final", why.words())
}

/// The form that the address asks for, or else the header.
fn form(request: &HttpRequest) -> Result<HandedOut, Problem> {
    let asked = query(request, "format");
    match asked.as_deref() {
        Some("csv") => return Ok(HandedOut::Csv),
        Some("json") => return Ok(HandedOut::Json),
        Some(_) => return Err(Problem::invalid(vec![field_error("format", "must be csv or json")])),
        None => {}
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    match accept.is_some_and(|accept| accept.contains("text/csv")) {
        true => Ok(HandedOut::Csv),
        false => Ok(HandedOut::Json),
    }
}

/// What the address asks for under this name.
pub(super) fn query(request: &HttpRequest, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(request.query_string().as_bytes());
    fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
