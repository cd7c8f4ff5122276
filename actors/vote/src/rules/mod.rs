//! What makes a ballot a ballot. Pure: facts in, decision out.

mod admission;
mod block_builder;
mod fold;
mod judgement;

pub use admission::{NotAdmitted, Shown, admits};
pub use block_builder::{BALLOT_BYTES, BlockBuilder};
pub use fold::Fold;
pub use judgement::{Ballot, Standing, Verdict};

use subjects::{Choice, Method, OptionId, Round, RoundState, Timestamp};

/// Why a ballot is not accepted. The words are for whoever cast it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The round is still being written.
    #[error("this round is not open yet")]
    NotYetOpen,
    /// The round takes no more ballots.
    #[error("this round is closed")]
    Closed,
    /// This voter has a ballot in the box, and the round does not let it be changed.
    #[error("this voter has already voted, and this round does not let a ballot be changed")]
    AlreadyVoted,
    /// A retry must repeat what it retries.
    #[error("this ballot id was used for another choice; give a changed ballot a new id")]
    BallotIdReused,
}

/// What is wrong with a choice. The words complete "`<field>` …"; of several options the first that is wrong is named
/// by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChoice {
    /// Plurality wants exactly one.
    #[error("must name exactly one option of this round")]
    NotOne,
    /// No option has this name.
    #[error("names an option that this round does not have")]
    NoSuchOption(Option<usize>),
    /// Approval wants at least one.
    #[error("must name at least one option of this round")]
    NotAny,
    /// Approval takes so many at the most.
    #[error("must name at most {0} options of this round")]
    TooMany(usize),
    /// An option gets one vote from a ballot.
    #[error("must not name an option that is named already")]
    Twice(usize),
}

impl InvalidChoice {
    /// The field that is wrong.
    pub fn field(self) -> String {
        match self {
            Self::NoSuchOption(Some(place)) | Self::Twice(place) => format!("choice[{place}]"),
            Self::NoSuchOption(None) | Self::NotOne | Self::NotAny | Self::TooMany(_) => "choice".to_owned(),
        }
    }
}

/// Whether `round` takes ballots at `now`, as far as its organiser has said. The seal in its log has the last word,
/// whatever the clocks say.
///
/// # Errors
/// [`Refusal::NotYetOpen`] or [`Refusal::Closed`].
pub fn takes_ballots(round: &Round, now: Timestamp) -> Result<(), Refusal> {
    match round.state {
        RoundState::Draft => Err(Refusal::NotYetOpen),
        RoundState::Open if round.closes_at.is_some_and(|moment| moment <= now) => Err(Refusal::Closed),
        RoundState::Open => Ok(()),
        RoundState::Closed => Err(Refusal::Closed),
    }
}

/// Reads a choice by the round's method. An option is named by its id, or by its label as people read it.
///
/// # Errors
/// [`InvalidChoice`].
pub fn choose(round: &Round, named: &[String]) -> Result<Choice, InvalidChoice> {
    match round.method {
        Method::Plurality => match named {
            [one] => {
                let option = option_named(round, one).ok_or(InvalidChoice::NoSuchOption(None))?;
                Ok(Choice([option].into()))
            }
            _ => Err(InvalidChoice::NotOne),
        },
        Method::Approval => approve(round, named),
    }
}

/// The options of an approval ballot. They are put into the round's order, so that the same choice is known for the
/// same in whatever order it was made.
fn approve(round: &Round, named: &[String]) -> Result<Choice, InvalidChoice> {
    if named.is_empty() {
        return Err(InvalidChoice::NotAny);
    }
    // Before anything is looked up: a list may be as long as a body is large.
    let max_choices = max_choices(round);
    if named.len() > max_choices {
        return Err(InvalidChoice::TooMany(max_choices));
    }
    let mut chosen = Vec::with_capacity(named.len());
    for (place, name) in named.iter().enumerate() {
        let option = option_named(round, name).ok_or(InvalidChoice::NoSuchOption(Some(place)))?;
        if chosen.contains(&option) {
            return Err(InvalidChoice::Twice(place));
        }
        chosen.push(option);
    }
    chosen.sort_by_key(|chosen| round.options.iter().position(|option| option.id == *chosen));
    Ok(Choice(chosen.into()))
}

/// How many options a ballot may name at the most.
pub fn max_choices(round: &Round) -> usize {
    match (round.method, round.max_choices) {
        (Method::Plurality, _) => 1,
        (Method::Approval, Some(most)) => round.options.len().min(most as usize),
        (Method::Approval, None) => round.options.len(),
    }
}

fn option_named(round: &Round, name: &str) -> Option<OptionId> {
    let by_id = round.options.iter().find(|option| option.id.as_str() == name);
    let found = by_id.or_else(|| round.options.iter().find(|option| option.label == name));
    found.map(|option| option.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{RoundId, RoundOption};

    fn round(state: RoundState) -> Round {
        let option = |id, label: &str| RoundOption::new(OptionId::parse(id).unwrap(), label);
        Round {
            title: "Cats or dogs?".into(),
            options: vec![option("cats", "Cats"), option("dogs", "Dogs"), option("option-3", "cats")],
            state,
            closes_at: Some(at(1_000)),
            allow_changes: true,
            ..Round::blank(RoundId::parse("demo").unwrap())
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).unwrap()
    }

    #[test]
    fn only_an_open_round_takes_ballots_and_only_until_its_closing_time() {
        assert_eq!(takes_ballots(&round(RoundState::Draft), at(0)), Err(Refusal::NotYetOpen));
        assert_eq!(takes_ballots(&round(RoundState::Open), at(999)), Ok(()));
        assert_eq!(takes_ballots(&round(RoundState::Open), at(1_000)), Err(Refusal::Closed));
        assert_eq!(takes_ballots(&round(RoundState::Closed), at(0)), Err(Refusal::Closed));
    }

    #[test]
    fn a_choice_names_one_option_by_id_before_label() {
        let choose = |named: &[&str]| {
            let named: Vec<String> = named.iter().map(ToString::to_string).collect();
            choose(&round(RoundState::Open), &named).map(|choice| choice.to_string())
        };
        assert_eq!(choose(&["cats"]), Ok("cats".into()));
        assert_eq!(choose(&["Dogs"]), Ok("dogs".into()));
        assert_eq!(choose(&["birds"]), Err(InvalidChoice::NoSuchOption(None)));
        assert_eq!(choose(&[]), Err(InvalidChoice::NotOne));
        assert_eq!(choose(&["cats", "dogs"]), Err(InvalidChoice::NotOne));
    }

    #[test]
    fn an_approval_ballot_names_options_once_each_and_not_more_than_it_may() {
        let choose = |max_choices: Option<u32>, named: &[&str]| {
            let named: Vec<String> = named.iter().map(ToString::to_string).collect();
            let round = Round { method: Method::Approval, max_choices, ..round(RoundState::Open) };
            choose(&round, &named).map(|choice| choice.to_string())
        };
        assert_eq!(choose(None, &["option-3", "Dogs", "cats"]), Ok("cats,dogs,option-3".into()));
        assert_eq!(choose(Some(2), &["dogs", "cats"]), Ok("cats,dogs".into()));
        assert_eq!(choose(Some(1), &["dogs"]), Ok("dogs".into()));
        assert_eq!(choose(Some(2), &[]), Err(InvalidChoice::NotAny));
        assert_eq!(choose(Some(2), &["cats", "dogs", "option-3"]), Err(InvalidChoice::TooMany(2)));
        assert_eq!(choose(Some(7), &["cats"; 4]), Err(InvalidChoice::TooMany(3)));
        assert_eq!(choose(None, &["dogs", "Dogs"]), Err(InvalidChoice::Twice(1)));
        assert_eq!(choose(None, &["dogs", "birds"]), Err(InvalidChoice::NoSuchOption(Some(1))));
        assert_eq!(InvalidChoice::NoSuchOption(Some(1)).field(), "choice[1]");
        assert_eq!(InvalidChoice::TooMany(2).field(), "choice");
    }
}
