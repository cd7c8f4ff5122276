//! What the tests of the rules begin with.

use subjects::{Eligibility, EmailRule, Role, Round, RoundId, RoundState, Timestamp, UserId};

use super::{Birth, By, Deed, OptionWish, Refusal, ShortText, Wish, decide};

/// Ann, as she is known.
pub const ANN: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
pub const NOW: i64 = 1_000;

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).unwrap()
}

pub fn ann() -> By {
    By::Person(UserId::parse(ANN).unwrap(), Role::Organiser)
}

pub fn text(text: &str) -> ShortText {
    ShortText::parse(text).unwrap()
}

pub fn rules(allowed_emails: &[&str]) -> Option<Vec<EmailRule>> {
    Some(allowed_emails.iter().map(|rule| EmailRule::parse(rule).unwrap()).collect())
}

pub fn options(labels: &[&str]) -> Option<Vec<OptionWish>> {
    Some(labels.iter().map(|label| OptionWish::labelled(text(label))).collect())
}

/// Ann's round in this state, limited to a domain.
pub fn round(state: RoundState) -> Round {
    let wish = Wish {
        title: Some(text("Board")),
        options: options(&["Ann", "Bob"]),
        eligibility: Some(Eligibility::Account),
        allowed_emails: rules(&["@example.org"]),
        ..Wish::default()
    };
    let birth = Birth {
        id: RoundId::parse("board").unwrap(),
        owner: Some(UserId::parse(ANN).unwrap()),
        state: Some(RoundState::Draft),
    };
    Round { state, ..wish.make(&birth, at(NOW)).unwrap() }
}

pub fn does(round: &Round, deed: &Deed) -> Result<Round, Refusal> {
    decide(round, deed, ann(), at(NOW)).map(|(_, round)| round)
}
