//! `GET /admin`: the rounds that somebody runs.

use ::web::{Problem, page};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use templates::{AdminPage, AdminRound};

use super::{head, next, rank};
use crate::Handle;
use crate::page::{answer, organises, visitor};

pub(super) async fn show(rounds: Data<Handle>, request: HttpRequest) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        if !rounds.rounds.is_caught_up() {
            // Rather than to say that there are none.
            let detail = "The rounds are being read. Try again in a moment.";
            return Err(Problem::unavailable("not-ready", detail));
        }
        let mut listed = rounds.listed(Some(&caller));
        listed.retain(|newest| organises(Some(&caller), &newest.message.round));
        listed.sort_by_key(|newest| rank(newest.message.round.state));
        let line = |round: &subjects::Round| AdminRound {
            round: head(round),
            ballots: rounds.ballots(round),
            next: next(round),
            is_anothers: round.owner != Some(caller.person.user),
        };
        let lines = listed.iter().map(|newest| line(&newest.message.round)).collect();
        Ok(page(&request, AdminPage { visitor: visitor(Some(caller)), rounds: lines }.render()))
    })
    .await
}
