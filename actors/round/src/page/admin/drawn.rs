//! What was typed, as it is shown again: with what is wrong with it, or beside what somebody else has written.

use ::web::FieldError;
use subjects::{Round, RoundState};
use templates::{Difference, FormField, OptionForm, RoundForm, picture_address};

use super::typed::{SINGLE, Typed, TypedOption};

impl Typed {
    /// The form with this in it, and beside each field what is wrong with it: of a round that is there, with the version
    /// it is drawn from, or of one that is to be made.
    pub fn drawn(&self, of: Option<(&Round, u64)>, wrong: &[FieldError]) -> RoundForm {
        let field =
            |name: &str, value: &str| FormField { value: value.to_owned(), problem: problem(wrong, name) };
        let round = of.map(|(round, _)| round);
        let option = |(place, option): (usize, &TypedOption)| OptionForm {
            is_next: self.next == Some(place),
            ..option.drawn(&format!("options[{place}]"), round, wrong)
        };
        RoundForm {
            action: round.map_or("/admin/new".to_owned(), |round| format!("/admin/rounds/{}", round.id)),
            version: of.map(|(_, version)| version),
            is_begun: round.is_some_and(|round| round.state != RoundState::Draft),
            title: field("title", &self.title),
            description: field("description", &self.description),
            options: self.options.iter().enumerate().map(option).collect(),
            blank: OptionForm::default(),
            options_problem: problem(wrong, "options"),
            method: field("method", &self.method),
            max_choices: field("max_choices", &self.max_choices),
            option_order: field("option_order", &self.option_order),
            eligibility: field("eligibility", &self.eligibility),
            program_voters: field("program_voters", &self.program_voters),
            allowed_emails: FormField {
                value: self.allowed_emails.clone(),
                problem: self.wrong_email(wrong),
            },
            allow_changes: self.allow_changes,
            results_visibility: field("results_visibility", &self.results_visibility),
            allow_embedding: self.allow_embedding,
            opens_at: field("opens_at", &self.opens_at),
            closes_at: field("closes_at", &self.closes_at),
            descriptions: Default::default(),
        }
    }

    /// What is wrong with the first address that is wrong, or with all of them.
    fn wrong_email(&self, wrong: &[FieldError]) -> Option<String> {
        let error = wrong.iter().find(|error| error.field.starts_with("allowed_emails"))?;
        let place = error.field.strip_prefix("allowed_emails[").and_then(|rest| rest.strip_suffix(']'));
        let email = place.and_then(|place| self.allowed_emails().get(place.parse::<usize>().ok()?).copied());
        Some(match email {
            Some(email) => format!("hold “{email}”: each {}", error.detail),
            None => error.detail.clone(),
        })
    }

    /// Where it is not what somebody else has written.
    pub fn differences_from(&self, theirs: &Self) -> Vec<Difference> {
        let fields = self.in_words().into_iter().zip(theirs.in_words());
        let differing = fields.filter(|((_, yours), (_, theirs))| yours != theirs);
        differing
            .map(|((field, yours), (_, theirs))| Difference { field: field.to_owned(), theirs, yours })
            .collect()
    }

    /// Every field as it is called on the page, and what stands in it.
    fn in_words(&self) -> [(&'static str, String); 14] {
        let yes = |is_on: bool| if is_on { "yes" } else { "no" }.to_owned();
        let lines = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
        let options: Vec<String> = self.options.iter().map(TypedOption::in_words).collect();
        [
            ("Title", self.title.trim().to_owned()),
            ("Description", lines(&self.description)),
            ("Options", options.join("\n")),
            ("Voting method", choice(&self.method)),
            ("At most", self.max_choices.trim().to_owned()),
            ("Option order", choice(&self.option_order)),
            ("Who may vote", choice(&self.eligibility)),
            ("Votes by programs", voters(&self.program_voters)),
            ("Only these addresses", self.allowed_emails().join("\n")),
            ("A vote may be changed", yes(self.allow_changes)),
            ("When people see the results", choice(&self.results_visibility)),
            ("Other sites may show them", yes(self.allow_embedding)),
            ("Opens (UTC)", self.opens_at.clone()),
            ("Closes (UTC)", self.closes_at.clone()),
        ]
    }
}

impl TypedOption {
    fn drawn(&self, path: &str, round: Option<&Round>, wrong: &[FieldError]) -> OptionForm {
        let field = |name: &str, value: &str| FormField {
            value: value.to_owned(),
            problem: problem(wrong, &format!("{path}.{name}")),
        };
        let there = |round: &Round| {
            let option = round.options.iter().find(|option| option.id.as_str() == self.id)?;
            picture_address(&round.id, option)
        };
        let mut label = field("label", &self.label);
        label.problem =
            label.problem.or_else(|| problem(wrong, path)).or_else(|| problem(wrong, &format!("{path}.id")));
        OptionForm {
            id: self.id.clone(),
            label,
            description: field("description", &self.description),
            link: field("link", &self.link),
            picture: round.and_then(there),
            is_next: false,
        }
    }

    fn in_words(&self) -> String {
        let parts = [&self.label, &self.description, &self.link].map(|part| part.trim());
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }
}

/// Whether what is wrong with a field of this path stands beside a field of the form.
pub fn has_place(path: &str) -> bool {
    let root = path.split(['[', '.']).next().unwrap_or_default();
    root == "options" || (SINGLE.contains(&root) && root != "version" && root != "do")
}

fn problem(wrong: &[FieldError], path: &str) -> Option<String> {
    let error = wrong.iter().find(|error| error.field == path)?;
    let detail =
        error.detail.replace("opens_at", "the opening time").replace("closes_at", "the closing time");
    // What JSON calls null is an empty field here, and its hint says so.
    Some(detail.replace(", or null", ""))
}

/// What the choice of who names voters is called on the page.
fn voters(name: &str) -> String {
    let words = match name {
        "no" => "Not allowed",
        "anyone" => "Allowed",
        "token" => "Programs with the organiser's access token name voters",
        other => other,
    };
    words.to_owned()
}

/// What it is called on the page.
fn choice(name: &str) -> String {
    let words = match name {
        "plurality" => "One option",
        "approval" => "Several options",
        "fixed" => "As written",
        "shuffled" => "Shuffled for each voter",
        "anyone" => "Anyone",
        "invited" => "People with an invite",
        "account" => "People with an account",
        "always" => "Always",
        "after_voting" => "After one has voted",
        "after_close" => "After the close",
        other => other,
    };
    words.to_owned()
}
