//! Pages that wake up by themselves when a round opens or closes.

use nats::Clock;
use serde_json::{Value, json};
use subjects::Timestamp;
use urna_world::{Voter, World, eventually};

use crate::window::{Browser, Window};

/// A moment so long from now.
fn in_millis(millis: i64) -> String {
    let now = Clock::system().now().unix_millis();
    Timestamp::from_unix_millis(now + millis).expect("a moment").to_string()
}

/// Makes a round, and waits until one can look at it.
async fn made(admin: &Voter, round: Value) {
    let id = round["id"].as_str().expect("a name").to_owned();
    let made = admin.makes_round(&round).await;
    assert_eq!(made.status, 201, "{made:?}");
    for page in ["vote", "result"] {
        eventually("one can look at it", || async {
            (admin.looks_at(&format!("/{page}/{id}")).await.status == 200).then_some(())
        })
        .await;
    }
}

async fn counts_down(window: &Window, what: &str) {
    eventually(&format!("{what}: it counts down"), || async {
        let told = window.reads("#when").await.ok()?.concat();
        (told.starts_with(what) && told.contains("in ")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_page_wakes_up_when_its_round_opens_and_when_it_closes() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    let wish = json!({ "id": "short", "title": "Who?", "options": ["Cats", "Dogs"], "state": "draft",
        "opens_at": in_millis(600_000), "results_visibility": "after_close" });
    made(&admin, wish).await;
    let browser = Browser::start(&world).await;
    let (voter, watcher, screen) = (browser.window().await, browser.window().await, browser.window().await);
    voter.opens("/vote/short").await;
    watcher.opens("/result/short").await;
    screen.opens("/present/short").await;
    for window in [&voter, &watcher, &screen] {
        counts_down(window, "Opens").await;
        let faults = window.runs(include_str!("accessibility.js")).await;
        assert_eq!(faults, json!([]), "{}", window.path().await);
    }
    voter.until("#send", &[]).await;
    watcher.until("#hidden-words", &["The results of this round are shown when it is closed."]).await;
    // In the zone of whoever looks, which is that of this machine.
    let shown = voter.runs("return document.getElementById('when-moment').textContent").await;
    let zone = voter.runs(
        "return new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short', hour: 'numeric' })
            .formatToParts(new Date()).find((part) => part.type === 'timeZoneName').value",
    );
    assert!(shown.as_str().expect("words").ends_with(zone.await.as_str().expect("a zone")), "{shown}");

    assert_eq!(admin.opens_round("short").await.status, 200);
    for window in [&voter, &watcher, &screen] {
        window.until(".badge[data-state]", &["Open"]).await;
    }
    voter.until("#send", &["Vote"]).await;
    voter.is_marked().await;
    // What a page is told while it is open: that there is another end.
    let later = json!({ "closes_at": in_millis(500_000) });
    assert_eq!(admin.patches("/rounds/short", &later).await.status, 200);
    counts_down(&voter, "Closes").await;
    voter.clicks("label:has([value=cats])").await;
    voter.clicks("#send").await;
    voter.until("#confirmation strong", &["Your vote is in the box."]).await;

    assert_eq!(admin.closes_round("short").await.status, 200);
    voter.until(".badge[data-state]", &["Closed"]).await;
    let closed = "This round is closed now and takes no more ballots. See the results";
    voter.until("#closed", &[closed]).await;
    voter.until("#send", &[]).await;
    voter.until("#receipt", &["short.1.0"]).await;
    assert!(voter.is_same_page().await, "the receipt stays: once the log is sealed it cannot be looked up");
    watcher.until("#lines .votes", &["1 vote", "0 votes"]).await;
    screen.until("#lines .votes", &["1 vote", "0 votes"]).await;
    watcher.until("#final", &["Final result"]).await;
    assert_eq!(watcher.complaints().await, [""; 0]);
    world.close().await;
}

#[tokio::test]
async fn a_page_wakes_up_at_its_time_though_nobody_does_anything() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    let wish = json!({ "id": "short", "title": "Who?", "options": ["Cats", "Dogs"],
        "opens_at": in_millis(4_000), "closes_at": in_millis(20_000) });
    made(&admin, wish).await;
    let browser = Browser::start(&world).await;
    let (window, plain) = (browser.window().await, browser.window_without_javascript().await);
    window.opens("/vote/short").await;
    plain.opens("/vote/short").await;
    window.until("#send", &["Vote"]).await;
    // Loaded again in the right moment, by the browser alone.
    plain.until("#send", &["Vote"]).await;
    window.until(".badge[data-state]", &["Closed"]).await;
    world.close().await;
}

#[tokio::test]
async fn a_frame_in_another_sites_page_is_live_and_a_screen_fits() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    made(
        &admin,
        json!({ "id": "open", "title": "Who?", "options": ["Cats", "Dogs"], "allow_embedding": true }),
    )
    .await;
    let labels: Vec<String> = (1..=8).map(|number| format!("Candidate number {number}")).collect();
    made(&admin, json!({ "id": "eight", "title": "Who sits on the board?", "options": labels })).await;
    let browser = Browser::start(&world).await;
    let (frame, screen) = (browser.window().await, browser.window().await);
    frame.opens("/embed/open").await;
    frame.until("#lines .votes", &["0 votes", "0 votes"]).await;
    frame.is_marked().await;
    assert!(world.voter().votes_in("open", "dogs").await.is_accepted());
    frame.until("#lines .votes", &["0 votes", "1 vote"]).await;
    assert!(frame.is_same_page().await);
    assert_eq!(frame.runs(include_str!("accessibility.js")).await, json!([]));
    screen.opens("/present/eight").await;
    screen.until("#fullscreen", &["Full screen\nf"]).await;
    let overflow = "const it = document.documentElement;
        const rows = Array.from(document.querySelectorAll('#lines tr'), (row) => row.getBoundingClientRect());
        return [it.scrollHeight <= innerHeight, it.scrollWidth <= innerWidth, rows.length,
                rows.every((row) => row.bottom <= innerHeight && row.height > 40)]";
    assert_eq!(screen.runs(overflow).await, json!([true, true, 8, true]));
    assert_eq!(screen.runs(include_str!("accessibility.js")).await, json!([]));
    assert_eq!(screen.complaints().await, [""; 0]);
    world.close().await;
}
