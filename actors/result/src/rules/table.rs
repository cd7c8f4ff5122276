//! The results as a table for spreadsheets: CSV as RFC 4180 has it, with a line of heads.

use std::borrow::Cow;

use super::View;

const HEADS: &str = "option,label,votes,share_percent,ballots\r\n";
/// With these a spreadsheet takes what follows for a formula, and would run it.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// One line for each option, in the round's order: its name, its label, its votes, on how many of the ballots it
/// stands in percent, and how many ballots are counted.
pub fn csv(view: &View) -> String {
    let mut table = HEADS.to_owned();
    for line in &view.lines {
        let (option, label) = (cell(&line.option), cell(&line.label));
        table.push_str(&format!("{option},{label},{},{:.1},{}\r\n", line.votes, line.share, view.total));
    }
    table
}

/// A text as one cell, which is only ever a text.
fn cell(text: &str) -> Cow<'_, str> {
    let text = match text.trim_start().starts_with(FORMULA) || text.starts_with(FORMULA) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    };
    match text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays_in_its_cell_and_is_no_formula() {
        for (text, expected) in [
            ("Cats", "Cats"),
            ("Cats, dogs", "\"Cats, dogs\""),
            ("The \"cat\"", "\"The \"\"cat\"\"\""),
            ("Cats\r\nDogs", "\"Cats\r\nDogs\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2", "'-2"),
            ("+49 30", "'+49 30"),
            ("\t=1", "'\t=1"),
            (" =1", "' =1"),
            ("＝1", "'＝1"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("قطط", "قطط"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
