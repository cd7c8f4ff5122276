//! What of a round may be edited, and when.

use subjects::{OptionId, Round, RoundOption, RoundState, Timestamp};

use super::wish::{Invalid, Wish, Wrong};
use super::{Deed, Refusal, is_over};

/// What may be edited in which state:
///
/// | field | draft | open | closed |
/// |---|---|---|---|
/// | title, options, option_order, method, max_choices, eligibility, program_voters, allow_changes, results_visibility, opens_at | yes | no | no |
/// | description, allow_embedding, closes_at | yes | yes | no |
/// | allowed_emails | yes | more of them; a round for every account stays so | no |
///
/// A round whose closing time has passed counts as closed. Writing what is there already is always allowed before
/// that, and changes nothing.
pub(super) fn edit(round: &Round, wish: &Wish, now: Timestamp) -> Result<Round, Refusal> {
    edit_to(round, wish.laid_over(round), wish, now)
}

fn edit_to(round: &Round, edited: Round, wish: &Wish, now: Timestamp) -> Result<Round, Refusal> {
    if round.state == RoundState::Closed || is_over(round, now) {
        return Err(Refusal::Closed);
    }
    let frozen = frozen(round, &edited);
    if round.state == RoundState::Open && !frozen.is_empty() {
        return Err(Refusal::Begun(frozen));
    }
    let wrong = wish.wrong(&edited, now);
    if wrong.is_empty() { Ok(edited) } else { Err(Invalid(wrong).into()) }
}

/// The fields that differ and that an open round keeps.
fn frozen(round: &Round, edited: &Round) -> Vec<&'static str> {
    let lets_out = match round.allowed_emails.is_empty() {
        true => !edited.allowed_emails.is_empty(),
        false => round.allowed_emails.iter().any(|rule| !edited.allowed_emails.contains(rule)),
    };
    let fields = [
        ("title", round.title != edited.title),
        ("options", round.options != edited.options),
        ("option_order", round.option_order != edited.option_order),
        ("method", round.method != edited.method),
        ("max_choices", round.max_choices != edited.max_choices),
        ("eligibility", round.eligibility != edited.eligibility),
        ("program_voters", round.program_voters != edited.program_voters),
        ("allow_changes", round.allow_changes != edited.allow_changes),
        ("results_visibility", round.results_visibility != edited.results_visibility),
        ("opens_at", round.opens_at != edited.opens_at),
        ("allowed_emails", lets_out),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

/// The round with one of its options added, changed or removed.
pub(super) fn edit_option(round: &Round, deed: &Deed, now: Timestamp) -> Result<Round, Refusal> {
    let edited = Round { options: options_after(round, deed)?, ..round.clone() };
    match edit_to(round, edited, &Wish::default(), now) {
        // Only one option was sent, so its fields have no place in a list.
        Err(Refusal::Invalid(Invalid(mut wrong))) => {
            for Wrong { field, .. } in &mut wrong {
                if let Some((_, of_option)) = field.split_once("].") {
                    *field = of_option.to_owned();
                }
            }
            Err(Invalid(wrong).into())
        }
        outcome => outcome,
    }
}

/// The options of `round` with the deed done.
fn options_after(round: &Round, deed: &Deed) -> Result<Vec<RoundOption>, Refusal> {
    let mut options = round.options.clone();
    let place = |id: &OptionId| {
        let place = round.options.iter().position(|option| option.id == *id);
        place.ok_or(Refusal::NoSuchOption)
    };
    match deed {
        Deed::AddOption(wish) => options.push(wish.beside(&round.options)),
        Deed::ChangeOption(id, change) => {
            let option = &mut options[place(id)?];
            *option = change.laid_over(option.clone());
        }
        Deed::RemoveOption(id) => {
            options.remove(place(id)?);
        }
        Deed::Edit(_) | Deed::Open | Deed::Close => {}
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::{NOW, at, does, options, round, rules, text};
    use crate::rules::{LongText, OptionChange, OptionWish};
    use subjects::{Eligibility, Method, OptionOrder, ResultsVisibility};

    /// The table in the words of [`edit`].
    #[test]
    fn a_draft_may_be_edited_an_open_round_hardly_and_a_closed_one_not_at_all() {
        let wish = Wish::default;
        let (moment, rule) = (Some(Some(at(NOW + 1))), "eve@example.com");
        let cases = [
            ("title", Wish { title: Some(text("New")), ..wish() }),
            ("options", Wish { options: options(&["Ann", "Eve"]), ..wish() }),
            (
                "eligibility",
                Wish { eligibility: Some(Eligibility::Anyone), allowed_emails: rules(&[]), ..wish() },
            ),
            (
                "program_voters",
                Wish { eligibility: Some(Eligibility::Anyone), allowed_emails: rules(&[]), ..wish() },
            ),
            ("allow_changes", Wish { allow_changes: Some(true), ..wish() }),
            ("option_order", Wish { option_order: Some(OptionOrder::Shuffled), ..wish() }),
            ("method", Wish { method: Some(Method::Approval), ..wish() }),
            ("max_choices", Wish { method: Some(Method::Approval), max_choices: Some(Some(1)), ..wish() }),
            (
                "results_visibility",
                Wish { results_visibility: Some(ResultsVisibility::AfterClose), ..wish() },
            ),
            ("", Wish { allow_embedding: Some(true), ..wish() }),
            ("opens_at", Wish { opens_at: moment, ..wish() }),
            ("allowed_emails", Wish { allowed_emails: rules(&[rule]), ..wish() }),
            ("", Wish { allowed_emails: rules(&["@example.org", rule]), ..wish() }),
            ("", Wish { description: Some(LongText::parse("New").unwrap()), ..wish() }),
            ("", Wish { closes_at: moment, ..wish() }),
        ];
        for (frozen, wish) in cases {
            let edit = Deed::Edit(wish.clone());
            assert_ne!(does(&round(RoundState::Draft), &edit), Ok(round(RoundState::Draft)), "{wish:?}");
            match does(&round(RoundState::Open), &edit) {
                Ok(edited) => assert!(frozen.is_empty() && edited != round(RoundState::Open), "{wish:?}"),
                Err(Refusal::Begun(fields)) => assert!(fields.contains(&frozen), "{fields:?} {wish:?}"),
                Err(other) => panic!("{other} {wish:?}"),
            }
            assert_eq!(does(&round(RoundState::Closed), &edit), Err(Refusal::Closed));
            let over = Round { closes_at: Some(at(NOW)), ..round(RoundState::Open) };
            assert_eq!(does(&over, &edit), Err(Refusal::Closed));
        }
    }

    #[test]
    fn writing_what_is_there_already_changes_nothing() {
        let open = round(RoundState::Open);
        let same = Wish { title: Some(text("Board")), options: options(&["Ann", "Bob"]), ..Wish::default() };
        assert_eq!(does(&open, &Deed::Edit(same)), Ok(open));
    }

    #[test]
    fn an_open_round_for_every_account_is_not_limited_afterwards() {
        let everyone = Round { allowed_emails: Vec::new(), ..round(RoundState::Open) };
        let limited = Deed::Edit(Wish { allowed_emails: rules(&["@example.org"]), ..Wish::default() });
        assert_eq!(does(&everyone, &limited), Err(Refusal::Begun(vec!["allowed_emails"])));
    }

    #[test]
    fn options_come_and_go_while_a_round_is_a_draft() {
        let id = |id| OptionId::parse(id).unwrap();
        let eve = Deed::AddOption(OptionWish::labelled(text("Eve")));
        let three = does(&round(RoundState::Draft), &eve).unwrap();
        assert_eq!((three.options.len(), three.options[2].id.as_str()), (3, "eve"));
        let called = |option, label: &str| {
            let change = OptionChange { label: Some(text(label)), ..OptionChange::default() };
            Deed::ChangeOption(id(option), change)
        };
        let renamed = does(&three, &called("eve", "Eva")).unwrap();
        assert_eq!((renamed.options[2].id.as_str(), renamed.options[2].label.as_str()), ("eve", "Eva"));
        let looks_same = does(&three, &called("eve", "Bob")).unwrap_err();
        assert_eq!(looks_same.to_string(), "label looks the same as that of another option");
        let two = does(&three, &Deed::RemoveOption(id("ann"))).unwrap();
        let one = does(&two, &Deed::RemoveOption(id("bob"))).unwrap();
        assert_eq!(does(&one, &Deed::Open), Err(Refusal::TooFewOptions));
        assert_eq!(does(&one, &Deed::RemoveOption(id("bob"))), Err(Refusal::NoSuchOption));
        let scheduled = Round { opens_at: Some(at(NOW + 1)), ..two };
        let too_few = does(&scheduled, &Deed::RemoveOption(id("bob"))).unwrap_err();
        assert_eq!(too_few.to_string(), "options must be 2 to 100, not 1");
        assert_eq!(does(&round(RoundState::Open), &eve), Err(Refusal::Begun(vec!["options"])));
    }
}
