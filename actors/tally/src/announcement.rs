//! What is announced of a round's counts. Pure: counts in, announcement out.

use subjects::{RoundId, TallyCounted, Timestamp};

use crate::rules::Scoreboard;

/// The newest announcement of one round in TALLIES.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewestAnnouncement {
    /// Its sequence in TALLIES; 0 for none.
    pub sequence: u64,
    /// What it announces; `None` when there is none, or none that can be decoded.
    pub counts: Option<TallyCounted>,
}

/// The announcement of these counts, of a log that ends at `head`.
pub(crate) fn announcement(
    round: &RoundId,
    scoreboard: &Scoreboard,
    at: Timestamp,
    head: u64,
) -> TallyCounted {
    let Scoreboard { sequence, votes, ledger, is_final, .. } = scoreboard;
    let counts = votes.iter().map(|(option, votes)| (option.clone(), u64::try_from(*votes).unwrap_or(0)));
    TallyCounted {
        at,
        round: round.clone(),
        sequence: *sequence,
        head,
        counts: counts.collect(),
        ledger: *ledger,
        is_final: *is_final,
        generation: generation(scoreboard),
    }
}

/// How often an operator has replaced these counts.
pub(crate) fn generation(scoreboard: &Scoreboard) -> u64 {
    u64::try_from(scoreboard.generation).unwrap_or(0)
}

/// Whether two announcements differ in nothing but their moment.
pub(crate) fn same(one: &TallyCounted, other: &TallyCounted) -> bool {
    TallyCounted { at: other.at, ..one.clone() } == *other
}

/// Whether a round is counted to its seal and its final counts are announced. A tally may have died between the two.
pub fn is_done(round: &RoundId, scoreboard: &Scoreboard, newest: Option<&TallyCounted>) -> bool {
    let announces =
        |newest: &TallyCounted| same(newest, &announcement(round, scoreboard, newest.at, newest.head));
    scoreboard.is_final && newest.is_some_and(announces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::OptionId;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).unwrap()
    }

    fn round() -> RoundId {
        RoundId::parse("demo").unwrap()
    }

    #[test]
    fn counts_that_contradict_themselves_are_announced_as_zero() {
        let votes = [(OptionId::parse("cats").unwrap(), -1), (OptionId::parse("dogs").unwrap(), 2)].into();
        let counts = announcement(&round(), &Scoreboard { votes, ..Scoreboard::default() }, at(0), 0).counts;
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn a_round_is_done_when_its_final_counts_are_announced() {
        let counts = Scoreboard { sequence: 3, is_final: true, ..Scoreboard::default() };
        let announced = announcement(&round(), &counts, at(1), 3);
        assert!(is_done(&round(), &counts, Some(&announced)));
        assert!(!is_done(&round(), &counts, None), "nobody was told");
        let older = TallyCounted { sequence: 2, ..announced.clone() };
        assert!(!is_done(&round(), &counts, Some(&older)), "other counts were announced");
        let repaired = Scoreboard { generation: 1, ..counts.clone() };
        assert!(!is_done(&round(), &repaired, Some(&announced)), "those before a repair were announced");
        let not_final = Scoreboard { is_final: false, ..counts };
        let announced = announcement(&round(), &not_final, at(1), 3);
        assert!(!is_done(&round(), &not_final, Some(&announced)));
    }
}
