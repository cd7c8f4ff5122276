//! What a person does.

use std::time::{Duration, Instant};

use thirtyfour::Key;
use urna_world::{Fault, Proxy, World, audit, eventually};

use crate::window::{Browser, Window};

const CATS: &str = "label:has([value=cats])";
const DOGS: &str = "label:has([value=dogs])";
const SEND: &str = "#send";
/// What a person reads who has voted.
const CONFIRMED: &str = "Your vote is in the box. You can change it until the round closes.";

#[tokio::test]
async fn a_vote_in_one_window_moves_the_bar_in_another_within_a_second() {
    let world = World::with_urna().await;
    let browser = Browser::start(&world).await;
    let watcher = browser.window().await;
    watcher.opens("/result/demo").await;
    watcher.until("#lines .votes", &["0 votes", "0 votes"]).await;
    watcher.is_marked().await;
    let voter = browser.window().await;
    voter.opens("/vote/demo").await;
    voter.is_marked().await;

    voter.clicks(CATS).await;
    voter.clicks(SEND).await;
    voter.until(".option", &["Cats\nYour vote", "Dogs"]).await;
    shows_within_a_second(&watcher, &["1 vote", "0 votes"]).await;
    has_bars(&watcher, [100, 0]).await;
    voter.until("#confirmation strong", &["Your vote is in the box."]).await;
    voter.until("#receipt", &["demo.1.0"]).await;
    voter.until("main a", &["Receipt demo.1.0", "See the results"]).await;
    voter.until(SEND, &["Change my vote"]).await;

    voter.clicks(DOGS).await;
    voter.clicks(SEND).await;
    voter.until(".option", &["Cats", "Dogs\nYour vote"]).await;
    shows_within_a_second(&watcher, &["0 votes", "1 vote"]).await;
    has_bars(&watcher, [0, 100]).await;
    voter.until("#receipt", &["demo.2.0"]).await;

    assert!(watcher.is_same_page().await, "the page of results was loaded again");
    assert!(voter.is_same_page().await, "the page to vote on was loaded again");
    voter.follows("See the results").await;
    voter.until("#lines .votes", &["0 votes", "1 vote"]).await;
    world.close().await;
}

async fn shows_within_a_second(watcher: &Window, votes: &[&str]) {
    let confirmed = Instant::now();
    watcher.until("#lines .votes", votes).await;
    let waited = confirmed.elapsed();
    assert!(waited < Duration::from_secs(1), "{votes:?} was shown {waited:?} after the confirmation");
}

/// Waits until the bars have grown and shrunk to these percentages of their tracks.
async fn has_bars(window: &Window, percent: [i64; 2]) {
    let drawn = "return Array.from(document.querySelectorAll('#lines rect'), (bar) =>
        Math.round(100 * bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width))";
    eventually(&format!("the bars are {percent:?} percent long"), || async {
        (window.runs(drawn).await == serde_json::json!(percent)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_person_without_javascript_votes_and_sees_the_result() {
    let world = World::with_urna().await;
    let browser = Browser::start(&world).await;
    let person = browser.window_without_javascript().await;
    person.opens("/vote/demo").await;

    person.clicks(CATS).await;
    person.clicks(SEND).await;
    person.until(".option", &["Cats\nYour vote", "Dogs"]).await;
    assert_eq!(
        person.path().await,
        "/vote/demo?voted=1",
        "it was the form that was sent, not a script's request"
    );
    person.until("#confirmation p:first-child", &[CONFIRMED]).await;
    person.until("#receipt", &["demo.1.0"]).await;

    world.quiet().await;
    person.follows("See the results").await;
    person.until("#lines .votes", &["1 vote", "0 votes"]).await;
    has_bars(&person, [100, 0]).await;
    let told = "Without JavaScript this page cannot move by itself. It is loaded again every 10 seconds, or when \
                you reload it.";
    person.until("noscript .notice", &[told]).await;

    person.opens("/vote/demo").await;
    person.until(".option", &["Cats\nYour vote", "Dogs"]).await;
    person.clicks(DOGS).await;
    person.clicks(SEND).await;
    person.until(".option", &["Cats", "Dogs\nYour vote"]).await;
    // Without a reload by hand: the page does it.
    person.follows("See the results").await;
    person.until("#lines .votes", &["0 votes", "1 vote"]).await;
    world.close().await;
}

#[tokio::test]
async fn whoever_votes_too_often_reads_when_to_try_again() {
    let mut world = World::new().await;
    // There is room for the second one after half a minute at the soonest: the page does not wait for as long.
    world.start_as("urna", "urna", &[("URNA_LIMIT_VOTES_BY_VOTER", "1")]).await;
    let browser = Browser::start(&world).await;
    let person = browser.window().await;
    person.opens("/vote/demo").await;
    person.clicks(CATS).await;
    person.clicks(SEND).await;
    person.until("#receipt", &["demo.1.0"]).await;

    person.clicks(DOGS).await;
    person.clicks(SEND).await;
    eventually("it is said when there is room again", || async {
        let said = person.reads("#problem").await.ok()?.concat();
        let is_told = said.starts_with("Too many votes by this voter; try again in ");
        (is_told && said.ends_with(" seconds.")).then_some(())
    })
    .await;
    person.until(SEND, &["Try again"]).await;
    person.until(".option", &["Cats\nYour vote", "Dogs"]).await;
    world.close().await;
}

#[tokio::test]
async fn whoever_got_no_answer_before_the_close_reads_that_the_vote_may_be_in_the_box() {
    let world = World::with_urna().await;
    let port = world.address("urna").rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = Proxy::before(port).await;
    let browser = Browser::start(&world).await;
    let person = browser.window().await.through(&proxy);
    person.opens("/vote/demo").await;
    person.clicks(CATS).await;
    proxy.set(Fault::LosesAnswers);
    person.clicks(SEND).await;
    eventually("the vote is in the box", || async { (audit(&world).await.accepted == 1).then_some(()) })
        .await;
    let closed = world.admin().await.closes_round("demo").await;
    assert!(closed.status.is_success(), "{closed:?}");
    proxy.set(Fault::None);
    let said = "This round is closed. A vote that was sent before, and got no answer, may be in the box: nobody can \
                tell any more.";
    person.until("#problem", &[said]).await;
    world.close().await;
}

#[tokio::test]
async fn a_vote_sent_by_keyboard_alone() {
    let world = World::with_urna().await;
    let browser = Browser::start(&world).await;
    let person = browser.window().await;
    person.opens("/vote/demo").await;

    tabs_to(&person, "choice").await;
    person.presses(Key::Space).await;
    person.presses(Key::Down).await;
    tabs_to(&person, "send").await;
    person.presses(Key::Enter).await;
    person.until(".option", &["Cats", "Dogs\nYour vote"]).await;
    assert_eq!(focus(&person).await, "confirmation", "the focus is where the news is");

    tabs_to(&person, "choice").await;
    person.presses(Key::Up).await;
    tabs_to(&person, "send").await;
    person.presses(Key::Space).await;
    person.until(".option", &["Cats\nYour vote", "Dogs"]).await;

    tabs_to(&person, "to-results").await;
    person.presses(Key::Enter).await;
    person.until("#lines .votes", &["1 vote", "0 votes"]).await;
    assert_eq!(person.path().await, "/result/demo");
    world.close().await;
}

/// Presses the tabulator until the focus is there.
async fn tabs_to(window: &Window, wanted: &str) {
    let mut passed = Vec::new();
    while passed.len() < 10 {
        window.presses(Key::Tab).await;
        let focus = focus(window).await;
        if focus == wanted {
            return;
        }
        passed.push(focus);
    }
    panic!("the tabulator leads to {passed:?}, never to {wanted}");
}

/// What has the focus, by its name or id.
async fn focus(window: &Window) -> String {
    let focus = window.runs("return document.activeElement.name || document.activeElement.id").await;
    focus.as_str().unwrap_or_default().to_owned()
}
