//! One round, as whoever runs it sees it.

use serde::Serialize;
use subjects::{Role, RoundState};

use super::form::RoundForm;
use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::qr::Qr;
use crate::round::RoundHead;
use crate::sessions::Moment;

/// One round: where it stands, how to share it, and what may still be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundAdminPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the forms come from this page.
    pub csrf: String,
    /// The round.
    pub round: RoundHead,
    /// How many ballots count.
    pub ballots: u64,
    /// When a draft opens by itself, or an open round closes, if it ever does.
    pub next: Option<Moment>,
    /// What was just done.
    pub done: Option<Done>,
    /// Why the last try did not work.
    pub problem: Option<String>,
    /// Where what was typed is not what somebody else has saved meanwhile.
    pub differences: Vec<Difference>,
    /// What may be written in it.
    pub form: RoundForm,
    /// The options and their pictures, while pictures may come and go.
    pub pictures: Vec<PictureForm>,
    /// How people come to it.
    pub share: Share,
    /// Whether invites can be made.
    pub takes_invites: bool,
}

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The round was made.
    Made,
    /// What was written is saved.
    Saved,
    /// It takes ballots from now on.
    Opened,
    /// It takes no ballot any more.
    Closed,
}

/// One field that two people have written at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is called.
    pub field: String,
    /// What stands there now.
    pub theirs: String,
    /// What was typed.
    pub yours: String,
}

/// An option and its picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PictureForm {
    /// Its name in ballots.
    pub id: String,
    /// As people read it.
    pub label: String,
    /// Where its picture is, if it has one.
    pub picture: Option<String>,
}

/// Addresses, each whole: people pass them on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Where one votes.
    pub vote: String,
    /// Where the results are.
    pub result: String,
    /// What a room is shown.
    pub present: String,
    /// What another site writes into its page, where it may.
    pub embed: Option<String>,
    /// Where one votes, for cameras; none when it is too long for that.
    pub qr: Option<Qr>,
}

impl RoundAdminPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("admin_round.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let draft = Self { done: Some(Done::Made), ..Self::sample(RoundState::Draft) };
        let open = Self {
            done: Some(Done::Opened),
            takes_invites: true,
            next: Some(Moment::sample()),
            ballots: 1,
            pictures: Vec::new(),
            ..Self::sample(RoundState::Open)
        };
        let closed = Self {
            done: Some(Done::Closed),
            ballots: 12_345,
            pictures: Vec::new(),
            ..Self::sample(RoundState::Closed)
        };
        let saved = Self { done: Some(Done::Saved), ..draft.clone() };
        let theirs = "<script>alert(1)</script>\nWolfeschlegelsteinhausenbergerdorff".to_owned();
        let hostile = Self {
            visitor: Visitor::hostile_sample(),
            round: RoundHead::hostile_sample(RoundState::Draft),
            problem: Some("Somebody else has changed it: <script>alert(1)</script>".to_owned()),
            differences: vec![Difference { field: "Title".to_owned(), yours: theirs.clone(), theirs }],
            form: RoundForm::hostile_sample(),
            share: Share { qr: None, ..draft.share.clone() },
            done: None,
            ..draft.clone()
        };
        vec![draft, saved, open, closed, hostile]
    }

    fn sample(state: RoundState) -> Self {
        let picture = |label: &str, picture: Option<&str>| PictureForm {
            id: "cats".to_owned(),
            label: label.to_owned(),
            picture: picture.map(str::to_owned),
        };
        Self {
            visitor: Visitor::sample(Role::Organiser),
            csrf: "0123456789abcdef".to_owned(),
            round: RoundHead::sample(state),
            ballots: 0,
            next: None,
            done: None,
            problem: None,
            differences: Vec::new(),
            form: RoundForm::sample(state),
            pictures: vec![
                picture("Cats", Some("/rounds/demo/options/cats/picture?v=0123abcd")),
                picture("<script>alert(1)</script>", None),
            ],
            share: Share::of("https://vote.example", "demo", "Cats or <script>alert(1)</script>?", true),
            takes_invites: false,
        }
    }
}

impl Share {
    /// The addresses of a round on the site `base`.
    pub fn of(base: &str, round: &str, title: &str, is_embeddable: bool) -> Self {
        let vote = format!("{base}/vote/{round}");
        let embed = || {
            let title = title.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            format!(
                "<iframe src=\"{base}/embed/{round}\" title=\"{title}\" width=\"100%\" height=\"420\" \
                 loading=\"lazy\"></iframe>"
            )
        };
        Self {
            result: format!("{base}/result/{round}"),
            present: format!("{base}/present/{round}"),
            embed: is_embeddable.then(embed),
            qr: Qr::of(&vote),
            vote,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_site_writes_into_its_page_holds_no_markup_of_the_title() {
        let share = Share::of("https://vote.example", "demo", "\"><script>&", true);
        let embed = share.embed.unwrap();
        assert!(embed.starts_with("<iframe src=\"https://vote.example/embed/demo\" "), "{embed}");
        assert!(embed.contains("title=\"&quot;>&lt;script>&amp;\""), "{embed}");
        assert_eq!(Share::of("https://vote.example", "demo", "T", false).embed, None);
    }
}
