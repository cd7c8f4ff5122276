//! A round as JSON.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use subjects::{
    Eligibility, EmailRule, Method, OptionId, OptionOrder, ProgramVoters, ResultsVisibility, Round, RoundId,
    RoundOption, RoundState, Timestamp, UserId,
};
use templates::{eligibility_description, picture_address};
use utoipa::ToSchema;

use super::api;
use crate::Entry;

/// A round as those who may see it are told.
#[derive(Serialize, ToSchema)]
#[schema(as = Round)]
pub struct ShownRound<'a> {
    #[schema(value_type = String, example = "board")]
    id: &'a RoundId,
    /// The same, by the name that some programs look for.
    #[schema(value_type = String, example = "board")]
    round_id: &'a RoundId,
    /// Changes whenever the round does.
    version: u64,
    title: &'a str,
    description: &'a str,
    /// Who made it; nobody made the demonstration.
    #[schema(value_type = Option<String>, format = "uuid")]
    owner: Option<UserId>,
    options: Vec<ShownOption<'a>>,
    /// In which order a voter is shown the options.
    #[schema(value_type = api::OptionOrderShown)]
    option_order: OptionOrder,
    /// One option a ballot, or several.
    #[schema(value_type = api::MethodShown)]
    method: Method,
    /// How many options an approval ballot may name; all of them without it.
    max_choices: Option<u32>,
    /// Who may vote.
    #[schema(value_type = api::EligibilityShown)]
    eligibility: Eligibility,
    /// What the eligibility means.
    eligibility_description: String,
    /// Which programs may name the voter of a ballot.
    #[schema(value_type = api::ProgramVotersShown)]
    program_voters: ProgramVoters,
    /// Whether only accounts with an allowed e-mail address may vote.
    has_allowed_emails: bool,
    /// The allowed addresses and domains: for the organiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    allowed_emails: Option<&'a [EmailRule]>,
    /// Whether a ballot may be changed.
    allow_changes: bool,
    /// When its results are shown, and to whom.
    #[schema(value_type = api::ResultsVisibilityShown)]
    results_visibility: ResultsVisibility,
    /// Whether other sites may show its results in a frame.
    allow_embedding: bool,
    #[schema(value_type = api::StateShown)]
    state: RoundState,
    /// When it opens by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    opens_at: Option<Timestamp>,
    /// When it closes by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    closes_at: Option<Timestamp>,
}

/// An option as everybody is told.
#[derive(Serialize, ToSchema)]
#[schema(as = Option)]
pub struct ShownOption<'a> {
    /// Its name in ballots.
    #[schema(value_type = String, example = "ann")]
    id: &'a OptionId,
    label: &'a str,
    description: &'a str,
    /// Where there is more to read.
    link: Option<&'a str>,
    /// The address of its picture. It changes with the picture.
    picture: Option<String>,
}

impl<'a> ShownRound<'a> {
    /// `version` of `round`, for its organiser or for everybody.
    pub fn of(version: u64, round: &'a Round, is_for_organiser: bool) -> Self {
        let has_allowed_emails = !round.allowed_emails.is_empty();
        Self {
            id: &round.id,
            round_id: &round.id,
            version,
            title: &round.title,
            description: &round.description,
            owner: round.owner,
            options: round.options.iter().map(|option| ShownOption::of(&round.id, option)).collect(),
            option_order: round.option_order,
            method: round.method,
            max_choices: round.max_choices,
            eligibility: round.eligibility,
            eligibility_description: eligibility_description(
                round.eligibility,
                round.program_voters,
                has_allowed_emails,
            ),
            program_voters: round.program_voters,
            has_allowed_emails,
            allowed_emails: is_for_organiser.then_some(&round.allowed_emails),
            allow_changes: round.allow_changes,
            results_visibility: round.results_visibility,
            allow_embedding: round.allow_embedding,
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
    /// This option of this round.
    pub fn of(round: &RoundId, option: &'a RoundOption) -> Self {
        let picture = picture_address(round, option);
        let RoundOption { id, label, description, link, .. } = option;
        Self { id, label, description, link: link.as_deref(), picture }
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
