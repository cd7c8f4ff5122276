//! The results where nobody scrolls or clicks: in the frame of another site, and on the big screen of a room.
//!
//! Both are seen by people who have not asked for them, so they show no more than everybody may see.

use serde::Serialize;
use subjects::RoundState;

use crate::bars::Bars;
use crate::draw::{RenderError, draw};
use crate::qr::Qr;
use crate::round::RoundHead;
use crate::{Counting, Schedule};

/// The results in a frame.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmbedPage {
    /// What is being voted on.
    pub round: RoundHead,
    /// What the clock does next to it.
    pub schedule: Schedule,
    /// The counts, or when they are shown.
    #[serde(flatten)]
    pub shown: Shown,
}

/// What stands in a frame where nothing may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoEmbedPage {
    /// Why, in a sentence.
    pub why: String,
    /// The page that shows it outside of a frame, if there is one.
    pub round: Option<String>,
}

/// The results on a big screen, and how to join in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PresentPage {
    /// What is being voted on.
    pub round: RoundHead,
    /// What the clock does next to it.
    pub schedule: Schedule,
    /// Where one votes, as one types it.
    pub address: String,
    /// The same for a phone's camera.
    pub qr: Option<Qr>,
    /// How many ballots are counted, when that may be told.
    pub turnout: Option<u64>,
    /// The counts, or when they are shown.
    #[serde(flatten)]
    pub shown: Shown,
}

/// The counts of a round where everybody may see them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// They are.
    Bars(Bars),
    /// When they are going to be.
    HiddenWords(String),
}

impl EmbedPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("embed.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let (round, schedule) = (RoundHead::sample(RoundState::Open), Schedule::sample());
        let of = |shown| Self { round: round.clone(), schedule: schedule.clone(), shown };
        let mut pages: Vec<Self> = Shown::samples().into_iter().map(of).collect();
        let round = RoundHead::hostile_sample(RoundState::Closed);
        pages.push(Self { round, ..of(Shown::Bars(Bars::hostile_sample())) });
        pages
    }
}

impl NoEmbedPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("no_embed.html", self)
    }

    /// Pages as they may occur.
    pub fn samples() -> Vec<Self> {
        let why = "The results of this round may not be shown in other sites.".to_owned();
        vec![Self { why: why.clone(), round: Some("demo".to_owned()) }, Self { why, round: None }]
    }
}

impl PresentPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("present.html", self)
    }

    /// Where one votes in `round`: as one types it, and for a phone's camera. `base` is what our addresses begin with.
    pub fn way_in(base: &str, round: &str) -> (String, Option<Qr>) {
        let link = format!("{base}/vote/{round}");
        let typed = link.split_once("://").map_or(link.as_str(), |(_, rest)| rest).to_owned();
        let qr = Qr::of(&link);
        (typed, qr)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let mut pages: Vec<Self> =
            Shown::samples().into_iter().map(|shown| Self::sample(RoundState::Open, shown)).collect();
        let bars = || Shown::Bars(Bars::sample([7, 8]));
        pages.push(Self { turnout: None, ..Self::sample(RoundState::Open, Shown::hidden_sample()) });
        pages.push(Self { schedule: Schedule::by_hand_sample(), ..Self::sample(RoundState::Closed, bars()) });
        pages.push(Self { qr: None, ..Self::sample(RoundState::Draft, bars()) });
        let round = RoundHead::hostile_sample(RoundState::Open);
        pages.push(Self { round, ..Self::sample(RoundState::Open, Shown::Bars(Bars::hostile_sample())) });
        pages
    }

    fn sample(state: RoundState, shown: Shown) -> Self {
        let (address, qr) = Self::way_in("https://vote.example", "demo");
        let (round, schedule) = (RoundHead::sample(state), Schedule::sample());
        Self { round, schedule, address, qr, turnout: Some(1), shown }
    }
}

impl Shown {
    fn samples() -> Vec<Self> {
        let waiting = Bars { counting: Counting::Waiting, ..Bars::sample([10, 5]) };
        vec![
            Self::Bars(Bars::sample([10, 5])),
            Self::Bars(waiting),
            Self::Bars(Bars { is_final: true, ..Bars::approval_sample() }),
            Self::Bars(Bars::crowded_sample()),
            Self::hidden_sample(),
        ]
    }

    fn hidden_sample() -> Self {
        Self::HiddenWords("The results are shown when this round is closed.".to_owned())
    }
}
