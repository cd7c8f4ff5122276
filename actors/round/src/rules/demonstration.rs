//! The round that is there from the first start on.

use subjects::{Round, RoundId, RoundState, Timestamp};

use super::option::{OptionWish, wrong_options};
use super::text::ShortText;
use super::wish::{Birth, Invalid, Wish, blank, of};

/// The name of the demonstration round.
pub const DEMONSTRATION: &str = "demo";

/// The demonstration round: nobody's, open from the start for browsers and programs, and votes may be changed until it
/// closes. That may lie in the past: it then closes at once.
///
/// # Errors
/// [`Invalid`] when nobody could read or tell apart what is to be voted on.
pub fn demonstration(title: &str, labels: &[String], closes_at: Option<Timestamp>) -> Result<Round, Invalid> {
    let id = RoundId::parse(DEMONSTRATION).expect("the name is a slug");
    let birth = Birth { id, owner: None, state: None };
    let mut wrong = Vec::new();
    let mut read = |field: &str, text: &str| {
        let text = ShortText::parse(text).map_err(|why| wrong.push(of(field, why.to_string())));
        text.ok()
    };
    let title = read("title", title);
    let mut options = Vec::with_capacity(labels.len());
    for (place, label) in labels.iter().enumerate() {
        let label = read(&format!("options[{place}]"), label);
        options.extend(label.map(OptionWish::labelled));
    }
    if !wrong.is_empty() {
        return Err(Invalid(wrong));
    }
    let wish = Wish { title, options: Some(options), ..Wish::default() };
    let open = Round { state: RoundState::Open, allow_changes: true, closes_at, ..blank(&birth) };
    let round = wish.laid_over(&open);
    let wrong = wrong_options(&round);
    if wrong.is_empty() { Ok(round) } else { Err(Invalid(wrong)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{Eligibility, ProgramVoters};

    fn demo(title: &str, labels: &[&str]) -> Result<Round, String> {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        demonstration(title, &labels, Timestamp::from_unix_millis(0)).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_demonstration_round_is_open_for_everyone_and_lets_votes_be_changed() {
        let round = demo(" Cats or dogs? ", &["Cats", " Dogs "]).unwrap();
        assert_eq!((round.id.as_str(), round.title.as_str()), ("demo", "Cats or dogs?"));
        assert_eq!((round.state, round.eligibility), (RoundState::Open, Eligibility::Anyone));
        assert!(round.allow_changes && round.owner.is_none());
        assert_eq!(round.program_voters, ProgramVoters::Anyone);
        let options: Vec<_> =
            round.options.iter().map(|option| (option.id.as_str(), option.label.as_str())).collect();
        assert_eq!(options, [("cats", "Cats"), ("dogs", "Dogs")]);
    }

    #[test]
    fn what_nobody_could_read_or_tell_apart_is_refused() {
        let refused = |title: &str, labels: &[&str]| demo(title, labels).unwrap_err();
        let unseen = "must have 1 to 200 characters that can be seen";
        assert_eq!(refused("  ", &["A", ""]), format!("title {unseen}; options[1] {unseen}"));
        assert_eq!(refused("T", &["A"]), "options must be 2 to 100, not 1");
        assert_eq!(
            refused("T", &["A", "B", "A "]),
            "options[2].label looks the same as that of another option"
        );
    }
}
