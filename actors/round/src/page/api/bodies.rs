//! The shapes of what is sent. It is read field by field, so that everything that is wrong can be named; see `read.rs`.

use utoipa::ToSchema;

use super::{EligibilityShown, MethodShown, OptionOrderShown, ProgramVotersShown, ResultsVisibilityShown};

/// A round that is to be made.
#[derive(ToSchema)]
#[schema(as = NewRound)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct NewRound {
    /// What is being asked: one line.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// What else there is to know: any number of lines.
    #[schema(max_length = 2_000, required = false)]
    description: String,
    /// Its name, which is part of its address; made from the title without this.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", required = false)]
    id: String,
    /// All that can be chosen, in the order shown: 2 to 100, in a draft fewer.
    #[schema(max_items = 100, required = false)]
    options: Vec<OptionOrLabel>,
    #[schema(required = false)]
    option_order: OptionOrderShown,
    #[schema(required = false)]
    method: MethodShown,
    /// How many options an approval ballot may name at the most; all of them without it.
    #[schema(minimum = 1, maximum = 100)]
    max_choices: Option<u32>,
    #[schema(required = false)]
    eligibility: EligibilityShown,
    /// Only where anyone may vote, and there it is `anyone` without this.
    #[schema(required = false)]
    program_voters: ProgramVotersShown,
    /// Only these may vote: addresses, and domains such as `@example.org`. Only with the eligibility `account`.
    #[schema(max_items = 1_000, required = false)]
    allowed_emails: Vec<String>,
    /// Whether a ballot may be changed.
    #[schema(required = false)]
    allow_changes: bool,
    #[schema(required = false)]
    results_visibility: ResultsVisibilityShown,
    /// Whether other sites may show its results in a frame.
    #[schema(required = false)]
    allow_embedding: bool,
    /// When it opens by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    opens_at: (),
    /// When it closes by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    closes_at: (),
    #[schema(required = false)]
    state: NewState,
}

/// The state in which a round begins.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use")]
enum NewState {
    Draft,
    Open,
}

/// What is to be edited in a round.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct RoundEdit {
    /// What is being asked: one line.
    #[schema(min_length = 1, max_length = 200, required = false)]
    title: String,
    /// What else there is to know: any number of lines.
    #[schema(max_length = 2_000, required = false)]
    description: String,
    /// All that can be chosen, in the order shown. One of a label that is there keeps its id.
    #[schema(max_items = 100, required = false)]
    options: Vec<OptionOrLabel>,
    #[schema(required = false)]
    option_order: OptionOrderShown,
    #[schema(required = false)]
    method: MethodShown,
    /// How many options an approval ballot may name at the most; `null` for all of them.
    #[schema(minimum = 1, maximum = 100)]
    max_choices: Option<u32>,
    #[schema(required = false)]
    eligibility: EligibilityShown,
    #[schema(required = false)]
    program_voters: ProgramVotersShown,
    /// Only these may vote. In an open round only more of them.
    #[schema(max_items = 1_000, required = false)]
    allowed_emails: Vec<String>,
    /// Whether a ballot may be changed.
    #[schema(required = false)]
    allow_changes: bool,
    #[schema(required = false)]
    results_visibility: ResultsVisibilityShown,
    /// Whether other sites may show its results in a frame.
    #[schema(required = false)]
    allow_embedding: bool,
    /// When it opens by itself; `null` for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    opens_at: (),
    /// When it closes by itself; `null` for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    closes_at: (),
    /// The version that one has seen.
    #[schema(minimum = 0, required = false)]
    version: u64,
}

/// An option, or its label alone.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is of use")]
enum OptionOrLabel {
    Label(String),
    Whole(OptionInRound),
}

/// An option of a round that is to be made or edited.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
struct OptionInRound {
    /// Its name in ballots; made from the label without this.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", required = false)]
    id: String,
    /// As people read it: one line.
    #[schema(min_length = 1, max_length = 200)]
    label: String,
    /// What else there is to know about it.
    #[schema(max_length = 500, required = false)]
    description: String,
    /// Where there is more to read: an address of the web.
    #[schema(max_length = 2_000)]
    link: Option<String>,
}

/// An option that is to be added.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct NewOption {
    /// Its name in ballots; made from the label without this.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", required = false)]
    id: String,
    /// As people read it: one line.
    #[schema(min_length = 1, max_length = 200)]
    label: String,
    /// What else there is to know about it.
    #[schema(max_length = 500, required = false)]
    description: String,
    /// Where there is more to read: an address of the web.
    #[schema(max_length = 2_000)]
    link: Option<String>,
    /// The version of the round that one has seen.
    #[schema(minimum = 0, required = false)]
    version: u64,
}

/// What is to be said of an option: one of these at least.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct OptionEdit {
    /// As people read it: one line.
    #[schema(min_length = 1, max_length = 200, required = false)]
    label: String,
    /// What else there is to know about it.
    #[schema(max_length = 500, required = false)]
    description: String,
    /// Where there is more to read; `null` for nowhere.
    #[schema(max_length = 2_000)]
    link: Option<String>,
    /// The version of the round that one has seen.
    #[schema(minimum = 0, required = false)]
    version: u64,
}

/// Nothing but the version that one has seen, if one says it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct Version {
    #[schema(minimum = 0, required = false)]
    version: u64,
}

/// The fields of a form that opens or closes a round.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct VersionForm {
    csrf: String,
    #[schema(minimum = 0, required = false)]
    version: u64,
}

/// How many invites.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct InviteCount {
    /// On a sheet to print at most 500.
    #[schema(minimum = 1, maximum = 10_000)]
    count: u32,
}

/// The fields of a form that asks for invites.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct InviteForm {
    csrf: String,
    #[schema(minimum = 1, maximum = 500)]
    count: u32,
}

/// The parts of a form that sends a picture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is of use")]
pub struct PictureForm {
    csrf: String,
    #[schema(minimum = 0, required = false)]
    version: u64,
    /// The file.
    #[schema(value_type = String, format = Binary)]
    picture: (),
}
