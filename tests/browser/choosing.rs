//! What a person does who may choose several options, each with something to read about it.

use serde_json::json;
use urna_world::{World, eventually};

use crate::window::{Browser, Window};

async fn chooses(window: &Window, option: &str) {
    window.clicks(&format!("label:has([value={option}])")).await;
}

/// The options that are ticked.
async fn ticked(window: &Window) -> serde_json::Value {
    window
        .runs("return Array.from(document.querySelectorAll('[name=choice]:checked'), (box) => box.value)")
        .await
}

#[tokio::test]
async fn a_person_ticks_several_options_and_is_told_of_the_one_that_is_too_many() {
    let world = World::with_urna().await;
    let round = json!({ "id": "board", "title": "Who sits on the board?", "method": "approval", "max_choices": 2,
        "allow_changes": true, "options": [
            { "label": "Ann", "description": "A carpenter.\nTreasurer since 2024.", "link": "https://example.org/ann" },
            { "label": "Bob", "description": "Knows the statutes by heart." }, "Eve"] });
    assert_eq!(world.admin().await.makes_round(&round).await.status, 201);
    let browser = Browser::start(&world).await;
    let window = browser.window().await;
    window.becomes_a_phone().await;
    eventually("the round is open", || async {
        window.opens("/vote/board").await;
        (window.reads("legend").await.ok()? == ["Choose up to 2 options"]).then_some(())
    })
    .await;
    assert_eq!(window.runs(include_str!("accessibility.js")).await, json!([]));
    window.is_marked().await;

    window.clicks("#send").await;
    window.until("#problem", &["Choose at least one option."]).await;
    chooses(&window, "ann").await;
    window.until("#progress", &["1 of up to 2 chosen"]).await;
    window.until("#problem p", &[]).await;
    chooses(&window, "eve").await;
    chooses(&window, "bob").await;
    window.until("#problem", &["You can choose up to 2. Take one away before you choose another."]).await;
    assert_eq!(ticked(&window).await, json!(["ann", "eve"]), "what was one too many is taken back");

    window.clicks("#send").await;
    window.until(".option", &["Ann\nYour vote", "Bob", "Eve\nYour vote"]).await;
    chooses(&window, "ann").await;
    window.clicks("#send").await;
    window.until(".option", &["Ann", "Bob", "Eve\nYour vote"]).await;
    window.until("#receipt", &["board.2.0"]).await;
    assert!(window.is_same_page().await);
    assert_eq!(window.runs(include_str!("accessibility.js")).await, json!([]), "after a vote");
    assert_eq!(window.complaints().await, [""; 0]);

    window.clicks("#receipt-link").await;
    window.until("h1", &["Your receipt"]).await;
    assert_eq!(window.path().await, "/receipts/board.2.0");
    assert_eq!(window.runs(include_str!("accessibility.js")).await, json!([]), "the receipt");
    world.close().await;
}
