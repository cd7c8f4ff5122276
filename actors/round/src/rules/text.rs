//! What people write for others to read: nothing in it is hidden, and nothing turns what stands around it.

/// The longest title or label, in characters.
pub const SHORT_MAX: usize = 200;
/// The longest description, in characters.
pub const LONG_MAX: usize = 2_000;

/// Joins and selects shapes of characters, or says in which direction those around it are read; shows nothing itself.
const SILENT: [(char, char); 6] = [
    ('\u{61c}', '\u{61c}'),
    ('\u{200c}', '\u{200f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{e0020}', '\u{e007f}'),
    ('\u{e0100}', '\u{e01ef}'),
];
/// Shows nothing, and would let two texts look the same or one look like what it is not; among them the marks that
/// turn the direction of all that follows.
const HIDDEN: [(char, char); 13] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200b}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{e0000}', '\u{e001f}'),
];
/// The flags of England, Scotland and Wales are this and invisible letters.
const FLAG: char = '🏴';
const FLAG_LETTERS: std::ops::RangeInclusive<char> = '\u{e0020}'..='\u{e007f}';

/// Why a text is not accepted. The words complete "title …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing to see, or too much.
    #[error("must have 1 to {SHORT_MAX} characters that can be seen")]
    Short,
    /// Too much.
    #[error("must have at most {0} characters")]
    Long(usize),
    /// Something that does not show.
    #[error("must not hold control characters, invisible ones, or such as turn the direction of others")]
    Hidden,
}

/// A title or a label: one line of 1 to [`SHORT_MAX`] characters that can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortText(String);

/// A description: any number of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongText(String);

impl ShortText {
    /// Takes a line. Blanks around it do not matter, and several in a row are one, as on a page.
    ///
    /// # Errors
    /// [`Unreadable::Short`], [`Unreadable::Hidden`].
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.trim().chars().any(char::is_control) || holds_hidden(text) {
            return Err(Unreadable::Hidden);
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().all(|c| c.is_whitespace() || is_in(&SILENT, c)) || text.chars().count() > SHORT_MAX {
            return Err(Unreadable::Short);
        }
        Ok(Self(text))
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LongText {
    /// Takes lines of [`LONG_MAX`] characters in all, with any usual end of a line. Blanks around all of them do not
    /// matter.
    ///
    /// # Errors
    /// [`Unreadable::Long`], [`Unreadable::Hidden`].
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        Self::within(LONG_MAX, text)
    }

    /// The same with `most` characters in all.
    ///
    /// # Errors
    /// [`Unreadable::Long`], [`Unreadable::Hidden`].
    pub fn within(most: usize, text: &str) -> Result<Self, Unreadable> {
        let text = text.replace("\r\n", "\n").replace('\t', " ");
        let text = text.trim();
        if text.chars().any(|c| c.is_control() && c != '\n') || holds_hidden(text) {
            return Err(Unreadable::Hidden);
        }
        if text.chars().count() > most {
            return Err(Unreadable::Long(most));
        }
        Ok(Self(text.to_owned()))
    }

    /// The lines, with `\n` between them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is left of a line to tell it from others.
pub fn seen(text: &str) -> String {
    text.chars().filter(|c| !is_in(&SILENT, *c)).collect()
}

fn holds_hidden(text: &str) -> bool {
    let mut is_flag = false;
    text.chars().any(|c| {
        let is_letter = FLAG_LETTERS.contains(&c);
        let hides = is_in(&HIDDEN, c) || (is_letter && !is_flag);
        is_flag = c == FLAG || (is_letter && is_flag);
        hides
    })
}

fn is_in(ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> Result<String, Unreadable> {
        ShortText::parse(text).map(|text| text.0)
    }

    #[test]
    fn a_title_of_any_script_is_kept_as_it_is() {
        let family = "👩\u{200d}👩\u{200d}👧 or ❤\u{fe0f}?";
        let england = "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} England";
        for title in ["Cats or dogs?", "أي حيوان تفضّل؟ 🐪", "می\u{200c}خواهم", "猫", family, england]
        {
            assert_eq!(short(title).as_deref(), Ok(title));
        }
        assert_eq!(short("  Cats \u{a0} or\u{3000}dogs? ").as_deref(), Ok("Cats or dogs?"));
        assert_eq!(short(&"é".repeat(SHORT_MAX)).map(|title| title.len()), Ok(2 * SHORT_MAX));
    }

    #[test]
    fn what_cannot_be_seen_is_no_title() {
        let long = "x".repeat(SHORT_MAX + 1);
        for blank in ["", "   ", "\u{3000}", "\u{200d}\u{200e}", "\u{2800} \u{fe0f}", &long] {
            assert_eq!(short(blank), Err(Unreadable::Short), "{blank:?}");
        }
    }

    #[test]
    fn what_hides_or_turns_others_is_refused() {
        let hidden = [
            "a\u{0}b",
            "a\nb",
            "a\u{85}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{feff}",
            "a\u{ad}b",
        ];
        let tags = ["a\u{e0061}", "🏴 \u{e0061}", "\u{3164}", "a\u{2029}a", "\u{e0001}🏴"];
        for wrong in hidden.iter().chain(&tags) {
            assert_eq!(short(wrong), Err(Unreadable::Hidden), "{wrong:?}");
            let long = LongText::parse(wrong).map(|_| ());
            let expected = if *wrong == "a\nb" { Ok(()) } else { Err(Unreadable::Hidden) };
            assert_eq!(long, expected, "{wrong:?}");
        }
    }

    #[test]
    fn a_description_has_lines_and_an_end() {
        assert_eq!(LongText::parse("\r\nOne\r\n\ttwo\n").unwrap().as_str(), "One\n two");
        assert_eq!(LongText::parse(" ").unwrap().as_str(), "");
        assert!(LongText::parse(&"é".repeat(LONG_MAX)).is_ok());
        assert_eq!(LongText::parse(&"x".repeat(LONG_MAX + 1)), Err(Unreadable::Long(LONG_MAX)));
        assert_eq!(LongText::within(3, "four"), Err(Unreadable::Long(3)));
    }

    #[test]
    fn lines_are_told_apart_by_what_is_seen_of_them() {
        assert_eq!(seen("Ca\u{200d}ts"), seen("Cats"));
        assert_ne!(seen("cats"), seen("Cats"));
    }
}
