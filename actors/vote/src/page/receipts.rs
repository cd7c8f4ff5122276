//! `GET /receipts/{receipt}`: what became of a ballot, as JSON or as a page.

use ::web::{Limited, Problem, page, wants_page};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use subjects::{Place, RoundId, RoundState};
use templates::{ReceiptPage, ReceiptStatus, RoundHead};
use utoipa::ToSchema;

use super::find_round;
use crate::Vote;
use crate::receipts::{Fate, Untold};

/// What whoever has a receipt is told: never the choice, never the voter.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(super) struct Told<'a> {
    receipt: &'a str,
    #[schema(value_type = String)]
    round: &'a RoundId,
    /// The sequence of the ballot's block in the round's log.
    sequence: u64,
    /// Its index in the block, from 0.
    index: u32,
    /// `waiting` until the counter has come to it.
    #[schema(value_type = super::api::StatusShown)]
    status: ReceiptStatus,
}

pub(super) async fn show(vote: Data<Vote>, request: HttpRequest, receipt: Path<String>) -> HttpResponse {
    match tell(&vote, &request, &receipt).await {
        Ok(response) => response,
        Err(problem) => problem.respond(&request),
    }
}

async fn tell(vote: &Vote, request: &HttpRequest, receipt: &str) -> Result<HttpResponse, Problem> {
    let (round, place) = Place::of_receipt(receipt).ok_or_else(receipt_not_found)?;
    let round = find_round(vote, &round)?;
    // Each reads a whole block, which NATS must find beside the blocks that are being appended.
    let edge = &vote.given.edge;
    edge.limits.take(Limited::ReceiptsByAddress, &edge.proxies.network(request))?;
    // A draft has no log.
    if round.state == RoundState::Draft {
        return Err(receipt_not_found());
    }
    let status = match vote.fate(&round, place).await {
        Ok(Fate::Waiting) => ReceiptStatus::Waiting,
        Ok(Fate::Counted) => ReceiptStatus::Counted,
        Ok(Fate::Replaced) => ReceiptStatus::Replaced,
        Err(Untold::NoSuchBallot) => return Err(receipt_not_found()),
        Err(Untold::NotReady) => return Err(not_ready()),
    };
    if wants_page(request) {
        let head = RoundHead { id: round.id.to_string(), title: round.title.clone(), state: round.state };
        let visitor = edge.callers.visitor(request).await;
        let shown = ReceiptPage { visitor, round: head, receipt: receipt.to_owned(), status };
        return Ok(page(request, shown.render()));
    }
    let (sequence, index) = (place.sequence, place.index);
    let told = Told { receipt, round: &round.id, sequence, index, status };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(told))
}

fn receipt_not_found() -> Problem {
    let detail = "No ballot box holds a ballot with this receipt.";
    Problem::new(StatusCode::NOT_FOUND, "receipt-not-found", "Receipt not found", detail)
}

fn not_ready() -> Problem {
    Problem::unavailable("not-ready", "The ballot box is being read. Try again in a moment.")
}
