//! What watchers see. Pure: a round and its newest counts in, lines and percentages out.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use subjects::{Ledger, Policy, Round, RoundId, RoundState, TallyCounted};
use templates::{Counting, ResultLine, ResultPage, RoundHead, Visitor, ladder_words};

/// What watchers of one round see, ready to be sent to all of them.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it says.
    pub view: Arc<View>,
    /// The same as JSON.
    pub json: Bytes,
    /// The same as a server-sent event.
    pub event: Bytes,
    /// Whether something else was shown under the same sequence before.
    pub is_told_anew: bool,
}

/// The result of one round, as far as it is counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Which round.
    pub round: RoundId,
    /// What is being asked.
    pub title: String,
    /// Where the round stands.
    pub state: RoundState,
    /// Who may vote.
    pub policy: Policy,
    /// The same in plain words, and how sure it is.
    pub policy_words: String,
    /// The last sequence of the round's log that is counted.
    pub sequence: u64,
    /// The last sequence of the round's log, as far as it is known.
    pub head: u64,
    /// Ballots that count.
    pub total: u64,
    /// Votes per option, in the round's order.
    pub lines: Vec<ResultLine>,
    /// Whether the counts will never change.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether the counter is at work.
    pub counting: Counting,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
}

impl View {
    /// Puts a round and its newest counts together. Without counts every option has none.
    pub fn of(round: &Round, tally: Option<&TallyCounted>, counting: Counting) -> Self {
        let ledger = tally.map(|tally| tally.ledger).unwrap_or_default();
        let lines = round.options.iter().map(|option| {
            let votes = tally.and_then(|tally| tally.counts.get(&option.id)).copied().unwrap_or(0);
            let share = percent(votes, ledger.counted);
            ResultLine { option: option.id.to_string(), label: option.label.clone(), votes, share }
        });
        Self {
            round: round.id.clone(),
            title: round.title.clone(),
            state: round.state,
            policy: round.policy,
            policy_words: ladder_words(round.policy, round.programs, !round.emails.is_empty()),
            sequence: tally.map_or(0, |tally| tally.sequence),
            head: tally.map_or(0, |tally| tally.head),
            total: ledger.counted,
            lines: lines.collect(),
            is_final: tally.is_some_and(|tally| tally.is_final),
            counting,
            ledger,
        }
    }

    /// The page that shows it to `visitor`.
    pub fn page(&self, visitor: Visitor) -> ResultPage {
        ResultPage {
            visitor,
            round: RoundHead { id: self.round.to_string(), title: self.title.clone(), state: self.state },
            policy_words: self.policy_words.clone(),
            lines: self.lines.clone(),
            total: self.total,
            sequence: self.sequence,
            head: self.head,
            is_final: self.is_final,
            counting: self.counting,
            ledger: self.ledger,
        }
    }

    /// Writes it once, for however many watch.
    pub fn shown(self) -> Shown {
        let json = serde_json::to_string(&self).expect("a view has no map with keys that JSON does not have");
        let event = format!("id: {}\nevent: result\ndata: {json}\n\n", self.sequence);
        Shown { view: Arc::new(self), json: json.into(), event: event.into(), is_told_anew: false }
    }
}

/// `part` of `whole` in percent, with one decimal; 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 * 1_000.0 / whole as f64).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{EmailRule, Method, OptionId, RoundOption, Timestamp};

    fn round() -> Round {
        let option = |id, label: &str| RoundOption { id: OptionId::parse(id).unwrap(), label: label.into() };
        Round {
            id: RoundId::parse("demo").unwrap(),
            title: "Cats\nor dogs?".into(),
            description: String::new(),
            owner: None,
            options: vec![option("dogs", "Dogs"), option("cats", "Cats")],
            method: Method::Plurality,
            policy: Policy::Anyone,
            programs: true,
            emails: Vec::new(),
            changeable: true,
            state: RoundState::Open,
            opens_at: None,
            closes_at: None,
        }
    }

    fn tally(cats: u64) -> TallyCounted {
        TallyCounted {
            at: Timestamp::from_unix_millis(0).unwrap(),
            round: RoundId::parse("demo").unwrap(),
            sequence: 9,
            head: 10,
            counts: [(OptionId::parse("cats").unwrap(), cats)].into(),
            ledger: Ledger { accepted: 4, counted: 3, replaced: 1, unreadable: 0 },
            is_final: false,
        }
    }

    #[test]
    fn options_keep_the_rounds_order_and_those_without_votes_are_shown() {
        let view = View::of(&round(), Some(&tally(2)), Counting::Current);
        let lines: Vec<_> =
            view.lines.iter().map(|line| (line.option.as_str(), line.votes, line.share)).collect();
        assert_eq!(lines, [("dogs", 0, 0.0), ("cats", 2, 66.7)]);
        assert_eq!((view.total, view.sequence), (3, 9));
    }

    #[test]
    fn a_round_without_a_ballot_shows_zeros() {
        let view = View::of(&round(), None, Counting::Current);
        assert_eq!((view.total, view.sequence), (0, 0));
        assert!(view.lines.iter().all(|line| line.votes == 0 && line.share == 0.0));
    }

    #[test]
    fn a_result_says_who_may_vote() {
        let limited = Round {
            policy: Policy::Account,
            emails: vec![EmailRule::parse("@example.org").unwrap()],
            ..round()
        };
        let json = View::of(&limited, None, Counting::Current).shown().json;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["policy"], "account");
        assert!(json["policy_words"].as_str().unwrap().contains("on the organiser's list"));
        assert!(!json.to_string().contains("example.org"), "a list of addresses is not told");
    }

    #[test]
    fn an_event_is_three_lines_with_the_sequence_as_its_id() {
        let event = View::of(&round(), Some(&tally(2)), Counting::Waiting).shown().event;
        let event = std::str::from_utf8(&event).unwrap();
        let lines: Vec<&str> = event.split('\n').collect();
        assert_eq!(lines[..2], ["id: 9", "event: result"]);
        assert!(lines[2].starts_with("data: {") && lines[2].contains(r#""counting":"waiting""#));
        assert_eq!(lines[3..], ["", ""]);
    }
}
