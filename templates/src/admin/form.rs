//! The form in which a round is written.

use serde::Serialize;
use subjects::{Eligibility, ProgramVoters, Role, RoundState};

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::eligibility::eligibility_description;
use crate::form::FormField;

/// A round that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewRoundPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the form comes from this page.
    pub csrf: String,
    /// What stands in it.
    pub form: RoundForm,
    /// Why the last try did not work.
    pub problem: Option<String>,
}

/// What stands in the form of a round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RoundForm {
    /// Where it is sent.
    pub action: String,
    /// Which version of the round it was drawn from; none of one that is not there yet.
    pub version: Option<u64>,
    /// Whether the round takes ballots, and keeps most of what stands here.
    pub is_begun: bool,
    /// The question.
    pub title: FormField,
    /// What else there is to know.
    pub description: FormField,
    /// What can be chosen.
    pub options: Vec<OptionForm>,
    /// One that is not written yet, to be copied by a script.
    pub blank: OptionForm,
    /// What is wrong with all of them together.
    pub options_problem: Option<String>,
    /// `plurality` or `approval`.
    pub method: FormField,
    /// How many options one may choose; all when empty.
    pub max_choices: FormField,
    /// `fixed` or `shuffled`.
    pub option_order: FormField,
    /// `anyone`, `invited` or `account`.
    pub eligibility: FormField,
    /// `no`, `anyone` or `token`.
    pub program_voters: FormField,
    /// The addresses that are admitted, one on each line.
    pub allowed_emails: FormField,
    /// Whether a ballot may be changed.
    pub allow_changes: bool,
    /// `always`, `after_voting` or `after_close`.
    pub results_visibility: FormField,
    /// Whether other sites may show the results.
    pub allow_embedding: bool,
    /// When it opens by itself, in UTC: `2026-11-21T09:30`; empty for by hand.
    pub opens_at: FormField,
    /// When it closes by itself.
    pub closes_at: FormField,
    /// What each eligibility means.
    pub descriptions: EligibilityDescriptions,
}

/// What stands in the form of one option.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OptionForm {
    /// Its name in ballots; empty for one that is not there yet.
    pub id: String,
    /// As people read it.
    pub label: FormField,
    /// What else there is to know of it.
    pub description: FormField,
    /// Where there is more.
    pub link: FormField,
    /// Where its picture is, if it has one.
    pub picture: Option<String>,
    /// Whether one goes on writing here.
    pub is_next: bool,
}

/// What each eligibility means, in the words that voters read too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EligibilityDescriptions {
    anyone: String,
    invited: String,
    account: String,
}

impl Default for EligibilityDescriptions {
    fn default() -> Self {
        let words = |eligibility| eligibility_description(eligibility, ProgramVoters::No, false);
        Self {
            anyone: words(Eligibility::Anyone),
            invited: words(Eligibility::Invited),
            account: words(Eligibility::Account),
        }
    }
}

impl NewRoundPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("admin_new.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let blank = RoundForm {
            action: "/admin/new".to_owned(),
            options: vec![OptionForm::default(); 2],
            method: FormField::of("plurality"),
            option_order: FormField::of("fixed"),
            eligibility: FormField::of("anyone"),
            program_voters: FormField::of("no"),
            results_visibility: FormField::of("always"),
            ..RoundForm::default()
        };
        let new = Self {
            visitor: Visitor::sample(Role::Organiser),
            csrf: "0123456789abcdef".to_owned(),
            form: blank,
            problem: None,
        };
        let wrong = Self {
            form: RoundForm { action: "/admin/new".to_owned(), version: None, ..RoundForm::hostile_sample() },
            problem: Some("Some fields need another look.".to_owned()),
            ..new.clone()
        };
        vec![new, wrong]
    }
}

impl RoundForm {
    pub(super) fn sample(state: RoundState) -> Self {
        let option = |id: &str, label: &str| OptionForm {
            id: id.to_owned(),
            label: FormField::of(label),
            ..OptionForm::default()
        };
        Self {
            action: "/admin/rounds/demo".to_owned(),
            version: Some(7),
            is_begun: state != RoundState::Draft,
            title: FormField::of("Cats or dogs?"),
            options: vec![option("cats", "Cats"), option("dogs", "Dogs")],
            method: FormField::of("approval"),
            max_choices: FormField::of("2"),
            option_order: FormField::of("shuffled"),
            eligibility: FormField::of("account"),
            program_voters: FormField::of("no"),
            allowed_emails: FormField::of("@example.org"),
            results_visibility: FormField::of("after_close"),
            closes_at: FormField::of("2026-11-21T18:00"),
            allow_embedding: true,
            allow_changes: true,
            ..Self::default()
        }
    }

    /// Everything in it is wrong, and means no good.
    pub(super) fn hostile_sample() -> Self {
        let hostile = FormField::hostile_sample;
        let option = OptionForm {
            id: "camels".to_owned(),
            label: hostile(),
            description: hostile(),
            link: hostile(),
            picture: Some("/rounds/demo/options/camels/picture?v=0123abcd".to_owned()),
            is_next: true,
        };
        Self {
            title: hostile(),
            description: hostile(),
            options: vec![option, OptionForm::default()],
            options_problem: Some("must be 2 to 100, not 1".to_owned()),
            method: hostile(),
            max_choices: hostile(),
            option_order: hostile(),
            eligibility: hostile(),
            program_voters: hostile(),
            allowed_emails: hostile(),
            results_visibility: hostile(),
            opens_at: hostile(),
            closes_at: hostile(),
            ..Self::sample(RoundState::Draft)
        }
    }
}
