//! The form in which a round is written.

use serde::Serialize;
use subjects::{Policy, Role, RoundState};

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::form::FormField;
use crate::ladder::ladder_words;

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
    pub most: FormField,
    /// `fixed` or `shuffled`.
    pub order: FormField,
    /// `anyone`, `invited` or `account`.
    pub policy: FormField,
    /// Whether programs may vote for whom they name.
    pub programs: bool,
    /// The addresses that are admitted, one on each line.
    pub emails: FormField,
    /// Whether a ballot may be changed.
    pub changeable: bool,
    /// `always`, `after_voting` or `after_close`.
    pub results: FormField,
    /// Whether other sites may show the results.
    pub embeddable: bool,
    /// When it opens by itself, in UTC: `2026-11-21T09:30`; empty for by hand.
    pub opens_at: FormField,
    /// When it closes by itself.
    pub closes_at: FormField,
    /// What each policy means.
    pub ladder: Ladder,
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

/// What each policy means, in the words that voters read too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ladder {
    anyone: String,
    invited: String,
    account: String,
}

impl Default for Ladder {
    fn default() -> Self {
        let words = |policy| ladder_words(policy, false, false);
        Self {
            anyone: words(Policy::Anyone),
            invited: words(Policy::Invited),
            account: words(Policy::Account),
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
            order: FormField::of("fixed"),
            policy: FormField::of("anyone"),
            results: FormField::of("always"),
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
            most: FormField::of("2"),
            order: FormField::of("shuffled"),
            policy: FormField::of("account"),
            emails: FormField::of("@example.org"),
            results: FormField::of("after_close"),
            closes_at: FormField::of("2026-11-21T18:00"),
            embeddable: true,
            changeable: true,
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
            most: hostile(),
            order: hostile(),
            policy: hostile(),
            emails: hostile(),
            results: hostile(),
            opens_at: hostile(),
            closes_at: hostile(),
            ..Self::sample(RoundState::Draft)
        }
    }
}
