//! Who sees the results of a round, and when.

use subjects::{ResultsVisibility, Round, RoundState};

/// Who looks, as far as it opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Whoever runs the round.
    Organiser,
    /// Somebody who has voted in it.
    HasVoted,
    /// Everybody else.
    Anybody,
}

/// Whether `viewer` sees the results of `round` as it now is.
pub fn sees(round: &Round, viewer: Viewer) -> bool {
    match viewer {
        _ if round.shows_results_to_all() => true,
        Viewer::Organiser => true,
        Viewer::HasVoted => round.results_visibility == ResultsVisibility::AfterVoting,
        Viewer::Anybody => false,
    }
}

/// When the results are shown, for whoever does not see them yet.
pub fn hidden_words(round: &Round) -> &'static str {
    match round.results_visibility {
        ResultsVisibility::AfterVoting => {
            "The results of this round are shown to whoever has voted, and to everybody when it is closed."
        }
        ResultsVisibility::Always | ResultsVisibility::AfterClose => {
            "The results of this round are shown when it is closed."
        }
    }
}

/// Why not everybody sees what `viewer` sees; nothing when everybody does.
pub fn not_for_all(round: &Round, viewer: Viewer) -> Option<&'static str> {
    if round.shows_results_to_all() {
        return None;
    }
    match viewer {
        Viewer::Organiser => Some(
            "You see these results because you run this round. Others do not yet: take care where you show this page.",
        ),
        Viewer::HasVoted => {
            Some("You see these results because you have voted. Others see them when they have.")
        }
        Viewer::Anybody => None,
    }
}

/// Whether the results may be taken away as a table: by everybody when nothing in them will change any more.
pub fn may_export(round: &Round, is_final: bool, viewer: Viewer) -> Result<(), NoExport> {
    match viewer {
        Viewer::Organiser => Ok(()),
        _ if round.state != RoundState::Closed => Err(NoExport::NotClosed),
        _ if !is_final => Err(NoExport::NotFinal),
        _ => Ok(()),
    }
}

/// Why the results may not be taken away yet. The words are for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExport {
    /// Ballots may still come.
    NotClosed,
    /// The last ballots are being counted.
    NotFinal,
}

impl NoExport {
    /// The reason as a sentence, and what to do.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotClosed => {
                "Everybody may take this table away when the round is closed; before, whoever runs the round."
            }
            Self::NotFinal => "The last ballots of this round are being counted. Try again in a moment.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::RoundId;

    const VIEWERS: [Viewer; 3] = [Viewer::Organiser, Viewer::HasVoted, Viewer::Anybody];

    fn round(results_visibility: ResultsVisibility, state: RoundState) -> Round {
        Round { results_visibility, state, ..Round::blank(RoundId::parse("demo").unwrap()) }
    }

    #[test]
    fn results_are_shown_to_whom_the_round_says_and_to_everybody_once_it_is_closed() {
        for (results, seen) in [
            (ResultsVisibility::Always, [true, true, true]),
            (ResultsVisibility::AfterVoting, [true, true, false]),
            (ResultsVisibility::AfterClose, [true, false, false]),
        ] {
            for state in [RoundState::Draft, RoundState::Open] {
                assert_eq!(VIEWERS.map(|viewer| sees(&round(results, state), viewer)), seen, "{results:?}");
            }
            let closed = round(results, RoundState::Closed);
            assert_eq!(VIEWERS.map(|viewer| sees(&closed, viewer)), [true; 3]);
        }
    }

    #[test]
    fn whoever_sees_what_others_do_not_is_told_so() {
        let told =
            |results, state| VIEWERS.map(|viewer| not_for_all(&round(results, state), viewer).is_some());
        assert_eq!(told(ResultsVisibility::AfterVoting, RoundState::Open), [true, true, false]);
        assert_eq!(told(ResultsVisibility::Always, RoundState::Open), [false; 3]);
        assert_eq!(told(ResultsVisibility::AfterClose, RoundState::Closed), [false; 3]);
    }

    #[test]
    fn a_table_is_the_organisers_at_any_moment_and_everybodys_at_the_end() {
        let may = |state, is_final| {
            VIEWERS.map(|viewer| may_export(&round(ResultsVisibility::Always, state), is_final, viewer))
        };
        let (open, final_) = (may(RoundState::Open, false), may(RoundState::Closed, true));
        assert_eq!(open, [Ok(()), Err(NoExport::NotClosed), Err(NoExport::NotClosed)]);
        assert_eq!(
            may(RoundState::Closed, false),
            [Ok(()), Err(NoExport::NotFinal), Err(NoExport::NotFinal)]
        );
        assert_eq!(final_, [Ok(()); 3]);
    }
}
