//! Rounds: what is being voted on, and when.

use serde::{Deserialize, Serialize};

use crate::message::{Heard, Keyed, Said, Unreadable, from_json, round_of};
use crate::{EmailRule, OptionId, PictureId, Role, RoundId, Timestamp, UserId, VoterKey};

/// `round.<round>`: the whole round as it now is, and what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundChanged {
    /// When.
    pub at: Timestamp,
    /// What happened to it.
    pub change: Change,
    /// The round as it now is.
    pub round: Round,
}

/// What happened to a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was created, as a draft or already open.
    Created,
    /// Its organiser wrote something else in it.
    Edited,
    /// Ballots are accepted from now on.
    Opened,
    /// No ballot is accepted any more.
    Closed,
}

/// One vote from its first draft to its seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Its name in subjects and addresses.
    pub id: RoundId,
    /// The question, as people read it.
    pub title: String,
    /// What else there is to know before one votes; may be empty, may have several lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whose round it is; nobody's when the settings made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// What can be chosen, in the organiser's order.
    pub options: Vec<RoundOption>,
    /// In which order a voter is shown them. Results keep the organiser's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub option_order: OptionOrder,
    /// How a choice is made and counted.
    pub method: Method,
    /// How many options an approval ballot may name at the most; all of them when it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_choices: Option<u32>,
    /// Who may vote.
    pub eligibility: Eligibility,
    /// Which programs may name the voter of a ballot, by `X-Voter-Id`. Only where anyone may vote.
    pub program_voters: ProgramVoters,
    /// The addresses to which the eligibility `account` is limited; all when there are none. Names people: for the
    /// organiser's eyes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_emails: Vec<EmailRule>,
    /// Whether a voter may replace a ballot by another until the round closes.
    pub allow_changes: bool,
    /// When its results are shown, and to whom.
    #[serde(default, skip_serializing_if = "is_default")]
    pub results_visibility: ResultsVisibility,
    /// Whether other sites may show its results in a frame.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_embedding: bool,
    /// Where it stands.
    pub state: RoundState,
    /// When it opens by itself; by hand only when it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
    /// When it closes by itself; by hand only when it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
}

impl Round {
    /// A draft of which nothing is said yet: nobody's, one option a ballot, for anyone.
    pub fn blank(id: RoundId) -> Self {
        Self {
            id,
            title: String::new(),
            description: String::new(),
            owner: None,
            options: Vec::new(),
            option_order: OptionOrder::Fixed,
            method: Method::Plurality,
            max_choices: None,
            eligibility: Eligibility::Anyone,
            program_voters: ProgramVoters::Anyone,
            allowed_emails: Vec::new(),
            allow_changes: false,
            results_visibility: ResultsVisibility::Always,
            allow_embedding: false,
            state: RoundState::Draft,
            opens_at: None,
            closes_at: None,
        }
    }

    /// Whether it is this person's to run: whoever made it, while they may make rounds, and every admin.
    pub fn is_run_by(&self, user: UserId, role: Role) -> bool {
        match role {
            Role::Admin => true,
            Role::Organiser => self.owner == Some(user),
            Role::Voter => false,
        }
    }

    /// Whether its results are for everybody now, numbers of every kind included.
    pub fn shows_results_to_all(&self) -> bool {
        self.results_visibility == ResultsVisibility::Always || self.state == RoundState::Closed
    }
}

fn is_default<T: Default + PartialEq>(it: &T) -> bool {
    *it == T::default()
}

/// One thing that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundOption {
    /// Its name in ballots and counts.
    pub id: OptionId,
    /// As people read it.
    pub label: String,
    /// What else there is to know about it; may be empty, may have several lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where there is more to read: an address that begins with `http:` or `https:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What it looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureId>,
}

impl RoundOption {
    /// An option of a name and a label, and of nothing else.
    pub fn new(id: OptionId, label: &str) -> Self {
        Self { id, label: label.to_owned(), description: String::new(), link: None, picture: None }
    }
}

/// In which order a voter is shown the options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionOrder {
    /// The organiser's, for everybody.
    #[default]
    Fixed,
    /// Every voter has one of their own, and keeps it.
    Shuffled,
}

/// When the results of a round are shown, and to whom. Its organiser sees them always, and everybody once it is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultsVisibility {
    /// To everybody, from the start on.
    #[default]
    Always,
    /// To whoever has voted.
    AfterVoting,
    /// To nobody before it is closed.
    AfterClose,
}

/// How a choice is made and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Exactly one option.
    Plurality,
    /// One option or several, each of which gets a vote.
    Approval,
}

/// Who may vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Eligibility {
    /// Every browser, known by its signed cookie. One browser, one vote; a person with two browsers can vote twice.
    Anyone,
    /// People with an invite: a signed one-time code. One invite, one vote, whoever holds it.
    Invited,
    /// People with an account, or those whose address the round admits. One account, one vote.
    Account,
}

/// Which programs may name the voter of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramVoters {
    /// None.
    No,
    /// Every program.
    Anyone,
    /// Those with the access token of somebody who may run the round: its organiser, or an admin.
    Token,
}

/// Where a round stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundState {
    /// Being written; nobody can vote.
    Draft,
    /// Ballots are accepted.
    Open,
    /// No ballot is accepted any more.
    Closed,
}

impl Said for RoundChanged {
    const KIND: &'static str = "round_changed";
    const SUBJECT: &'static str = "round.*";

    fn subject(&self) -> String {
        RoundChanged::subject_of(&self.round.id)
    }
}

impl RoundChanged {
    /// The subject of one round's changes.
    pub fn subject_of(round: &RoundId) -> String {
        format!("round.{round}")
    }
}

impl Keyed for RoundChanged {
    type Key = RoundId;

    fn key_of(subject: &str) -> Result<RoundId, Unreadable> {
        round_of(subject, "round.", "")
    }
}

impl Heard for RoundChanged {
    fn hear(_subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        from_json(payload)
    }
}

/// `key.<round>`: the secret that ties identities to voters. Said once, when the round opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoterKeyCreated {
    /// When.
    pub at: Timestamp,
    /// For which round.
    pub round: RoundId,
    /// 256 random bits, in hexadecimal.
    pub key: VoterKey,
}

impl Said for VoterKeyCreated {
    const KIND: &'static str = "voter_key_created";
    const SUBJECT: &'static str = "key.*";

    fn subject(&self) -> String {
        VoterKeyCreated::subject_of(&self.round)
    }
}

impl VoterKeyCreated {
    /// The subject of one round's key.
    pub fn subject_of(round: &RoundId) -> String {
        format!("key.{round}")
    }
}

impl Keyed for VoterKeyCreated {
    type Key = RoundId;

    fn key_of(subject: &str) -> Result<RoundId, Unreadable> {
        round_of(subject, "key.", "")
    }
}

impl Heard for VoterKeyCreated {
    fn hear(_subject: &str, payload: &[u8]) -> Result<Self, Unreadable> {
        from_json(payload)
    }
}
