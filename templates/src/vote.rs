//! The vote page: the options of a round, and what this browser has put in the box.

use serde::Serialize;
use subjects::{Policy, Role, RoundState};

use crate::draw::{RenderError, draw};
use crate::round::{RoundHead, hostile_labels};
use crate::{Visitor, ladder_words};

/// The choice form of one round.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct VotePage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What is being voted on.
    pub round: RoundHead,
    /// What else there is to know before one votes; may be empty, may have several lines.
    pub description: String,
    /// Who may vote, in plain words.
    pub policy_words: String,
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
    /// Whether a vote may be changed until the round closes.
    pub changeable: bool,
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
    /// The choice of the ballot in the box; without a receipt, only the one to begin with.
    pub chosen: bool,
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
        let unchangeable = Self { changeable: false, ..just_voted.clone() };
        let problem = Some("Choose one of the options.".to_owned());
        let refused = Self { problem, ..fresh.clone() };
        let mut samples = vec![
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

    /// What stands before the ballot under each policy.
    fn samples_of_gates() -> Vec<Self> {
        let invited = Self::under(Policy::Invited);
        let account = Self::under(Policy::Account);
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
                policy_words: ladder_words(Policy::Account, false, true),
                ..account.clone()
            },
            Self { visitor: Visitor::sample(Role::Voter), ..account },
        ]
    }

    fn under(policy: Policy) -> Self {
        Self { policy_words: ladder_words(policy, false, false), ..Self::sample(RoundState::Open, None) }
    }

    fn sample(state: RoundState, chosen: Option<&str>) -> Self {
        Self {
            visitor: Visitor::default(),
            round: RoundHead::sample(state),
            description: String::new(),
            policy_words: ladder_words(Policy::Anyone, true, false),
            gate: Gate::Open,
            csrf: "0123456789abcdef".to_owned(),
            invite: None,
            invite_problem: None,
            options: [("cats", "Cats"), ("dogs", "Dogs")]
                .map(|(id, label)| VoteOption {
                    id: id.to_owned(),
                    label: label.to_owned(),
                    chosen: chosen == Some(id),
                })
                .into(),
            changeable: true,
            receipt: chosen.map(|_| "demo-12-1".to_owned()),
            just_voted: false,
            problem: None,
        }
    }

    fn hostile_sample() -> Self {
        let options = hostile_labels().into_iter().enumerate();
        Self {
            visitor: Visitor::hostile_sample(),
            round: RoundHead::hostile_sample(RoundState::Open),
            description: "Two lines:\n<script>alert(1)</script> and an end".to_owned(),
            options: options
                .map(|(place, label)| VoteOption { id: format!("option-{place}"), label, chosen: place == 1 })
                .collect(),
            receipt: Some("camels-1048576-1000".to_owned()),
            ..Self::sample(RoundState::Open, None)
        }
    }
}
