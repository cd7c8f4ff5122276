//! What holds for every page.

use serde_json::json;
use urna_world::{World, eventually};

use crate::window::{Browser, Window};

const PAGES: [&str; 5] = ["/", "/vote/demo", "/result/demo", "/present/demo", "/docs"];

#[tokio::test]
async fn pages_have_no_errors_in_the_console_and_ask_no_other_host() {
    let world = World::with_urna().await;
    let browser = Browser::start(&world).await;
    let window = browser.window().await;
    for page in PAGES {
        window.opens(page).await;
        asks_no_other_host(&window, page).await;
        assert_eq!(window.complaints().await, [""; 0], "{page}");
    }

    window.opens("/vote/demo").await;
    window.clicks("label:has([value=cats])").await;
    window.clicks("#send").await;
    window.until("#confirmation strong", &["Your vote is in the box."]).await;
    asks_no_other_host(&window, "/vote/demo").await;
    assert_eq!(window.complaints().await, [""; 0], "after a vote");
    window.opens("/result/demo").await;
    announces(&window, "1 vote: Cats 1, Dogs 0").await;
    asks_no_other_host(&window, "/result/demo").await;
    assert_eq!(window.complaints().await, [""; 0], "after an event");

    // The policy is there, and what breaks it would have been seen.
    window.runs("new Image().src = 'https://elsewhere.invalid/'").await;
    eventually("the browser refuses to ask another host", || async {
        let complaints = window.complaints().await;
        complaints.iter().any(|it| it.contains("Content Security Policy")).then_some(())
    })
    .await;
    world.close().await;
}

async fn asks_no_other_host(window: &Window, page: &str) {
    let elsewhere = window.runs(
        "const asked = performance.getEntriesByType('resource').map((entry) => entry.name);
         if (!asked.some((url) => url.endsWith('.css'))) return ['nothing, not even its style sheet'];
         return asked.filter((url) => new URL(url).origin !== location.origin)",
    );
    assert_eq!(elsewhere.await, json!([]), "{page} asks for");
}

#[tokio::test]
async fn every_page_can_be_used_by_everyone_and_fits_a_phone() {
    let world = World::with_urna().await;
    let browser = Browser::start(&world).await;
    let window = browser.window().await;
    window.becomes_a_phone().await;
    for page in PAGES.into_iter().chain(["/vote/nope"]) {
        window.opens(page).await;
        let faults = window.runs(include_str!("accessibility.js")).await;
        assert_eq!(faults, json!([]), "{page}");
    }

    window.opens("/vote/demo").await;
    window.clicks("label:has([value=dogs])").await;
    window.clicks("#send").await;
    window.until("#confirmation strong", &["Your vote is in the box."]).await;
    assert_eq!(window.runs(include_str!("accessibility.js")).await, json!([]), "after a vote");

    window.opens("/result/demo").await;
    announces(&window, "1 vote: Dogs 1, Cats 0").await;
    world.close().await;
}

/// Waits until a screen reader has been told these counts: the page does it when the first event has come.
async fn announces(window: &Window, counts: &str) {
    eventually(&format!("{counts} is announced"), || async {
        let told = window.runs("return document.getElementById('announcement').textContent").await;
        (told == counts).then_some(())
    })
    .await;
}
