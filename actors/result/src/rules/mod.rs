//! What watchers see. Pure: a round and its newest counts in, lines and percentages out.
//!
//! - [`beat`] when they are told
//! - [`sight`] who sees it, and when
//! - [`table`] the same as CSV

pub mod beat;
pub mod sight;
pub mod table;

use std::sync::Arc;

use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use subjects::{
    Eligibility, Ledger, Method, ResultsVisibility, Round, RoundId, RoundState, TallyCounted, Timestamp,
};
use templates::{Bars, Counting, ResultLine, RoundHead, eligibility_description, picture_address};
use utoipa::ToSchema;

use crate::page::shapes;

/// What watchers of one round see, ready to be sent to all of them.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it says.
    pub view: Arc<View>,
    /// The round it is of: who may see it hangs on the round as it was then.
    pub round: Arc<Round>,
    /// The same as JSON.
    pub json: Bytes,
    /// The same as a server-sent event.
    pub event: Bytes,
    /// Where the round stands, as a server-sent event without any number.
    pub stage: Bytes,
    /// The same with how many ballots are counted.
    pub turnout: Bytes,
    /// Whether something else was shown under the same sequence before.
    pub is_told_anew: bool,
}

/// The result of one round, as far as it is counted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Results)]
pub struct View {
    /// Which round.
    #[schema(value_type = String)]
    pub round: RoundId,
    /// What is being asked.
    pub title: String,
    /// Where the round stands.
    #[schema(value_type = shapes::State)]
    pub state: RoundState,
    /// When it opens by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opens_at: Option<Timestamp>,
    /// When it closes by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<Timestamp>,
    /// Who may vote.
    #[schema(value_type = shapes::Eligibility)]
    pub eligibility: Eligibility,
    /// The same in plain words, and how sure it is.
    pub eligibility_description: String,
    /// How a choice is made and counted.
    #[schema(value_type = shapes::Method)]
    pub method: Method,
    /// The last sequence of the round's log that is counted.
    pub sequence: u64,
    /// How often an operator has put a recount in place of the counts. If it is greater than it was, a smaller
    /// `sequence` is newer all the same.
    pub generation: u64,
    /// The last sequence of the round's log, as far as it is known.
    pub head: u64,
    /// Ballots that count.
    pub total: u64,
    /// Votes by the label of their option, in the round's order: for programs that look for nothing else.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    pub results: Labelled,
    /// Votes per option, in the round's order.
    #[schema(value_type = Vec<shapes::Line>)]
    pub lines: Vec<ResultLine>,
    /// Whether the counts will never change.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether the counter is at work.
    #[schema(value_type = shapes::Counting)]
    pub counting: Counting,
    /// Where every accepted ballot went: `accepted` is `counted` and `replaced` together.
    #[schema(value_type = shapes::Ledger)]
    pub ledger: Ledger,
}

/// Votes by label. Two options never have the same one.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled(Vec<(String, u64)>);

/// Where a round stands, for whoever may not see its results or does not want to.
#[derive(Serialize)]
struct Stage<'a> {
    round: &'a RoundId,
    title: &'a str,
    state: RoundState,
    opens_at: Option<Timestamp>,
    closes_at: Option<Timestamp>,
    /// When the results are shown, and to whom.
    results_visibility: ResultsVisibility,
    /// Whether they are not yet for everybody.
    hidden: bool,
    /// Ballots that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

impl View {
    /// Puts a round and its newest counts together. Without counts every option has none.
    pub fn of(round: &Round, tally: Option<&TallyCounted>, counting: Counting) -> Self {
        let ledger = tally.map(|tally| tally.ledger).unwrap_or_default();
        let lines = round.options.iter().map(|option| {
            let votes = tally.and_then(|tally| tally.counts.get(&option.id)).copied().unwrap_or(0);
            // Of the ballots: where one may stand for several options, there are more votes than ballots.
            let share = percent(votes, ledger.counted);
            let picture = picture_address(&round.id, option);
            ResultLine { option: option.id.to_string(), label: option.label.clone(), picture, votes, share }
        });
        let lines: Vec<ResultLine> = lines.collect();
        Self {
            round: round.id.clone(),
            title: round.title.clone(),
            state: round.state,
            opens_at: round.opens_at,
            closes_at: round.closes_at,
            eligibility: round.eligibility,
            eligibility_description: eligibility_description(
                round.eligibility,
                round.program_voters,
                !round.allowed_emails.is_empty(),
            ),
            method: round.method,
            sequence: tally.map_or(0, |tally| tally.sequence),
            generation: tally.map_or(0, |tally| tally.generation),
            head: tally.map_or(0, |tally| tally.head),
            total: ledger.counted,
            results: Labelled(lines.iter().map(|line| (line.label.clone(), line.votes)).collect()),
            lines,
            is_final: tally.is_some_and(|tally| tally.is_final),
            counting,
            ledger,
        }
    }

    /// Whether less is counted here than in `other`, and nobody has put it in place: a tally that recounts from the
    /// start has less for a while.
    pub fn is_behind(&self, other: &Self) -> bool {
        self.sequence < other.sequence && self.generation <= other.generation
    }

    /// What the pages show of it.
    pub fn bars(&self) -> Bars {
        let bars = Bars::new(self.method, self.lines.clone(), self.total, self.sequence);
        Bars { generation: self.generation, is_final: self.is_final, counting: self.counting, ..bars }
    }

    /// What every page says of its round.
    pub fn head_of_page(&self) -> RoundHead {
        RoundHead { id: self.round.to_string(), title: self.title.clone(), state: self.state }
    }

    /// Writes it once, for however many watch.
    pub fn shown(self, round: Arc<Round>) -> Shown {
        let json = written(&self);
        let event = format!("id: {}\nevent: result\ndata: {json}\n\n", self.sequence);
        let (stage, turnout) = (stage(&round, None), stage(&round, Some(self.total)));
        Shown {
            view: Arc::new(self),
            round,
            json: json.into(),
            event: event.into(),
            stage: stage.into(),
            turnout: turnout.into(),
            is_told_anew: false,
        }
    }
}

/// Where `round` stands, as an event. It has no id: that would be the sequence, which tells how many have voted.
fn stage(round: &Round, total: Option<u64>) -> String {
    let stage = Stage {
        round: &round.id,
        title: &round.title,
        state: round.state,
        opens_at: round.opens_at,
        closes_at: round.closes_at,
        results_visibility: round.results_visibility,
        hidden: !round.shows_results_to_all(),
        total,
    };
    format!("event: round\ndata: {}\n\n", written(&stage))
}

fn written(what: &impl Serialize) -> String {
    serde_json::to_string(what).expect("it has no map with keys that JSON does not have")
}

impl Serialize for Labelled {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (label, votes) in &self.0 {
            map.serialize_entry(label, votes)?;
        }
        map.end()
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
    use subjects::{EmailRule, OptionId, RoundOption, Timestamp};

    fn round() -> Round {
        let option = |id, label: &str| RoundOption::new(OptionId::parse(id).unwrap(), label);
        Round {
            title: "Cats\nor dogs?".into(),
            options: vec![option("dogs", "Dogs"), option("cats", "Cats")],
            state: RoundState::Open,
            allow_changes: true,
            ..Round::blank(RoundId::parse("demo").unwrap())
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
            generation: 0,
        }
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    /// What is sent is what the snapshot of this name shows, to the byte.
    fn is_sent(name: &str, bytes: &[u8]) {
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, text(bytes));
        });
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
            eligibility: Eligibility::Account,
            allowed_emails: vec![EmailRule::parse("@example.org").unwrap()],
            ..round()
        };
        let json = View::of(&limited, None, Counting::Current).shown(Arc::new(limited)).json;
        assert!(!text(&json).contains("example.org"), "a list of addresses is not told");
        is_sent("limited.json", &json);
    }

    #[test]
    fn an_event_is_three_lines_with_the_sequence_as_its_id() {
        let event = View::of(&round(), Some(&tally(2)), Counting::Waiting).shown(Arc::new(round())).event;
        let lines: Vec<&str> = text(&event).split('\n').collect();
        assert_eq!((lines.len(), &lines[3..]), (5, ["", ""].as_slice()), "an empty line ends it");
        is_sent("result.event", &event);
    }

    #[test]
    fn votes_are_told_by_label_too_in_the_rounds_order() {
        let json = View::of(&round(), Some(&tally(2)), Counting::Current).shown(Arc::new(round())).json;
        assert!(text(&json).contains(r#""results":{"Dogs":0,"Cats":2}"#), "{}", text(&json));
        is_sent("result.json", &json);
    }

    #[test]
    fn where_a_round_stands_is_told_without_any_number() {
        let shown = View::of(&round(), Some(&tally(2)), Counting::Current).shown(Arc::new(round()));
        let stage = text(&shown.stage);
        assert!(stage.ends_with("}\n\n"), "an empty line ends it");
        for never in ["id:", "sequence", "total", "lines", "ledger", "votes"] {
            assert!(!stage.contains(never), "{never} in {stage}");
        }
        is_sent("stage.event", &shown.stage);
        is_sent("turnout.event", &shown.turnout);
    }

    #[test]
    fn a_share_is_of_the_ballots_where_one_may_stand_for_several_options() {
        let counts = [("cats", 3), ("dogs", 2)].map(|(id, votes)| (OptionId::parse(id).unwrap(), votes));
        let tally = TallyCounted { counts: counts.into(), ..tally(0) };
        let approval = Round { method: Method::Approval, ..round() };
        let view = View::of(&approval, Some(&tally), Counting::Current);
        assert_eq!(view.lines.iter().map(|line| line.share).collect::<Vec<_>>(), [66.7, 100.0]);
        assert_eq!(view.total, 3);
    }
}
