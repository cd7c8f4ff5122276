//! A round as JSON.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use subjects::{
    EmailRule, Method, OptionId, Policy, Round, RoundId, RoundOption, RoundState, Timestamp, UserId,
};
use templates::ladder_words;

use crate::Entry;

/// A round as those who may see it are told.
#[derive(Serialize)]
pub struct ShownRound<'a> {
    id: &'a RoundId,
    /// The same, by the name that some programs look for.
    round_id: &'a RoundId,
    /// Changes whenever the round does.
    version: u64,
    title: &'a str,
    description: &'a str,
    owner: Option<UserId>,
    options: Vec<ShownOption<'a>>,
    method: Method,
    policy: Policy,
    /// What the policy means.
    policy_words: String,
    programs: bool,
    /// Whether only those vote whose address the organiser has listed.
    limited: bool,
    /// Those addresses: for the organiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    emails: Option<&'a [EmailRule]>,
    changeable: bool,
    state: RoundState,
    opens_at: Option<Timestamp>,
    closes_at: Option<Timestamp>,
}

/// An option as everybody is told.
#[derive(Serialize)]
pub struct ShownOption<'a> {
    id: &'a OptionId,
    label: &'a str,
}

impl<'a> ShownRound<'a> {
    /// `version` of `round`, for its organiser or for everybody.
    pub fn of(version: u64, round: &'a Round, is_for_organiser: bool) -> Self {
        let limited = !round.emails.is_empty();
        Self {
            id: &round.id,
            round_id: &round.id,
            version,
            title: &round.title,
            description: &round.description,
            owner: round.owner,
            options: round.options.iter().map(ShownOption::of).collect(),
            method: round.method,
            policy: round.policy,
            policy_words: ladder_words(round.policy, round.programs, limited),
            programs: round.programs,
            limited,
            emails: is_for_organiser.then_some(&round.emails),
            changeable: round.changeable,
            state: round.state,
            opens_at: round.opens_at,
            closes_at: round.closes_at,
        }
    }

    /// The same, for the organiser who has just written it.
    pub fn to_organiser(entry: &'a Entry) -> Self {
        Self::of(entry.version, &entry.round, true)
    }
}

impl<'a> ShownOption<'a> {
    /// This option.
    pub fn of(option: &'a RoundOption) -> Self {
        Self { id: &option.id, label: &option.label }
    }
}

/// The answer that tells `shown`, which is of this version of its round.
pub fn tell(status: StatusCode, version: u64, shown: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(etag(version))
        .json(shown)
}

/// The answer that tells `shown`, which has just been made at the address `at`.
pub fn tell_made(at: String, version: u64, shown: &impl Serialize) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::LOCATION, at))
        .insert_header(etag(version))
        .json(shown)
}

/// By what a program can say later which version it has seen.
pub fn etag(version: u64) -> (header::HeaderName, String) {
    (header::ETAG, format!("\"{version}\""))
}
