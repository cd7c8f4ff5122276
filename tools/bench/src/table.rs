//! The table that is printed.

use std::fmt::Write;

use crate::report::{Compared, Entry, Report};
use crate::rows::Unit;
use crate::statistics::Summary;

/// The widths of the columns: what, figure, unit, spread, ratio and of what, target.
const WIDTHS: [usize; 5] = [46, 10, 4, 21, 18];

/// Draws everything that was measured.
pub fn draw(report: &Report) -> String {
    let mut text = String::new();
    line(&mut text, ["", "median", "", "min … max", "ratio", "target"].map(str::to_owned));
    for entry in report.entries() {
        draw_entry(&mut text, &entry);
    }
    text
}

fn draw_entry(text: &mut String, entry: &Entry) {
    let Entry { row, summary, compared, .. } = entry;
    let (median, spread) = (number(summary.median, row.unit), spread(summary, row.unit));
    let own = entry.row.below.map(|below| {
        let target = format!("< {} {}", number(below, row.unit), row.unit.name());
        verdict(&target, entry.is_held)
    });
    let first = compared.first();
    let target = own.unwrap_or_else(|| first.map(target_of).unwrap_or_default());
    let ratio = first.map(ratio_of).unwrap_or_default();
    line(text, [row.title.clone(), median, row.unit.name().to_owned(), spread, ratio, target]);
    for further in compared.iter().skip(1) {
        let nothing = String::new;
        line(text, [nothing(), nothing(), nothing(), nothing(), ratio_of(further), target_of(further)]);
    }
}

fn ratio_of(compared: &Compared) -> String {
    format!("{:.2} of {}", compared.ratio.median, compared.against.name)
}

fn target_of(compared: &Compared) -> String {
    let target = compared.against.at_least.map(|at_least| format!("≥ {at_least}"));
    target.map(|target| verdict(&target, compared.is_held)).unwrap_or_default()
}

fn verdict(target: &str, is_held: Option<bool>) -> String {
    match is_held {
        Some(true) => format!("{target}  held"),
        Some(false) => format!("{target}  MISSED"),
        None => String::new(),
    }
}

fn spread(summary: &Summary, unit: Unit) -> String {
    if summary.min == summary.max {
        return String::new();
    }
    format!("{} … {}", number(summary.min, unit), number(summary.max, unit))
}

fn line(text: &mut String, [what, figure, unit, spread, ratio, target]: [String; 6]) {
    let [w, f, u, s, r] = WIDTHS;
    let line = format!("{what:<w$} {figure:>f$} {unit:<u$} {spread:>s$}   {ratio:<r$} {target}");
    let _ = writeln!(text, "{}", line.trim_end());
}

/// A figure with as many digits as mean something.
fn number(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond | Unit::Number => thousands(figure.round() as u64),
        Unit::Millis | Unit::Seconds if figure < 10.0 => format!("{figure:.2}"),
        Unit::Millis | Unit::Seconds | Unit::MiB => format!("{figure:.0}"),
    }
}

/// With a comma after every three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
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
    use crate::args::tests::plan;
    use crate::rows::Key;

    #[test]
    fn a_line_says_what_how_much_and_whether_it_is_enough() {
        let mut report = Report::of(&plan(&[]));
        for (hello, accepted, unsynced) in [(120_000.0, 48_000.0, 50_000.0), (110_000.0, 47_000.0, 52_000.0)]
        {
            report.note(Key::Hello(256), hello);
            report.note(Key::Accepted(256), accepted);
            report.note(Key::Unsynced, unsynced);
        }
        report.note(Key::AcceptedP99(256), 41.25);
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!("table", draw(&report));
        });
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(number(0.4567, Unit::Millis), "0.46");
        assert_eq!(number(56.7, Unit::MiB), "57");
    }
}
