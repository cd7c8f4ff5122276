//! The log of a round beside its scoreboard: what differs, and how that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use subjects::{Ledger, OptionId, Round, RoundId, Timestamp};

use crate::{Fault, Recount};

/// The log of one round beside its scoreboard, at the same sequence.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Which round.
    pub round: RoundId,
    /// What the log says.
    pub log: Counts,
    /// What the scoreboard says.
    pub scoreboard: Counts,
    /// When the last message of the log that was counted was stored, if that is known.
    pub stored_at: Option<Timestamp>,
    /// How long the recount took.
    pub took: Duration,
    /// Whether the log's counts were put in place of the scoreboard's.
    pub is_repaired: bool,
    title: String,
    faults: Vec<Fault>,
    fault_count: u64,
}

/// The counts of a round at a sequence of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The last sequence that is in these counts; 0 for none.
    pub sequence: u64,
    /// Votes per option. Signed: a log that contradicts itself must show, not wrap around.
    pub votes: BTreeMap<OptionId, i64>,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
    /// Whether the seal was passed.
    pub is_final: bool,
}

/// One figure, in the log and on the scoreboard.
struct Row {
    name: String,
    log: i64,
    scoreboard: i64,
}

impl Comparison {
    /// Compares a recount of the round with its scoreboard, which is not repaired.
    pub fn new(round: &Round, recount: &Recount, scoreboard: Counts) -> Self {
        Self {
            round: round.id.clone(),
            log: Counts::of(recount).without_zeros(),
            scoreboard: scoreboard.without_zeros(),
            stored_at: None,
            took: Duration::ZERO,
            is_repaired: false,
            title: round.title.clone(),
            faults: recount.faults.clone(),
            fault_count: recount.fault_count,
        }
    }

    /// Whether the log and the scoreboard say different things.
    pub fn differs(&self) -> bool {
        self.log != self.scoreboard
    }

    /// Whether the log contradicts nothing: neither itself nor the scoreboard, as that is now.
    pub fn agrees(&self) -> bool {
        self.fault_count == 0 && (self.is_repaired || !self.differs())
    }

    /// The comparison for a person.
    pub fn table(&self) -> String {
        let mut text = format!("{} · {}\n", self.round, self.title);
        let mut line = |name: &str, log: &str, scoreboard: &str, difference: &str| {
            let _ = writeln!(text, "  {name:<32} {log:>14} {scoreboard:>14} {difference:>12}");
        };
        line("", "log", "scoreboard", "difference");
        for Row { name, log, scoreboard } in self.rows() {
            line(&name, &log.to_string(), &scoreboard.to_string(), &(scoreboard - log).to_string());
        }
        for fault in &self.faults {
            let _ = writeln!(text, "  {fault}");
        }
        let (ballots, seconds, verdict) = (self.log.ledger.accepted, self.took.as_secs_f64(), self.verdict());
        let _ = writeln!(text, "  {ballots} ballots in {seconds:.2} s: {verdict}\n");
        text
    }

    /// The comparison for a program.
    pub fn json(&self) -> Value {
        json!({
            "round": self.round,
            "title": self.title,
            "log": self.log.json(),
            "scoreboard": self.scoreboard.json(),
            "faults": self.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "fault_count": self.fault_count,
            "repaired": self.is_repaired,
            "agrees": self.agrees(),
            "duration_seconds": self.took.as_secs_f64(),
        })
    }

    /// What is compared: the options of both sides, the ledger, and how far each side has come.
    fn rows(&self) -> Vec<Row> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let row = |name: &str, of: &dyn Fn(&Counts) -> i64| Row {
            name: name.to_owned(),
            log: of(&self.log),
            scoreboard: of(&self.scoreboard),
        };
        let options: BTreeSet<&OptionId> =
            self.log.votes.keys().chain(self.scoreboard.votes.keys()).collect();
        let mut rows: Vec<Row> = options
            .into_iter()
            .map(|option| row(option.as_str(), &|counts| counts.votes.get(option).copied().unwrap_or(0)))
            .collect();
        rows.extend([
            row("= accepted", &|counts| signed(counts.ledger.accepted)),
            row("= counted", &|counts| signed(counts.ledger.counted)),
            row("= replaced", &|counts| signed(counts.ledger.replaced)),
            row("= unreadable", &|counts| signed(counts.ledger.unreadable)),
            row("= counted to", &|counts| signed(counts.sequence)),
            row("= final", &|counts| i64::from(counts.is_final)),
        ]);
        rows
    }

    fn verdict(&self) -> &'static str {
        match (self.fault_count, self.is_repaired, self.differs()) {
            (0, _, false) => "the log and the scoreboard agree",
            (0, true, true) => "THEY DIFFERED; the scoreboard now says what the log says",
            (0, false, true) => "THEY DIFFER; --repair puts the log's counts in place",
            _ => "THE LOG CONTRADICTS ITSELF",
        }
    }
}

impl Counts {
    /// What a recount has counted so far.
    pub fn of(recount: &Recount) -> Self {
        let Recount { sequence, accepted, replaced, unreadable, .. } = *recount;
        Self {
            sequence,
            votes: recount.votes(),
            ledger: Ledger { accepted, counted: recount.counted(), replaced, unreadable },
            is_final: recount.sealed_at.is_some(),
        }
    }

    /// An option that nobody chose any more may be there with zero or not at all.
    fn without_zeros(mut self) -> Self {
        self.votes.retain(|_, votes| *votes != 0);
        self
    }

    fn json(&self) -> Value {
        json!({
            "sequence": self.sequence, "counts": self.votes, "ledger": self.ledger, "final": self.is_final,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAST: &str = "vote.demo.cast";

    fn option(name: &str) -> OptionId {
        OptionId::parse(name).unwrap()
    }

    /// Two voters chose cats; one of them has changed to dogs.
    fn recount() -> Recount {
        let ballot = |number: u8, voter: u8, choice: &str, replaces: &str| {
            let (ballot, voter) = (id(number), format!("{voter:02x}").repeat(16));
            format!(r#"{{"ballot":"{ballot}","voter":"{voter}","choice":["{choice}"]{replaces}}}"#)
        };
        let replaces = format!(r#","replaces":{{"ballot":"{}","choice":["cats"]}}"#, id(1));
        let mut recount = Recount::default();
        let ballots = [ballot(1, 1, "cats", ""), ballot(2, 2, "cats", ""), ballot(3, 1, "dogs", &replaces)];
        for (sequence, ballot) in (1..).zip(ballots) {
            recount.take(sequence, CAST, &block(&ballot));
        }
        recount
    }

    fn id(number: u8) -> String {
        format!("67e55044-10b1-426f-9247-0000000000{number:02x}")
    }

    fn block(ballot: &str) -> Vec<u8> {
        format!(r#"{{"at":"2026-11-21T09:30:00Z","round":"demo","ballots":[{ballot}]}}"#).into_bytes()
    }

    fn compare(recount: &Recount, scoreboard: Counts) -> Comparison {
        let title = "Cats or dogs?".to_owned();
        let round = Round { title, ..Round::blank(RoundId::parse("demo").unwrap()) };
        let took = Duration::from_millis(1_250);
        Comparison { took, ..Comparison::new(&round, recount, scoreboard) }
    }

    /// Its table and its JSON are as they were.
    fn is_told_as(name: &str, comparison: &Comparison) {
        assert!(comparison.table().ends_with("\n\n"), "an empty line stands between rounds");
        // The order of fields depends on what else is built with serde_json.
        insta::with_settings!({
            prepend_module_to_snapshot => false, omit_expression => true, sort_maps => true,
        }, {
            insta::assert_snapshot!(format!("{name}.table"), comparison.table());
            insta::assert_json_snapshot!(format!("{name}.json"), comparison.json());
        });
    }

    #[test]
    fn a_scoreboard_that_says_the_same_agrees() {
        let recount = recount();
        let comparison = compare(&recount, Counts::of(&recount));
        assert!(comparison.agrees() && !comparison.differs());
        is_told_as("agrees", &comparison);
    }

    #[test]
    fn a_scoreboard_that_says_anything_else_differs() {
        let recount = recount();
        let right = Counts::of(&recount);
        let votes = BTreeMap::from([(option("cats"), 2), (option("dogs"), 1), (option("eels"), -1)]);
        let wrong_votes = Counts { votes, ..right.clone() };
        let wrong_ledger = Counts { ledger: Ledger { replaced: 0, ..right.ledger }, ..right.clone() };
        let behind = Counts { sequence: 2, ..right.clone() };
        let is_final = Counts { is_final: true, ..right };
        for wrong in [&wrong_votes, &wrong_ledger, &behind, &is_final, &Counts::default()] {
            let comparison = compare(&recount, wrong.clone());
            assert!(comparison.differs() && !comparison.agrees(), "{wrong:?}");
        }
        is_told_as("differs", &compare(&recount, wrong_votes));
        is_told_as("behind", &compare(&recount, Counts::default()));
    }

    #[test]
    fn an_option_with_no_votes_left_may_be_zero_or_absent() {
        let mut recount = recount();
        let replaces = format!(r#","replaces":{{"ballot":"{}","choice":["cats"]}}"#, id(2));
        let (ballot, voter) = (id(4), "02".repeat(16));
        let last = format!(r#"{{"ballot":"{ballot}","voter":"{voter}","choice":["dogs"]{replaces}}}"#);
        recount.take(4, CAST, &block(&last));
        let zero = Counts::of(&recount);
        assert_eq!(zero.votes[&option("cats")], 0, "the last vote for it was moved");
        let mut absent = zero.clone();
        absent.votes.remove(&option("cats"));
        let other_zero =
            Counts { votes: BTreeMap::from([(option("dogs"), 2), (option("eels"), 0)]), ..zero.clone() };
        for scoreboard in [zero, absent, other_zero] {
            assert!(compare(&recount, scoreboard.clone()).agrees(), "{scoreboard:?}");
        }
    }

    #[test]
    fn a_log_that_contradicts_itself_never_agrees() {
        let mut recount = recount();
        recount.take(
            4,
            "vote.demo.sealed",
            br#"{"at":"2026-11-21T09:30:00Z","round":"demo","reason":"closed"}"#,
        );
        let forged = format!(r#"{{"ballot":"{}","voter":"{}","choice":["cats"]}}"#, id(5), "01".repeat(16));
        recount.take(5, CAST, &block(&forged));
        let mut comparison = compare(&recount, Counts::of(&recount));
        assert!(!comparison.differs() && !comparison.agrees());
        is_told_as("contradiction", &comparison);
        comparison.is_repaired = true;
        assert!(!comparison.agrees(), "no count can repair a log");
    }

    #[test]
    fn a_scoreboard_that_was_repaired_agrees_and_says_that_it_differed() {
        let recount = recount();
        let repaired = Comparison { is_repaired: true, ..compare(&recount, Counts::default()) };
        assert!(repaired.agrees());
        is_told_as("repaired", &repaired);
    }
}
