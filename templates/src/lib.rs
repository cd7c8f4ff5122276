//! The pages: what people see, as Rust types, and the static files they load.
//!
//! A page is filled in by whoever knows the facts, and draws itself. It asks nothing and decides nothing.
//!
//! Promise: every sample of every page is drawn whole, with what people wrote in it escaped.

mod account;
mod admin;
mod bars;
#[cfg(debug_assertions)]
pub mod dev;
mod docs;
mod draw;
mod error;
mod files;
mod form;
mod home;
mod invites;
mod ladder;
mod picture;
mod preview;
mod qr;
mod receipt;
mod result;
mod round;
mod schedule;
mod screens;
mod sessions;
mod sign_in;
mod users;
mod visitor;
mod vote;

pub use account::{AccountPage, Saved};
pub use admin::{
    AdminPage, AdminRound, ConfirmPage, Deed, Difference, Done, NewRoundPage, OptionForm, PictureForm,
    RoundAdminPage, RoundForm, Share,
};
pub use bars::{Bars, Counting, ResultLine};
pub use docs::{DocsAnswer, DocsBody, DocsField, DocsKind, DocsOperation, DocsPage, DocsTag};
pub use draw::RenderError;
pub use error::{ErrorPage, Link};
pub use files::{StaticFile, static_files};
pub use form::FormField;
pub use home::{HomePage, RoundCard};
pub use invites::{InviteCard, InvitesPage};
pub use ladder::ladder_words;
pub use picture::picture_address;
pub use preview::Preview;
pub use receipt::{ReceiptPage, ReceiptStanding};
pub use result::{HiddenPage, ResultPage};
pub use round::RoundHead;
pub use schedule::Schedule;
pub use screens::{EmbedPage, NoEmbedPage, PresentPage, Shown};
pub use sessions::{Moment, SessionLine, SessionsPage};
pub use sign_in::{LoginPage, RegisterPage};
pub use users::{UserLine, UsersPage};
pub use visitor::Visitor;
pub use vote::{Gate, VoteOption, VotePage};

#[cfg(test)]
mod tests {
    use super::*;

    const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "path", "rect"];

    #[test]
    fn every_sample_of_every_page_is_drawn_whole_with_what_people_wrote_in_it_escaped() {
        let mut pages = Vec::new();
        pages.extend(HomePage::samples().iter().map(HomePage::render));
        pages.extend(VotePage::samples().iter().map(VotePage::render));
        pages.extend(ReceiptPage::samples().iter().map(ReceiptPage::render));
        pages.extend(ResultPage::samples().iter().map(ResultPage::render));
        pages.extend(HiddenPage::samples().iter().map(HiddenPage::render));
        pages.extend(EmbedPage::samples().iter().map(EmbedPage::render));
        pages.extend(NoEmbedPage::samples().iter().map(NoEmbedPage::render));
        pages.extend(PresentPage::samples().iter().map(PresentPage::render));
        pages.extend(InvitesPage::samples().iter().map(InvitesPage::render));
        pages.extend(DocsPage::samples().iter().map(DocsPage::render));
        pages.extend(ErrorPage::samples().iter().map(ErrorPage::render));
        pages.extend(LoginPage::samples().iter().map(LoginPage::render));
        pages.extend(RegisterPage::samples().iter().map(RegisterPage::render));
        pages.extend(AccountPage::samples().iter().map(AccountPage::render));
        pages.extend(UsersPage::samples().iter().map(UsersPage::render));
        pages.extend(AdminPage::samples().iter().map(AdminPage::render));
        pages.extend(NewRoundPage::samples().iter().map(NewRoundPage::render));
        pages.extend(RoundAdminPage::samples().iter().map(RoundAdminPage::render));
        pages.extend(ConfirmPage::samples().iter().map(ConfirmPage::render));
        pages.extend(SessionsPage::samples().iter().map(SessionsPage::render));

        for page in pages {
            let html = page.expect("a sample can be drawn");
            assert!(html.starts_with("<!doctype html>"), "{html}");
            assert!(html.contains("<html lang=\"en\">"), "{html}");
            assert_eq!(html.matches("<h1").count(), 1, "one first heading: {html}");
            assert_eq!(html.matches("<title>").count(), 1, "one title: {html}");
            assert!(!html.contains("alert(1)</script>"), "unescaped: {html}");
            assert_tags_are_sound(&html);
        }
    }

    #[test]
    fn what_people_wrote_is_still_readable_after_escaping() {
        let hostile = VotePage::samples()
            .iter()
            .map(|page| page.render().expect("a sample can be drawn"))
            .find(|html| html.contains("&lt;script&gt;"));

        let html = hostile.expect("a sample has a label that tries to be a script");
        assert!(html.contains("🐪"), "{html}");
        assert!(html.contains("أي حيوان"), "{html}");
    }

    /// Every tag is closed in order, and none carries a style or a script of its own: the content
    /// security policy would refuse it.
    fn assert_tags_are_sound(html: &str) {
        let mut open = Vec::new();
        for piece in html.split('<').skip(1) {
            let (tag, _text) = piece.split_once('>').expect("a tag ends");
            let name = tag.split_whitespace().next().expect("a tag has a name");
            if let Some(closed) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "closed in order: {html}");
                continue;
            }
            assert_nothing_inline(name, tag, piece);
            if !name.starts_with('!') && !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
    }

    fn assert_nothing_inline(name: &str, tag: &str, piece: &str) {
        for attribute in tag.split_whitespace().skip(1) {
            let is_handler = attribute.starts_with("on") && attribute.contains('=');
            assert!(!is_handler && !attribute.starts_with("style="), "inline: <{tag}>");
        }
        assert_ne!(name, "style", "inline style");
        if name == "script" {
            assert!(tag.contains(" src=\"/static/") && piece.ends_with('>'), "inline script: {piece}");
        }
    }
}
