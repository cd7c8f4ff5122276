//! `GET,POST /admin/new` and `POST /admin/rounds/{id}`: a round is written.
//!
//! What was typed becomes the JSON that a program would send, so there is one way of reading a round and of finding out
//! what is wrong with it.

use ::web::{Caller, Problem};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use nats::Newest;
use subjects::{RoundChanged, RoundId, RoundState};
use templates::{NewRoundPage, RoundAdminPage, RoundForm};
use tracing::info;

use super::drawn::has_place;
use super::typed::{self, Typed};
use super::{see_other, version};
use crate::Handle;
use crate::page::organise::make_named;
use crate::page::read::{self, AskedRound};
use crate::page::{answer, visitor};
use crate::rules::Deed;

/// What whoever was second is told.
const MEANWHILE: &str = "somebody else has changed this round while you wrote; nothing of theirs is overwritten, and \
                         nothing of yours is lost";

pub(super) async fn blank(rounds: Data<Handle>, request: HttpRequest) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let form = Typed::blank().drawn(None, &[]);
        Ok(rounds.edge.form_page(&request, |csrf| new_page(caller, csrf, form).render()))
    })
    .await
}

pub(super) async fn make(rounds: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let form = rounds.read_form(&request, payload, typed::SINGLE, typed::REPEATED).await?;
        let typed = Typed::sent(&form)?;
        if let Some((typed, wrong)) = typed.rearranged(form.text("do")) {
            let form = typed.drawn(None, &wrong);
            return Ok(rounds.edge.form_page(&request, |csrf| new_page(caller, csrf, form).render()));
        }
        let typed = typed.without_blanks();
        let problem = match rounds.try_make(&caller, &typed).await {
            Ok(id) => return Ok(see_other(format!("/admin/rounds/{id}?done=made"))),
            Err(problem) => problem,
        };
        Ok(rounds.draw_again(&request, &problem, |csrf| {
            let form = typed.with_room().drawn(None, problem.errors());
            NewRoundPage { problem: Some(above(&problem)), ..new_page(caller, csrf, form) }.render()
        }))
    })
    .await
}

pub(super) async fn save(
    rounds: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    answer(&request, async {
        let (caller, newest) = rounds.own(&request, &id).await?;
        let form = rounds.read_form(&request, payload, typed::SINGLE, typed::REPEATED).await?;
        let (seen, round) = (version(&form), &newest.message.round);
        let typed = Typed::sent_for(&form, round)?;
        if let Some((typed, wrong)) = typed.rearranged(form.text("do")) {
            // Of the version that it was drawn from, so that what others write meanwhile is still found out.
            let form = typed.drawn(Some((round, seen)), &wrong);
            let drawn = |csrf| rounds.round_page(&request, caller, csrf, (round, form)).render();
            return Ok(rounds.edge.form_page(&request, drawn));
        }
        let typed = typed.without_blanks();
        if seen != newest.sequence {
            return Ok(rounds.conflict(&request, caller, &newest, &typed));
        }
        let problem = match rounds.try_save(&request, &caller, &newest, &typed).await {
            Ok(()) => return Ok(see_other(format!("/admin/rounds/{}?done=saved", round.id))),
            Err(problem) => problem,
        };
        let now = rounds.after(&id, seen, &problem).await?;
        if now.sequence != seen {
            return Ok(rounds.conflict(&request, caller, &now, &typed));
        }
        Ok(rounds.draw_again(&request, &problem, |csrf| {
            let form = typed.drawn(Some((round, seen)), problem.errors());
            let page = rounds.round_page(&request, caller, csrf, (round, form));
            RoundAdminPage { problem: Some(above(&problem)), ..page }.render()
        }))
    })
    .await
}

impl Handle {
    async fn try_make(&self, caller: &Caller, typed: &Typed) -> Result<RoundId, Problem> {
        let asked = read::round(typed.to_json(RoundState::Draft).to_string().as_bytes())?;
        // Nobody votes before its organiser has looked at it, or its time has come.
        let asked = AskedRound { state: Some(RoundState::Draft), ..asked };
        let entry = make_named(self, caller, asked).await?;
        info!(round.id = %entry.round.id, user.id = %caller.person.user, "made a round");
        self.seen(&entry).await;
        Ok(entry.round.id)
    }

    async fn try_save(
        &self,
        request: &HttpRequest,
        caller: &Caller,
        newest: &Newest<RoundChanged>,
        typed: &Typed,
    ) -> Result<(), Problem> {
        let round = &newest.message.round;
        let asked = read::edit(request, typed.to_json(round.state).to_string().as_bytes())?;
        let version = Some(newest.sequence);
        let entry = self.change(round.id.as_str(), Deed::Edit(asked.wish), caller, version).await?;
        info!(round.id = %entry.round.id, user.id = %caller.person.user, "edited a round");
        Ok(())
    }

    /// What whoever was second is shown: what there is now, and what they have written. Nothing of either is lost.
    fn conflict(
        &self,
        request: &HttpRequest,
        caller: Caller,
        newest: &Newest<RoundChanged>,
        typed: &Typed,
    ) -> HttpResponse {
        let round = &newest.message.round;
        let problem = Problem::conflict("version-conflict", &MEANWHILE).with_version(newest.sequence);
        let differences = typed.differences_from(&Typed::of(round));
        let form = typed.where_it_may(round).drawn(Some((round, newest.sequence)), &[]);
        self.draw_again(request, &problem, |csrf| {
            let page = self.round_page(request, caller, csrf, (round, form));
            RoundAdminPage { problem: Some(problem.detail().to_owned()), differences, ..page }.render()
        })
    }
}

fn new_page(caller: Caller, csrf: String, form: RoundForm) -> NewRoundPage {
    NewRoundPage { visitor: visitor(Some(caller)), csrf, form, problem: None }
}

/// What stands above a form that is shown again: everything that does not stand beside a field of it.
fn above(problem: &Problem) -> String {
    let elsewhere: Vec<String> = problem
        .errors()
        .iter()
        .filter(|error| !has_place(&error.field))
        .map(|error| format!(" {} {}.", error.field, error.detail))
        .collect();
    match problem.errors() {
        [] => problem.detail().to_owned(),
        _ => format!("Some fields need another look.{}", elsewhere.concat()),
    }
}
