//! The vote page: the options of a round, and what this browser has put in the box.

use serde::Serialize;
use subjects::{Eligibility, ProgramVoters, Role, RoundState};

use crate::draw::{RenderError, draw};
use crate::round::{RoundHead, hostile_labels};
use crate::{Preview, Schedule, Visitor, eligibility_description};

/// The choice form of one round.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct VotePage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What is being voted on.
    pub round: RoundHead,
    /// What the clock does next to it.
    pub schedule: Schedule,
    /// What a link to the page shows.
    pub preview: Preview,
    /// What else there is to know before one votes; may be empty, may have several lines.
    pub description: String,
    /// Who may vote, in plain words.
    pub eligibility_description: String,
    /// What this visitor must do before the ballot is theirs.
    pub gate: Gate,
    /// What the form sends to show that it comes from this page.
    pub csrf: String,
    /// The code of the invite the page was opened with; at [`Gate::Code`], as it was typed.
    pub invite: Option<String>,
    /// What is wrong with that code.
    pub invite_problem: Option<String>,
    /// In the order they are to be shown.
    pub options: Vec<VoteOption>,
    /// How many of them a ballot may name at the most.
    pub max_choices: usize,
    /// Whether a vote may be changed until the round closes.
    pub allow_changes: bool,
    /// The receipt of the ballot this browser has in the box.
    pub receipt: Option<String>,
    /// The page answers a form that was just sent.
    pub just_voted: bool,
    /// A sentence to show above the form: why the last try did not work.
    pub problem: Option<String>,
}

/// What a visitor must do before the ballot is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Nothing.
    Open,
    /// Type the code of an invite.
    Code,
    /// Sign in.
    SignIn,
    /// They are signed in, but by an address the round does not admit.
    NotOnTheList,
    /// Sign in, which is not possible now.
    SignInAway,
}

/// One option of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoteOption {
    /// What the form sends.
    pub id: String,
    /// What people read.
    pub label: String,
    /// What else there is to know about it; may be empty, may have several lines.
    pub description: String,
    /// Where there is more to read.
    pub link: Option<String>,
    /// The address of its picture.
    pub picture: Option<String>,
    /// Whether it is chosen when the page is opened.
    pub chosen: bool,
    /// Whether the ballot in the box names it.
    pub in_box: bool,
}

impl VotePage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("vote.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let fresh = Self::sample(RoundState::Open, None);
        let voted = Self::sample(RoundState::Open, Some("cats"));
        let just_voted = Self { just_voted: true, ..voted.clone() };
        let unchangeable = Self { allow_changes: false, ..just_voted.clone() };
        let problem = Some("Choose one of the options.".to_owned());
        let refused = Self { problem, ..fresh.clone() };
        let mut samples = vec![
            Self::approval_sample(2),
            Self { problem: Some("Choose at least one.".to_owned()), ..Self::approval_sample(3) },
            fresh,
            voted,
            just_voted,
            unchangeable,
            refused,
            Self::sample(RoundState::Draft, None),
            Self::sample(RoundState::Closed, Some("dogs")),
            Self::hostile_sample(),
        ];
        samples.extend(Self::samples_of_gates());
        samples
    }

    /// What stands before the ballot under each eligibility.
    fn samples_of_gates() -> Vec<Self> {
        let invited = Self::under(Eligibility::Invited);
        let account = Self::under(Eligibility::Account);
        let wrong = "This is no code of this round. Look at your invitation again.".to_owned();
        vec![
            Self { gate: Gate::Code, ..invited.clone() },
            Self {
                gate: Gate::Code,
                invite: Some("\"><script>alert(1)</script>".to_owned()),
                invite_problem: Some(wrong),
                ..invited.clone()
            },
            Self { invite: Some("ABCDE-FGHJK-MNPQR-STVWX".to_owned()), ..invited },
            Self { gate: Gate::SignIn, ..account.clone() },
            Self { gate: Gate::SignInAway, ..account.clone() },
            Self {
                gate: Gate::NotOnTheList,
                visitor: Visitor::sample(Role::Voter),
                eligibility_description: eligibility_description(
                    Eligibility::Account,
                    ProgramVoters::No,
                    true,
                ),
                ..account.clone()
            },
            Self { visitor: Visitor::sample(Role::Voter), ..account },
        ]
    }

    fn under(eligibility: Eligibility) -> Self {
        Self {
            eligibility_description: eligibility_description(eligibility, ProgramVoters::No, false),
            ..Self::sample(RoundState::Open, None)
        }
    }

    fn sample(state: RoundState, chosen: Option<&str>) -> Self {
        Self {
            visitor: Visitor::default(),
            round: RoundHead::sample(state),
            schedule: Schedule::sample(),
            preview: Preview::plain_sample(),
            description: String::new(),
            eligibility_description: eligibility_description(
                Eligibility::Anyone,
                ProgramVoters::Anyone,
                false,
            ),
            gate: Gate::Open,
            csrf: "0123456789abcdef".to_owned(),
            invite: None,
            invite_problem: None,
            options: [("cats", "Cats"), ("dogs", "Dogs")]
                .map(|(id, label)| VoteOption::sample(id, label, chosen == Some(id)))
                .into(),
            max_choices: 1,
            allow_changes: true,
            receipt: chosen.map(|_| "demo-12-1".to_owned()),
            just_voted: false,
            problem: None,
        }
    }

    /// Several may be chosen, and two are in the box.
    fn approval_sample(max_choices: usize) -> Self {
        let ann = VoteOption {
            description: "A carpenter.\nTreasurer since 2024.".to_owned(),
            link: Some("https://example.org/ann".to_owned()),
            picture: Some("/rounds/board/options/ann/picture?v=9f86d081".to_owned()),
            ..VoteOption::sample("ann", "Ann", true)
        };
        let described = VoteOption {
            description: "Knows the statutes by heart.".to_owned(),
            ..VoteOption::sample("bob", "Bob", false)
        };
        let options = vec![ann, described, VoteOption::sample("eve", "Eve", true)];
        Self { options, max_choices, ..Self::sample(RoundState::Open, Some("ann")) }
    }

    fn hostile_sample() -> Self {
        let hostile = |place: usize, label: String| VoteOption {
            description: format!("{label}\n<img src=x onerror=alert(1)>"),
            link: Some("https://example.org/\"><script>alert(1)</script>".to_owned()),
            ..VoteOption::sample(&format!("option-{place}"), &label, place == 1)
        };
        let options = hostile_labels().into_iter().enumerate();
        Self {
            visitor: Visitor::hostile_sample(),
            round: RoundHead::hostile_sample(RoundState::Open),
            schedule: Schedule::by_hand_sample(),
            preview: Preview::sample(),
            description: "Two lines:\n<script>alert(1)</script> and an end".to_owned(),
            options: options.map(|(place, label)| hostile(place, label)).collect(),
            receipt: Some("camels-1048576-1000".to_owned()),
            ..Self::sample(RoundState::Open, None)
        }
    }
}

impl VoteOption {
    fn sample(id: &str, label: &str, chosen: bool) -> Self {
        Self {
            id: id.to_owned(),
            label: label.to_owned(),
            description: String::new(),
            link: None,
            picture: None,
            chosen,
            in_box: chosen,
        }
    }
}
