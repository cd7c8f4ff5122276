//! What makes a ballot a ballot. Pure: facts in, decision out.

mod admission;
mod fold;

pub use admission::{NotAdmitted, Shown, admits};
pub use fold::{Ballot, Draft, Fold, Standing, Verdict};

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

/// What is wrong with a choice. The words complete "choice …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChoice {
    /// Plurality wants exactly one.
    #[error("must name exactly one option of this round")]
    NotOne,
    /// No option has this name.
    #[error("names an option that this round does not have")]
    NoSuchOption,
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
                option_named(round, one).map(|option| Choice(vec![option])).ok_or(InvalidChoice::NoSuchOption)
            }
            _ => Err(InvalidChoice::NotOne),
        },
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
    use subjects::{Policy, RoundId, RoundOption};

    fn round(state: RoundState) -> Round {
        let option = |id, label: &str| RoundOption { id: OptionId::parse(id).unwrap(), label: label.into() };
        Round {
            id: RoundId::parse("demo").unwrap(),
            title: "Cats or dogs?".into(),
            description: String::new(),
            owner: None,
            options: vec![option("cats", "Cats"), option("dogs", "Dogs"), option("option-3", "cats")],
            method: Method::Plurality,
            policy: Policy::Anyone,
            programs: true,
            emails: Vec::new(),
            changeable: true,
            state,
            opens_at: None,
            closes_at: Some(at(1_000)),
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
        assert_eq!(choose(&["birds"]), Err(InvalidChoice::NoSuchOption));
        assert_eq!(choose(&[]), Err(InvalidChoice::NotOne));
        assert_eq!(choose(&["cats", "dogs"]), Err(InvalidChoice::NotOne));
    }
}
