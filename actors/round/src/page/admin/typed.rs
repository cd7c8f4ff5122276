//! What stands in the form of a round, as it was typed.

use ::web::{FormFields, Problem, field_error};
use serde::Serialize;
use serde_json::{Value, json};
use subjects::{Round, RoundOption, RoundState, Timestamp};

use crate::rules::OPTIONS;

/// The fields of the form that are there once.
pub const SINGLE: &[&str] = &[
    "version",
    "do",
    "title",
    "description",
    "method",
    "max_choices",
    "option_order",
    "eligibility",
    "program_voters",
    "allowed_emails",
    "allow_changes",
    "results_visibility",
    "allow_embedding",
    "opens_at",
    "closes_at",
];
/// Those that are there once for each option.
pub const REPEATED: &[&str] = &["option_id", "option_label", "option_description", "option_link"];

/// How many empty options a new round begins with.
const ROOM: usize = 3;
/// How many options are drawn. No button leads to more than a round may have; one more can still be said to be too much
/// beside the others.
const DRAWN_MAX: usize = *OPTIONS.end() + 1;

/// A round as somebody writes it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Typed {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) options: Vec<TypedOption>,
    pub(super) method: String,
    pub(super) max_choices: String,
    pub(super) option_order: String,
    pub(super) eligibility: String,
    pub(super) program_voters: String,
    pub(super) allowed_emails: String,
    pub(super) allow_changes: bool,
    pub(super) results_visibility: String,
    pub(super) allow_embedding: bool,
    pub(super) opens_at: String,
    pub(super) closes_at: String,
    /// Which option one goes on writing.
    pub(super) next: Option<usize>,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct TypedOption {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) link: String,
}

impl Typed {
    /// What stands in the form of a round that is not there yet.
    pub fn blank() -> Self {
        Self {
            options: vec![TypedOption::default(); ROOM],
            method: "plurality".to_owned(),
            option_order: "fixed".to_owned(),
            eligibility: "anyone".to_owned(),
            program_voters: "no".to_owned(),
            results_visibility: "always".to_owned(),
            ..Self::default()
        }
    }

    /// What stands in the form of this round.
    pub fn of(round: &Round) -> Self {
        let allowed_emails: Vec<String> = round.allowed_emails.iter().map(ToString::to_string).collect();
        Self {
            title: round.title.clone(),
            description: round.description.clone(),
            options: round.options.iter().map(TypedOption::of).collect(),
            method: name(&round.method),
            max_choices: round.max_choices.map(|max_choices| max_choices.to_string()).unwrap_or_default(),
            option_order: name(&round.option_order),
            eligibility: name(&round.eligibility),
            program_voters: name(&round.program_voters),
            allowed_emails: allowed_emails.join("\n"),
            allow_changes: round.allow_changes,
            results_visibility: name(&round.results_visibility),
            allow_embedding: round.allow_embedding,
            opens_at: round.opens_at.map(on_the_clock).unwrap_or_default(),
            closes_at: round.closes_at.map(on_the_clock).unwrap_or_default(),
            next: None,
        }
    }

    /// What was sent.
    ///
    /// # Errors
    /// 422 for more options than a page of ours sends, since a form holds many and each is drawn again.
    pub fn sent(form: &FormFields) -> Result<Self, Problem> {
        let count = form.all("option_label").len();
        if count > DRAWN_MAX {
            let detail = format!("must be at most {}, not {count}", OPTIONS.end());
            return Err(Problem::invalid(vec![field_error("options", detail)]));
        }
        let text = |name| form.text(name).to_owned();
        let is_on = |name| !form.text(name).is_empty();
        let moment = |name| moment(form.text(name)).map_or_else(|| text(name), on_the_clock);
        let part = |name, place| form.all(name).get(place).cloned().unwrap_or_default();
        let option = |place| TypedOption {
            id: part("option_id", place),
            label: part("option_label", place),
            description: part("option_description", place),
            link: part("option_link", place),
        };
        Ok(Self {
            title: text("title"),
            description: text("description"),
            options: (0..count).map(option).collect(),
            method: text("method"),
            max_choices: text("max_choices"),
            option_order: text("option_order"),
            eligibility: text("eligibility"),
            program_voters: text("program_voters"),
            allowed_emails: text("allowed_emails"),
            allow_changes: is_on("allow_changes"),
            results_visibility: text("results_visibility"),
            allow_embedding: is_on("allow_embedding"),
            opens_at: moment("opens_at"),
            closes_at: moment("closes_at"),
            next: None,
        })
    }

    /// What was sent about a round that is there. The form of one that has begun leaves away what it keeps.
    ///
    /// # Errors
    /// As of [`Typed::sent`].
    pub fn sent_for(form: &FormFields, round: &Round) -> Result<Self, Problem> {
        let sent = Self::sent(form)?;
        Ok(if form.all("title").is_empty() { sent.over(Self::of(round)) } else { sent })
    }

    /// What of it may still be written in `round`.
    pub fn where_it_may(&self, round: &Round) -> Self {
        match round.state {
            RoundState::Draft => self.clone(),
            RoundState::Open | RoundState::Closed => self.clone().over(Self::of(round)),
        }
    }

    /// What may be written in a round that has begun, and of the rest what is there.
    fn over(self, there: Self) -> Self {
        let Self { description, allowed_emails, allow_embedding, closes_at, .. } = self;
        Self { description, allowed_emails, allow_embedding, closes_at, ..there }
    }

    /// The same without options in which nothing stands.
    pub fn without_blanks(mut self) -> Self {
        let is_blank = |option: &TypedOption| {
            [&option.label, &option.description, &option.link].iter().all(|it| it.trim().is_empty())
        };
        self.options.retain(|option| !option.id.is_empty() || !is_blank(option));
        self
    }

    /// The same with room for as many options as a new round begins with.
    pub fn with_room(&self) -> Self {
        let mut typed = self.clone();
        let room = typed.options.len().max(ROOM);
        typed.options.resize_with(room, TypedOption::default);
        typed
    }

    /// The same as a program would send it about a round in this state; of one that has begun only what it does not
    /// keep. What belongs to a choice that was not made is left away.
    pub fn to_json(&self, state: RoundState) -> Value {
        let allowed_emails = if self.eligibility == "account" { self.allowed_emails() } else { Vec::new() };
        let mut sent = json!({
            "description": self.description,
            "allowed_emails": allowed_emails,
            "allow_embedding": self.allow_embedding,
            "closes_at": as_moment(&self.closes_at),
        });
        if state == RoundState::Draft {
            sent["title"] = json!(self.title);
            sent["options"] = self.options.iter().map(TypedOption::to_json).collect();
            sent["method"] = json!(self.method);
            sent["max_choices"] =
                if self.method == "approval" { as_number(&self.max_choices) } else { Value::Null };
            sent["option_order"] = json!(self.option_order);
            sent["eligibility"] = json!(self.eligibility);
            sent["program_voters"] =
                json!(if self.eligibility == "anyone" { &self.program_voters } else { "no" });
            sent["allow_changes"] = json!(self.allow_changes);
            sent["results_visibility"] = json!(self.results_visibility);
            sent["opens_at"] = as_moment(&self.opens_at);
        }
        sent
    }

    /// The addresses, however they were put apart.
    pub(super) fn allowed_emails(&self) -> Vec<&str> {
        let parts = self.allowed_emails.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
        parts.filter(|part| !part.is_empty()).collect()
    }
}

impl TypedOption {
    fn of(option: &RoundOption) -> Self {
        Self {
            id: option.id.to_string(),
            label: option.label.clone(),
            description: option.description.clone(),
            link: option.link.clone().unwrap_or_default(),
        }
    }

    fn to_json(&self) -> Value {
        let link = self.link.trim();
        let mut option = json!({
            "label": self.label,
            "description": self.description,
            "link": if link.is_empty() { Value::Null } else { json!(link) },
        });
        if !self.id.is_empty() {
            option["id"] = json!(self.id);
        }
        option
    }
}

/// What a choice is called in JSON.
fn name(choice: &impl Serialize) -> String {
    let name = serde_json::to_value(choice).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The moment that a field shows, which says no zone and means UTC; or one that a script has sent, which does.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let read = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z")];
    read.iter().find_map(|text| Timestamp::parse(text).ok())
}

/// The moment as a field shows it, in UTC.
fn on_the_clock(moment: Timestamp) -> String {
    let text = moment.to_string();
    let text = text.trim_end_matches('Z');
    text.strip_suffix(":00").unwrap_or(text).to_owned()
}

fn as_moment(text: &str) -> Value {
    match moment(text) {
        Some(moment) => json!(moment),
        None if text.trim().is_empty() => Value::Null,
        None => json!(text),
    }
}

/// A number if it is one; else what was typed, which is refused by its name.
fn as_number(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        text => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use subjects::{Eligibility, Method, OptionId, RoundId};

    pub fn typed(sent: &str) -> Typed {
        Typed::sent(&FormFields::parse(sent.as_bytes(), SINGLE, REPEATED).unwrap()).unwrap()
    }

    pub fn labels(typed: &Typed) -> Vec<&str> {
        typed.options.iter().map(|option| option.label.as_str()).collect()
    }

    #[test]
    fn what_is_typed_becomes_what_a_program_would_send() {
        let sent = "title=Who%3F&description=&method=approval&max_choices=2&option_order=shuffled&eligibility=account&program_voters=token\
            &allowed_emails=ann%40example.org%0D%0A%40example.com%2C&results_visibility=after_close&opens_at=&closes_at=2026-11-21T18%3A00\
            &option_id=ann&option_label=Ann&option_description=One&option_link=+\
            &option_id=&option_label=&option_description=&option_link=\
            &option_id=&option_label=Bob&option_description=&option_link=https%3A%2F%2Fexample.org";
        let json = typed(sent).without_blanks().to_json(RoundState::Draft);
        let expected = json!({
            "title": "Who?", "description": "", "method": "approval", "max_choices": 2, "option_order": "shuffled",
            "eligibility": "account", "program_voters": "no", "allowed_emails": ["ann@example.org", "@example.com"],
            "allow_changes": false, "results_visibility": "after_close", "allow_embedding": false, "opens_at": null,
            "closes_at": "2026-11-21T18:00:00Z",
            "options": [
                { "id": "ann", "label": "Ann", "description": "One", "link": null },
                { "label": "Bob", "description": "", "link": "https://example.org" },
            ],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn what_belongs_to_a_choice_that_was_not_made_is_left_away() {
        let json =
            typed("method=plurality&max_choices=2&eligibility=anyone&program_voters=token&allowed_emails=x")
                .to_json(RoundState::Draft);
        let [max_choices, program_voters, allowed_emails] =
            ["max_choices", "program_voters", "allowed_emails"].map(|field| &json[field]);
        assert_eq!(
            (max_choices, program_voters, allowed_emails),
            (&Value::Null, &json!("token"), &json!([]))
        );
        let json = typed("method=approval&max_choices=two").to_json(RoundState::Draft);
        assert_eq!(json["max_choices"], "two", "what is no number is refused by its name");
    }

    #[test]
    fn of_a_round_that_has_begun_only_that_is_sent_which_it_does_not_keep() {
        let board = Round {
            title: "Board".to_owned(),
            options: vec![RoundOption::new(OptionId::parse("ann").unwrap(), "Ann")],
            method: Method::Approval,
            eligibility: Eligibility::Account,
            state: RoundState::Open,
            ..Round::blank(RoundId::parse("board").unwrap())
        };
        let sent =
            "description=New&allowed_emails=&closes_at=2026-11-21T18%3A00%3A30.000Z&allow_embedding=yes";
        let fields = FormFields::parse(sent.as_bytes(), SINGLE, REPEATED).unwrap();
        let typed = Typed::sent_for(&fields, &board).unwrap();
        assert_eq!((typed.title.as_str(), labels(&typed)), ("Board", vec!["Ann"]));
        assert_eq!(typed.closes_at, "2026-11-21T18:00:30");
        let json = typed.to_json(RoundState::Open);
        let mut fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["allow_embedding", "allowed_emails", "closes_at", "description"]);
        assert!(typed.where_it_may(&board) == typed && Typed::of(&board).differences_from(&typed).len() == 3);
    }

    #[test]
    fn more_options_than_a_page_sends_are_refused_before_any_is_drawn() {
        let sent = |count: usize| {
            let form = "option_label=a&".repeat(count);
            Typed::sent(&FormFields::parse(form.as_bytes(), SINGLE, REPEATED).unwrap())
        };
        // Still drawn, so that it is said beside the options and nothing is lost.
        assert_eq!(sent(101).ok().unwrap().options.len(), 101);
        for count in [102, 4 * 1024 * 1024 / "option_label=a&".len()] {
            let problem = sent(count).err().unwrap();
            let said = format!("must be at most 100, not {count}");
            assert_eq!(
                (problem.status().as_u16(), problem.errors()),
                (422, &[field_error("options", said)][..])
            );
        }
    }

    #[test]
    fn a_moment_without_a_zone_is_utc() {
        let read = |text: &str| moment(text).map(on_the_clock);
        for (text, shown) in [
            ("2026-11-21T18:00", Some("2026-11-21T18:00")),
            ("2026-11-21T18:00:05", Some("2026-11-21T18:00:05")),
            ("2026-11-21T19:00:00.000+01:00", Some("2026-11-21T18:00")),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(read(text).as_deref(), shown, "{text}");
        }
        assert_eq!((as_moment(" "), as_moment("tomorrow")), (Value::Null, json!("tomorrow")));
    }
}
