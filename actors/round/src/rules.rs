//! What makes a round a round. Pure: facts in, decision out.

use subjects::{Method, OptionId, Policy, Round, RoundId, RoundOption, RoundState, Timestamp};

/// The name of the demonstration round.
pub const DEMONSTRATION: &str = "demo";
/// The longest title or label, in characters.
pub const TEXT_MAX: usize = 200;
/// How many options a round may have.
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=100;

/// Why a round cannot be made. The words are for its organiser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRound {
    /// No title.
    #[error("the title must have 1 to {TEXT_MAX} characters that can be seen")]
    Title,
    /// Too few or too many options.
    #[error("a round must have {least} to {most} options, not {0}", least = OPTIONS.start(), most = OPTIONS.end())]
    Options(usize),
    /// A label that cannot be read.
    #[error("option {0} must have 1 to {TEXT_MAX} characters that can be seen")]
    Label(usize),
    /// Two options that cannot be told apart.
    #[error("two options are called {0}")]
    SameLabel(String),
}

/// Why a round cannot be closed. The words are for its organiser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClosable {
    /// Nobody could vote yet.
    #[error("the round {0} was never open")]
    Draft(RoundId),
    /// It is closed.
    #[error("the round {0} is closed")]
    Closed(RoundId),
}

/// The round, closed.
///
/// # Errors
/// [`NotClosable`] unless it is open.
pub fn close(round: &Round) -> Result<Round, NotClosable> {
    match round.state {
        RoundState::Draft => Err(NotClosable::Draft(round.id.clone())),
        RoundState::Open => Ok(Round { state: RoundState::Closed, ..round.clone() }),
        RoundState::Closed => Err(NotClosable::Closed(round.id.clone())),
    }
}

/// Whether an open round should have closed by itself at `now`.
pub fn is_over(round: &Round, now: Timestamp) -> bool {
    round.state == RoundState::Open && round.closes_at.is_some_and(|moment| moment <= now)
}

/// The demonstration round: open from the start, and votes may be changed until it closes.
///
/// # Errors
/// [`InvalidRound`] when nobody could read or tell apart what is to be voted on.
pub fn demonstration(
    title: &str,
    labels: &[String],
    closes_at: Option<Timestamp>,
) -> Result<Round, InvalidRound> {
    let title = readable(title).ok_or(InvalidRound::Title)?;
    if !OPTIONS.contains(&labels.len()) {
        return Err(InvalidRound::Options(labels.len()));
    }
    let mut readable_labels: Vec<String> = Vec::with_capacity(labels.len());
    for (place, label) in (1..).zip(labels) {
        let label = readable(label).ok_or(InvalidRound::Label(place))?;
        if readable_labels.contains(&label) {
            return Err(InvalidRound::SameLabel(label));
        }
        readable_labels.push(label);
    }
    let ids = OptionId::from_labels(&readable_labels);
    let options = ids.into_iter().zip(readable_labels).map(|(id, label)| RoundOption { id, label }).collect();
    Ok(Round {
        id: RoundId::parse(DEMONSTRATION).expect("the name is a slug"),
        title,
        options,
        method: Method::Plurality,
        policy: Policy::Anyone,
        changeable: true,
        state: RoundState::Open,
        closes_at,
    })
}

/// The text without blanks around it; `None` when nothing can be seen or there is too much of it.
fn readable(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[&str]) -> Vec<String> {
        labels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_demonstration_round_is_open_and_lets_votes_be_changed() {
        let round = demonstration(" Cats or dogs? ", &labels(&["Cats", " Dogs "]), None).unwrap();
        assert_eq!((round.id.as_str(), round.title.as_str()), ("demo", "Cats or dogs?"));
        assert_eq!(round.state, RoundState::Open);
        assert!(round.changeable);
        let options: Vec<_> =
            round.options.iter().map(|option| (option.id.as_str(), option.label.as_str())).collect();
        assert_eq!(options, [("cats", "Cats"), ("dogs", "Dogs")]);
    }

    #[test]
    fn what_nobody_could_read_or_tell_apart_is_refused() {
        let refused =
            |title: &str, options: &[&str]| demonstration(title, &labels(options), None).unwrap_err();
        let long = "x".repeat(TEXT_MAX + 1);
        assert_eq!(refused("  ", &["A", "B"]), InvalidRound::Title);
        assert_eq!(refused(&long, &["A", "B"]), InvalidRound::Title);
        assert_eq!(refused("T", &["A"]), InvalidRound::Options(1));
        assert_eq!(refused("T", &["A", ""]), InvalidRound::Label(2));
        assert_eq!(refused("T", &["A", "B\u{0}"]), InvalidRound::Label(2));
        assert_eq!(refused("T", &["A", "B", "A "]), InvalidRound::SameLabel("A".into()));
    }

    #[test]
    fn a_round_closes_once_and_is_over_at_its_closing_time() {
        let at = |millis| Timestamp::from_unix_millis(millis).unwrap();
        let open = demonstration("T", &labels(&["A", "B"]), Some(at(1_000))).unwrap();
        assert!(!is_over(&open, at(999)));
        assert!(is_over(&open, at(1_000)));
        let closed = close(&open).unwrap();
        assert_eq!(closed.state, RoundState::Closed);
        assert!(!is_over(&closed, at(1_000)));
        assert_eq!(close(&closed), Err(NotClosable::Closed(open.id.clone())));
        let draft = Round { state: RoundState::Draft, ..open };
        assert_eq!(close(&draft), Err(NotClosable::Draft(draft.id.clone())));
    }
}
