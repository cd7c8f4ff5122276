//! The answer, to be read.

use std::fmt::Write;

use crate::args::Args;
use crate::plan::{events_per_watcher, full_block, synced};
use crate::{Constants, Outcome, Plan};

/// The widths of the columns: what, how many of it, what each of them does.
const WIDTHS: [usize; 3] = [28, 9, 46];

/// A row about machines.
struct Row {
    what: &'static str,
    number: u32,
    each: String,
    busy: f64,
    is_simulated: bool,
}

/// All that is known.
struct Answer<'a> {
    args: &'a Args,
    constants: &'a Constants,
    plan: &'a Plan,
    outcome: &'a Outcome,
}

/// Draws the plan and the outcome.
pub(crate) fn draw(args: &Args, constants: &Constants, plan: &Plan, outcome: &Outcome) -> String {
    let answer = Answer { args, constants, plan, outcome };
    let mut rows = Vec::from(answer.log());
    rows.extend(answer.behind());
    // Connections come without TLS, and are not planned for.
    if args.crowd.connections.is_none() {
        rows.extend(answer.edges());
    }
    let mut text = answer.crowd() + "\n\n";
    line(&mut text, ["", "number", "each of them, in the busiest moment", "busy"]);
    for row in &rows {
        let busy = format!("{:.2}{}", row.busy, if row.is_simulated { "  simulated" } else { "" });
        line(&mut text, [row.what, &thousands(f64::from(row.number)), &row.each, &busy]);
    }
    text.push('\n');
    for (what, came) in answer.voters().into_iter().chain(answer.ballots()) {
        let _ = writeln!(text, "{what:<38} {came}");
    }
    if let Some(row) = rows.iter().max_by(|one, other| one.busy.total_cmp(&other.busy)) {
        let _ = writeln!(text, "\nWhat gives way first: {} ({:.2} busy).", row.what.trim(), row.busy);
    }
    text
}

impl Answer<'_> {
    fn crowd(&self) -> String {
        let (crowd, watchers) = (&self.args.crowd, thousands(self.args.crowd.watching() as f64));
        match crowd.connections {
            Some(connections) => {
                let connections = thousands(connections as f64);
                format!("{connections} connections that vote for {} s, {watchers} watchers", crowd.seconds)
            }
            None => format!(
                "{} voters within {} s, {}: {} a second in the busiest moment; {watchers} watchers",
                thousands(crowd.voters as f64),
                crowd.seconds,
                crowd.shape.name(),
                thousands(self.plan.peak),
            ),
        }
    }

    /// Ballots a second in the busiest moment, or what the connections reached, for each of so many.
    fn of(&self, number: u32) -> f64 {
        let reached = self.outcome.accepted as f64 / self.args.crowd.length();
        let rate = self.args.crowd.connections.map_or(self.plan.peak, |_| reached);
        rate / f64::from(number)
    }

    fn ballots_of(&self, number: u32) -> String {
        format!("{} ballots/s", thousands(self.of(number)))
    }

    /// What voters and watchers meet. Neither is simulated.
    fn edges(&self) -> [Row; 2] {
        let (plan, costs) = (self.plan, &self.args.costs);
        let cores = f64::from(self.args.machines.cores);
        let opened = self.of(plan.proxies);
        let watching = self.args.crowd.watching() as f64;
        let events = watching * events_per_watcher(self.constants) / f64::from(plan.result_machines);
        [
            Row {
                what: "TLS proxies",
                number: plan.proxies,
                each: format!("{} connections/s", thousands(opened)),
                busy: opened / (cores * costs.handshakes_per_core.get()),
                is_simulated: false,
            },
            Row {
                what: "result machines",
                number: plan.result_machines,
                each: format!("{} events/s", thousands(events)),
                busy: events / (cores * costs.events_per_core.get()),
                is_simulated: false,
            },
        ]
    }

    /// What stands between a ballot and its answer.
    fn log(&self) -> [Row; 4] {
        let (args, constants, plan) = (self.args, self.constants, self.plan);
        let logs = plan.shards_of_a_machine();
        let can = constants.block_max as f64 / full_block(args, constants, plan);
        let replicated = self.of(plan.servers) * f64::from(args.machines.replicas);
        let written = replicated * constants.ballot_bytes as f64 / 1e6;
        let at_work = self.outcome.busy.disks;
        [
            Row {
                what: "vote machines",
                number: plan.vote_machines,
                each: self.ballots_of(plan.vote_machines),
                busy: self.outcome.busy.vote,
                is_simulated: true,
            },
            Row {
                what: "  the thread of their boxes",
                number: plan.vote_machines,
                each: if logs == 1 { "1 log".to_owned() } else { format!("{logs} logs") },
                busy: self.outcome.busy.boxes,
                is_simulated: true,
            },
            Row {
                what: "logs of the round",
                number: plan.shards,
                each: format!("{} of at most {}", self.ballots_of(plan.shards), thousands(can)),
                busy: self.of(plan.shards) / can,
                is_simulated: false,
            },
            Row {
                what: "NATS servers' disks",
                number: plan.servers,
                each: format!("{written:.0} MB/s, at work for {at_work:.2} of a second"),
                busy: replicated * synced(args, constants) / constants.block_max as f64,
                is_simulated: false,
            },
        ]
    }

    /// What nobody waits for.
    fn behind(&self) -> [Row; 2] {
        let number = self.plan.tally_machines;
        let commits = self.outcome.commits as f64 / self.outcome.counted_at.max(1.0);
        [
            Row {
                what: "tally machines",
                number,
                each: self.ballots_of(number),
                busy: self.of(number) * self.args.costs.ballot() / f64::from(self.args.machines.cores),
                is_simulated: false,
            },
            Row {
                what: "Postgres",
                number: 1,
                each: format!("{} commits/s in the mean", thousands(commits)),
                busy: self.outcome.busy.postgres,
                is_simulated: true,
            },
        ]
    }

    fn voters(&self) -> [(&'static str, String); 9] {
        let it = self.outcome;
        let whole = |number: u64| thousands(number as f64);
        let came = it.came - it.turned_away;
        let voters = if self.args.crowd.connections.is_some() { came } else { self.args.crowd.voters };
        let rate = it.accepted as f64 / it.accepted_at.max(1e-9);
        [
            ("accepted", format!("{} of {}", whole(it.accepted), whole(voters))),
            ("  a second, until the last one", thousands(rate)),
            ("  the last one after", format!("{:.1} s", it.accepted_at)),
            ("counted", format!("{}, the last one after {:.1} s", whole(it.counted), it.counted_at)),
            ("a voter's answer: p50", time(it.answers.within(0.5))),
            ("  p99", time(it.answers.within(0.99))),
            ("  the longest", time(it.answers.longest())),
            ("turned away, to come again", format!("{} times", whole(it.turned_away))),
            ("waiting at one box, at the most", format!("{} ballots", whole(it.waiting_most))),
        ]
    }

    fn ballots(&self) -> [(&'static str, String); 5] {
        let it = self.outcome;
        let ballots = |part| thousands(it.blocks.within(part) * 1e3);
        let log = it.accepted as f64 * self.constants.ballot_bytes as f64;
        let fold = it.accepted as f64 * self.constants.voter_bytes as f64;
        [
            ("blocks", thousands(it.blocks.total() as f64)),
            ("  ballots in one: p50, p99", format!("{}, {}", ballots(0.5), ballots(0.99))),
            ("from the log to the scoreboard: p99", time(it.lag.within(0.99))),
            ("the logs, on each replica", bytes(log)),
            ("memory of the boxes of a vote machine", bytes(fold / f64::from(self.plan.vote_machines))),
        ]
    }
}

fn line(text: &mut String, [what, number, each, busy]: [&str; 4]) {
    let [w, n, e] = WIDTHS;
    let line = format!("{what:<w$} {number:>n$}   {each:<e$} {busy}");
    let _ = writeln!(text, "{}", line.trim_end());
}

fn time(seconds: f64) -> String {
    match seconds {
        _ if seconds < 0.1 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 10.0 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.0} s"),
    }
}

fn bytes(bytes: f64) -> String {
    if bytes < 1e9 { format!("{:.0} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}

/// Without a fraction, and with a comma after every three digits.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{args, constants, outcome_of};

    #[test]
    fn the_table_says_what_it_takes_and_what_came_of_it() {
        let line = "--shape even --voters 20000 --seconds 2 --watchers 1000";
        let (plan, outcome) = outcome_of(line);
        let drawn = draw(&args(line), &constants(), &plan, &outcome);
        // Among it: TLS proxies at 0.62 of 8 cores of 2,000 handshakes; result machines at 0.03 of 8 of 50,000 events.
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!("table", drawn);
        });
    }

    #[test]
    fn figures_are_read_at_a_glance() {
        assert_eq!(
            (thousands(0.4), thousands(999.0), thousands(1_234_567.0)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        assert_eq!((time(0.0025), time(0.5), time(61.0)), ("2.5 ms".into(), "0.50 s".into(), "61 s".into()));
        assert_eq!((bytes(5e7), bytes(2e9)), ("50 MB".into(), "2.0 GB".into()));
    }
}
