//! The result page: the bars for the room, the same numbers as a table, and the ledger.

use serde::Serialize;
use subjects::{Eligibility, Ledger, ProgramVoters, RoundState};

use crate::bars::{Bars, Counting};
use crate::draw::{RenderError, draw};
use crate::round::RoundHead;
use crate::{Preview, Schedule, Visitor, eligibility_description};

/// The result of one round, as far as it is counted. `result.js` keeps it current.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What is being voted on.
    pub round: RoundHead,
    /// What the clock does next to it.
    pub schedule: Schedule,
    /// What a link to the page shows.
    pub preview: Preview,
    /// Who may vote, in plain words.
    pub eligibility_description: String,
    /// Why not everybody sees this page, when that is so.
    pub not_for_all: Option<String>,
    /// The counts.
    pub bars: Bars,
    /// The end of the log.
    pub head: u64,
    /// Where every accepted ballot went.
    pub ledger: Ledger,
}

/// What stands in place of the result for whoever may not see it yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HiddenPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What is being voted on.
    pub round: RoundHead,
    /// What the clock does next to it.
    pub schedule: Schedule,
    /// What a link to the page shows.
    pub preview: Preview,
    /// Who may vote, in plain words.
    pub eligibility_description: String,
    /// When the results are shown, and to whom.
    pub hidden_words: String,
    /// Whether voting would open them.
    pub opens_by_voting: bool,
}

impl ResultPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("result.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let open = Self::sample(RoundState::Open, Bars::sample([10, 5]));
        let of_open = |bars| Self::sample(RoundState::Open, bars);
        let waiting = of_open(Bars { counting: Counting::Waiting, ..open.bars.clone() });
        let closed = Self::sample(RoundState::Closed, Bars::sample([4096, 8192]));
        let final_bars = Bars { is_final: true, ..closed.bars.clone() };
        let final_result = Self { bars: final_bars, ..closed.clone() };
        let not_for_all = Some("Only whoever runs this round sees this page now.".to_owned());
        let early = Self { not_for_all, ..open.clone() };
        let hostile = Self {
            round: RoundHead::hostile_sample(RoundState::Open),
            preview: Preview::sample(),
            ..of_open(Bars::hostile_sample())
        };
        vec![
            open,
            waiting,
            closed,
            final_result,
            early,
            hostile,
            Self::sample(RoundState::Draft, Bars::sample([0, 0])),
            of_open(Bars::crowded_sample()),
            of_open(Bars::approval_sample()),
        ]
    }

    fn sample(state: RoundState, bars: Bars) -> Self {
        let (total, head) = (bars.total, bars.sequence);
        Self {
            visitor: Visitor::default(),
            round: RoundHead::sample(state),
            schedule: if state == RoundState::Open { Schedule::sample() } else { Schedule::by_hand_sample() },
            preview: Preview::plain_sample(),
            eligibility_description: eligibility_description(
                Eligibility::Anyone,
                ProgramVoters::Anyone,
                false,
            ),
            not_for_all: None,
            bars,
            head,
            ledger: Ledger { accepted: total + 1, counted: total, replaced: 1, unreadable: 0 },
        }
    }
}

impl HiddenPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("hidden.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let hidden_words = "The results are shown when this round is closed.".to_owned();
        let open = Self {
            visitor: Visitor::default(),
            round: RoundHead::sample(RoundState::Open),
            schedule: Schedule::sample(),
            preview: Preview::plain_sample(),
            eligibility_description: eligibility_description(Eligibility::Invited, ProgramVoters::No, false),
            hidden_words,
            opens_by_voting: false,
        };
        let draft = Self {
            round: RoundHead::hostile_sample(RoundState::Draft),
            preview: Preview::sample(),
            schedule: Schedule::by_hand_sample(),
            ..open.clone()
        };
        vec![Self { opens_by_voting: true, ..open.clone() }, open, draft]
    }
}
