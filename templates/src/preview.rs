//! What a chat or a feed shows of a link to a round. The same for everybody, and never a number: whoever fetches it is
//! no voter, and keeps it.

use serde::Serialize;
use subjects::Round;

use crate::{files, picture_address};

/// How much of a round's description is shown, in characters.
const WORDS_MAX: usize = 200;

/// The preview of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The page, with its host.
    pub url: String,
    /// The picture, with its host: that of the first option that has one, or else ours.
    pub image: String,
    /// Whether the picture is ours, of which the size is known.
    pub is_our_image: bool,
    /// What the round is about; empty when its organiser has said nothing.
    pub description: String,
}

impl Preview {
    /// Of the page at `path`, which is about `round`. `base` is what our addresses begin with.
    pub fn of(base: &str, path: &str, round: &Round) -> Self {
        let picture = round.options.iter().find_map(|option| picture_address(&round.id, option));
        let is_our_image = picture.is_none();
        let image = picture.unwrap_or_else(|| files::path_of("og.png").unwrap_or_default());
        Self {
            url: format!("{base}{path}"),
            image: format!("{base}{image}"),
            is_our_image,
            description: shortened(&round.description),
        }
    }

    pub(crate) fn sample() -> Self {
        Self {
            url: "https://vote.example/result/demo".to_owned(),
            image: "https://vote.example/rounds/demo/options/cats/picture?v=00ff0a9b".to_owned(),
            is_our_image: false,
            description: "\"><script>alert(1)</script> قطط أم كلاب؟".to_owned(),
        }
    }

    pub(crate) fn plain_sample() -> Self {
        let image = "https://vote.example/static/og.png".to_owned();
        Self { image, is_our_image: true, description: String::new(), ..Self::sample() }
    }
}

/// The text on one line, and no longer than a preview.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WORDS_MAX {
        return line;
    }
    let cut: String = line.chars().take(WORDS_MAX).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{OptionId, PictureId, RoundId, RoundOption};

    #[test]
    fn a_link_shows_the_first_picture_or_else_ours_with_their_host() {
        let option = |id| RoundOption::new(OptionId::parse(id).unwrap(), id);
        let with_picture = RoundOption { picture: Some(PictureId::from_bytes([0x0a; 32])), ..option("dogs") };
        let round = Round::blank(RoundId::parse("demo").unwrap());
        let round = Round { options: vec![option("cats"), with_picture], ..round };
        let preview = Preview::of("https://vote.example", "/result/demo", &round);
        assert_eq!(preview.url, "https://vote.example/result/demo");
        assert_eq!(preview.image, "https://vote.example/rounds/demo/options/dogs/picture?v=0a0a0a0a");
        let bare = Preview::of("https://vote.example", "/", &Round { options: Vec::new(), ..round });
        assert!(bare.is_our_image && bare.image.starts_with("https://vote.example/static/og-"), "{bare:?}");
    }

    #[test]
    fn a_description_is_shown_on_one_short_line() {
        assert_eq!(shortened("For two\nyears.\n"), "For two years.");
        let long = shortened(&"é ".repeat(1_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (200, true));
    }
}
