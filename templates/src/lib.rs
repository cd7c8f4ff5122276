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
mod eligibility;
mod error;
mod files;
mod form;
mod home;
mod invites;
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
pub use eligibility::eligibility_description;
pub use error::{ErrorPage, Link};
pub use files::{StaticFile, static_files};
pub use form::FormField;
pub use home::{HomePage, RoundCard};
pub use invites::{InviteCard, InvitesPage};
pub use picture::picture_address;
pub use preview::Preview;
pub use receipt::{ReceiptPage, ReceiptStatus};
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
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "path", "rect"];

    /// Every sample of every page, drawn: its name and its HTML.
    fn pages() -> BTreeMap<String, String> {
        let mut pages = BTreeMap::new();
        pages.extend(drawn("home", &HomePage::samples(), HomePage::render));
        pages.extend(drawn("vote", &VotePage::samples(), VotePage::render));
        pages.extend(drawn("receipt", &ReceiptPage::samples(), ReceiptPage::render));
        pages.extend(drawn("result", &ResultPage::samples(), ResultPage::render));
        pages.extend(drawn("hidden", &HiddenPage::samples(), HiddenPage::render));
        pages.extend(drawn("embed", &EmbedPage::samples(), EmbedPage::render));
        pages.extend(drawn("no_embed", &NoEmbedPage::samples(), NoEmbedPage::render));
        pages.extend(drawn("present", &PresentPage::samples(), PresentPage::render));
        pages.extend(drawn("invites", &InvitesPage::samples(), InvitesPage::render));
        pages.extend(drawn("docs", &DocsPage::samples(), DocsPage::render));
        pages.extend(drawn("error", &ErrorPage::samples(), ErrorPage::render));
        pages.extend(drawn("login", &LoginPage::samples(), LoginPage::render));
        pages.extend(drawn("register", &RegisterPage::samples(), RegisterPage::render));
        pages.extend(drawn("account", &AccountPage::samples(), AccountPage::render));
        pages.extend(drawn("users", &UsersPage::samples(), UsersPage::render));
        pages.extend(drawn("admin", &AdminPage::samples(), AdminPage::render));
        pages.extend(drawn("admin_new", &NewRoundPage::samples(), NewRoundPage::render));
        pages.extend(drawn("admin_round", &RoundAdminPage::samples(), RoundAdminPage::render));
        pages.extend(drawn("admin_confirm", &ConfirmPage::samples(), ConfirmPage::render));
        pages.extend(drawn("sessions", &SessionsPage::samples(), SessionsPage::render));
        pages
    }

    fn drawn<P>(
        name: &str,
        samples: &[P],
        render: impl Fn(&P) -> Result<String, RenderError>,
    ) -> Vec<(String, String)> {
        let draw = |sample| render(sample).expect("a sample can be drawn");
        (1..).zip(samples).map(|(number, sample)| (format!("{name}.{number:02}"), draw(sample))).collect()
    }

    #[test]
    fn every_sample_of_every_page_is_drawn_whole_with_what_people_wrote_in_it_escaped() {
        for html in pages().into_values() {
            assert!(html.starts_with("<!doctype html>"), "{html}");
            assert!(html.contains("<html lang=\"en\">"), "{html}");
            assert_eq!(html.matches("<h1").count(), 1, "one first heading: {html}");
            assert_eq!(html.matches("<title>").count(), 1, "one title: {html}");
            assert!(!html.contains("alert(1)</script>"), "unescaped: {html}");
            assert_tags_are_sound(&html);
        }
    }

    #[test]
    fn every_sample_of_every_page_is_drawn_as_its_snapshot_shows() {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let _bound = settings.bind_to_scope();
        let pages = pages();
        for (name, html) in &pages {
            insta::assert_snapshot!(name.as_str(), without_hashes(html));
        }
        let shown: BTreeSet<String> = pages.into_keys().map(|name| format!("{name}.snap")).collect();
        assert_eq!(snapshots(), shown, "no snapshot is of a sample that is no longer there");
    }

    /// A changed style or script is no change of every page.
    fn without_hashes(html: &str) -> String {
        static_files().iter().fold(html.to_owned(), |html, file| {
            let (stem, hash) = file.path.rsplit_once('-').expect("a path has a hash");
            let (_, extension) = hash.split_once('.').expect("a path has an extension");
            html.replace(&file.path, &format!("{stem}-HASH.{extension}"))
        })
    }

    fn snapshots() -> BTreeSet<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/snapshots");
        let files = std::fs::read_dir(folder).expect("a folder of snapshots");
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
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
