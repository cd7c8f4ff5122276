//! What an organiser may write in a round and in an option, and the words of each field.

use serde_json::{Map, Value};
use subjects::{Eligibility, EmailRule, Method, OptionId, OptionOrder, ProgramVoters, ResultsVisibility};

use super::fields::{Fields, whole};
use crate::rules::{
    EMAILS_MAX, Link, LongText, OPTION_DESCRIPTION_MAX, OPTIONS, OptionChange, OptionWish, ShortText,
    Unreadable, Wish,
};

/// Takes everything that an organiser may write in a round. Lists are read up to the length that they may have.
pub fn wish(fields: &mut Fields) -> Wish {
    Wish {
        title: fields.text("title", ShortText::parse),
        description: fields.text("description", LongText::parse),
        options: fields.list("options", *OPTIONS.end(), option_in_list),
        option_order: fields.text("option_order", option_order),
        method: fields.text("method", method),
        max_choices: fields.take("max_choices", max_choices),
        eligibility: fields.text("eligibility", eligibility),
        program_voters: fields.text("program_voters", program_voters),
        allowed_emails: fields.list("allowed_emails", EMAILS_MAX, email),
        allow_changes: fields.flag("allow_changes"),
        results_visibility: fields.text("results_visibility", results_visibility),
        allow_embedding: fields.flag("allow_embedding"),
        opens_at: fields.moment("opens_at"),
        closes_at: fields.moment("closes_at"),
    }
}

/// Takes everything that an organiser may write in a new option.
pub fn option(fields: &mut Fields) -> Option<OptionWish> {
    let id = fields.text("id", OptionId::parse);
    fields.require("label");
    let OptionChange { label, description, link, picture: _ } = change(fields);
    label.map(|label| OptionWish { id, label, description, link })
}

/// Takes everything that an organiser may write in an option that is there.
pub fn change(fields: &mut Fields) -> OptionChange {
    OptionChange {
        label: fields.text("label", ShortText::parse),
        description: fields.text("description", option_description),
        link: fields.take("link", link),
        picture: None,
    }
}

/// An option is an object, or its label alone.
fn option_in_list(fields: &mut Fields, path: &str, item: Value) -> Option<OptionWish> {
    let parts = match item {
        Value::Object(parts) => parts,
        Value::String(label) => Map::from_iter([("label".to_owned(), Value::String(label))]),
        _ => {
            fields.note(path, "must be a label, or an object with one");
            return None;
        }
    };
    let mut parts = Fields::inside(path, parts);
    let wish = option(&mut parts);
    let is_right = fields.take_in(parts);
    wish.filter(|_| is_right)
}

/// The description of an option.
pub fn option_description(text: &str) -> Result<LongText, Unreadable> {
    LongText::within(OPTION_DESCRIPTION_MAX, text)
}

fn link(value: Value) -> Result<Option<Link>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Link::parse(&text).map(Some).map_err(|why| why.to_string()),
        _ => Err("must be a text, or null".to_owned()),
    }
}

fn max_choices(value: Value) -> Result<Option<u32>, &'static str> {
    const WRONG: &str = "must be a whole number, or null";
    match value {
        Value::Null => Ok(None),
        value => whole(&value).and_then(|max_choices| max_choices.try_into().ok()).map(Some).ok_or(WRONG),
    }
}

fn email(fields: &mut Fields, path: &str, item: Value) -> Option<EmailRule> {
    let rule = item.as_str().ok_or("must be a text".to_owned());
    let rule = rule.and_then(|text| EmailRule::parse(text).map_err(|why| why.to_string()));
    rule.map_err(|why| fields.note(path, why)).ok()
}

/// Who may vote, by its word.
pub fn eligibility(text: &str) -> Result<Eligibility, &'static str> {
    match text {
        "anyone" => Ok(Eligibility::Anyone),
        "invited" => Ok(Eligibility::Invited),
        "account" => Ok(Eligibility::Account),
        _ => Err("must be anyone, invited or account"),
    }
}

/// Which programs may name voters, by its word.
pub fn program_voters(text: &str) -> Result<ProgramVoters, &'static str> {
    match text {
        "no" => Ok(ProgramVoters::No),
        "anyone" => Ok(ProgramVoters::Anyone),
        "token" => Ok(ProgramVoters::Token),
        _ => Err("must be no, anyone or token"),
    }
}

/// The order of the options, by its word.
pub fn option_order(text: &str) -> Result<OptionOrder, &'static str> {
    match text {
        "fixed" => Ok(OptionOrder::Fixed),
        "shuffled" => Ok(OptionOrder::Shuffled),
        _ => Err("must be fixed or shuffled"),
    }
}

/// How a choice is made, by its word.
pub fn method(text: &str) -> Result<Method, &'static str> {
    match text {
        "plurality" => Ok(Method::Plurality),
        "approval" => Ok(Method::Approval),
        _ => Err("must be plurality or approval"),
    }
}

/// When results are shown, by its word.
pub fn results_visibility(text: &str) -> Result<ResultsVisibility, &'static str> {
    match text {
        "always" => Ok(ResultsVisibility::Always),
        "after_voting" => Ok(ResultsVisibility::AfterVoting),
        "after_close" => Ok(ResultsVisibility::AfterClose),
        _ => Err("must be always, after_voting or after_close"),
    }
}
