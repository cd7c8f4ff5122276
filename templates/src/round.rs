//! What every page about a round says of it.

use serde::Serialize;
use subjects::RoundState;

/// The round a page is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundHead {
    /// Its slug, as in the address of the page.
    pub id: String,
    /// What is being asked, as the organiser wrote it.
    pub title: String,
    /// Whether it takes ballots.
    pub state: RoundState,
}

impl RoundHead {
    pub(crate) fn sample(state: RoundState) -> Self {
        Self { id: "demo".to_owned(), title: "Cats or dogs?".to_owned(), state }
    }

    /// A title that reads from right to left, has an emoji in it, and tries to be a script.
    pub(crate) fn hostile_sample(state: RoundState) -> Self {
        Self {
            id: "camels".to_owned(),
            title: "أي حيوان تفضّل؟ 🐪 <script>alert(1)</script>".to_owned(),
            state,
        }
    }
}

/// Labels that do not behave: a script, one very long word, another script, the longest sentence.
pub(crate) fn hostile_labels() -> [String; 4] {
    [
        "<script>alert(1)</script>".to_owned(),
        "Donaudampfschifffahrtsgesellschaftskapitän".repeat(4),
        "\" onclick=\"alert(1) الجمل العربي ذو السنام الواحد".to_owned(),
        "A candidate whose name needs all of the two hundred characters a label may have, ".repeat(3)[..200]
            .to_owned(),
    ]
}
