//! What a person sees who does nothing.

use std::time::{Duration, Instant};

use urna_world::{Own, World};

use crate::window::Browser;

#[tokio::test]
async fn the_result_page_says_when_counting_waits_and_catches_up_by_itself() {
    let mut world = World::with_urna_owning(&[Own::Postgres]).await;
    let browser = Browser::start(&world).await;
    let watcher = browser.window().await;
    watcher.opens("/result/demo").await;
    watcher.is_marked().await;
    world.voter().votes("dogs").await;
    watcher.until("#lines .votes", &["0 votes", "1 vote"]).await;
    watcher.until("#waiting", &[]).await;

    world.postgres().kill();
    assert!(world.voter().votes("cats").await.is_accepted());
    let accepted = Instant::now();
    let told =
        "Counting waits. Votes are safe in the box and will be counted as soon as the counter is back.";
    watcher.until("#waiting", &[told]).await;
    let waited = accepted.elapsed();
    assert!(waited < Duration::from_secs(8), "watchers were told after {waited:?}");
    watcher.until("#lines .votes", &["0 votes", "1 vote"]).await;

    world.restart_postgres().await;
    watcher.until("#lines .votes", &["1 vote", "1 vote"]).await;
    watcher.until("#waiting", &[]).await;
    watcher.until("#connection", &[]).await;
    assert!(watcher.is_same_page().await, "the page was loaded again");
    world.close().await;
}
