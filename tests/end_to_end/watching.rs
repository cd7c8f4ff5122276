//! What watchers see.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use urna_world::{Own, Voter, World, eventually};

use crate::shapes::is_as_shown;

fn votes(data: &serde_json::Value, option: usize) -> u64 {
    data["lines"][option]["votes"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_watcher_sees_each_change_with_the_sequence_as_its_id() {
    let world = World::with_urna().await;
    let mut events = world.voter().watches(None).await;
    assert_eq!(events.block().await.as_deref(), Some("retry: 2000"));
    let (id, first) = events.event().await.expect("an event");
    assert_eq!((id.as_str(), first["total"].as_u64()), ("0", Some(0)));
    let receipt = world.voter().votes("cats").await;
    let shown = events.until("one vote for cats", |data| votes(data, 0) == 1).await;
    assert_eq!(shown["sequence"], receipt.body["sequence"]);
    assert_eq!(shown["ledger"]["accepted"], 1);
    is_as_shown("event_before_the_first_vote", first, &[]);
    is_as_shown("event_after_a_vote", shown.clone(), &["head"]);

    // Whoever comes back with the newest id is told nothing until there is news.
    let mut back = world.voter().watches(shown["sequence"].to_string().as_str().into()).await;
    assert_eq!(back.block().await.as_deref(), Some("retry: 2000"));
    world.voter().votes("dogs").await;
    let (_, news) = back.event().await.expect("an event");
    assert_eq!((votes(&news, 0), votes(&news, 1)), (1, 1));

    // Whoever comes back with an older one is told at once.
    let (_, missed) = world.voter().watches(Some("1")).await.event().await.expect("an event");
    assert_eq!(votes(&missed, 1), 1);
    world.close().await;
}

#[tokio::test]
async fn a_watcher_sees_the_newest_counts_and_a_slow_one_skips_to_them_and_costs_no_memory() {
    let world = World::with_urna().await;
    let mut slow = world.voter().watches(None).await;
    slow.until("the beginning", |data| data["total"] == 0).await;
    for number in 0..300 {
        let voter = Voter::program(&world.address("urna"), &format!("voter-{number}"));
        assert!(voter.votes("cats").await.is_accepted());
    }
    world.quiet().await;
    let mut events = 0;
    loop {
        let (_, data) = slow.event().await.expect("an event");
        events += 1;
        if data["total"] == 300 {
            break;
        }
    }
    assert!(events < 100, "300 changes came as {events} events");
    world.close().await;
}

#[tokio::test]
async fn a_watcher_is_told_of_a_crowd_ten_times_a_second_at_most_or_as_often_as_is_set() {
    let mut world = World::with_urna().await;
    world.start_as("result-seldom", "result", &[("URNA_EVENTS_PER_SECOND", "2")]).await;
    let load = crate::load::Load::begin(&world.address("urna"), 8, "a-crowd");
    for (process, intervals) in [("urna", 20), ("result-seldom", 4)] {
        let mut events = world.voter_at(process, "a program").watches(None).await;
        events.until("some votes", |data| votes(data, 0) > 0).await;
        let begin = Instant::now();
        for _ in 0..intervals {
            events.event().await.expect("an event");
        }
        // They are sent in two seconds; this may have begun to count late.
        let took = begin.elapsed();
        assert!(took > Duration::from_millis(1_500), "{intervals} more came in {took:?}");
    }
    let told = load.end().await;
    assert!(told.wrong.is_empty(), "{:?}", told.wrong);
    world.close().await;
}

#[tokio::test]
async fn pages_are_drawn_complete_without_a_script() {
    let world = World::with_urna().await;
    let ann = world.voter();
    assert!(ann.opens("/").await.contains("/vote/demo"));
    assert!(ann.opens("/vote/demo").await.contains("Cats or dogs?"));
    ann.submits("dogs").await;
    let receipt = "demo.1.0";
    assert!(ann.opens("/vote/demo?voted=1").await.contains(receipt), "the browser is known again");
    assert!(!world.voter().opens("/vote/demo").await.contains(receipt), "another browser is not");
    eventually("the page shows the vote", || async {
        let page = ann.opens("/result/demo").await;
        page.contains("100").then_some(())
    })
    .await;
    world.close().await;
}

#[tokio::test]
async fn health_names_each_dependency_and_metrics_tell_what_happened() {
    let mut world = World::with_urna_owning(&[Own::Postgres]).await;
    world.voter().votes("cats").await;
    world.quiet().await;
    let metrics = world.voter().opens("/metrics").await;
    for line in [
        "urna_vote_cast_total{outcome=\"accepted\"} 1",
        "urna_nats_publish_seconds_count{message=\"ballots_cast\"} 1",
        "urna_tally_batch_messages_count 1",
        "urna_tally_batch_seconds_count 1",
        "urna_tally_lag_seconds_count 1",
        "urna_tally_ledger_ballots{round=\"demo\",kind=\"accepted\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let health = world.voter().asks("/health").await;
    assert_eq!(health.body["checks"]["postgres"], "ok");
    world.postgres().kill();
    let health = eventually("health says that postgres is unavailable", || async {
        let health = world.voter().asks("/health").await;
        (health.status == 503).then_some(health)
    })
    .await;
    assert_eq!(health.body["checks"]["postgres"], "no route (nobody listens there)");
    assert_eq!(health.body["checks"]["nats"], "ok");
    assert_eq!(world.voter().asks("/live").await.status, 200);
    world.restart_postgres().await;
    world.ready("urna").await;
    world.close().await;
}

#[tokio::test]
async fn a_process_told_to_stop_ends_its_streams_and_stops_within_ten_seconds() {
    let mut world = World::with_urna().await;
    let address = world.address("urna");
    let mut watcher = world.voter().watches(None).await;
    watcher.until("the beginning", |data| data["total"] == 0).await;
    let load = crate::load::Load::begin(&address, 8, "until-the-end");
    watcher.until("some votes", |data| votes(data, 0) > 20).await;
    // Without a stream that it waits for, it takes far less.
    let status = world.running("urna").stop(Duration::from_secs(4)).await.expect("it stops");
    assert!(status.success(), "{status}");
    assert!(
        tokio::time::timeout(Duration::from_secs(1), async { while watcher.block().await.is_some() {} })
            .await
            .is_ok()
    );
    let told = load.end().await;
    assert!(told.wrong.is_empty(), "{:?}", told.wrong);
    world.start("urna").await;
    world.quiet().await;
    urna_world::audit(&world).await.holds(&told.accepted);
    world.close().await;
}

#[tokio::test]
async fn a_second_signal_does_not_disturb_the_stop() {
    let mut world = World::with_urna().await;
    world.running("urna").signal(Signal::SIGINT);
    let status = world.running("urna").stop(Duration::from_secs(10)).await.expect("it stops");
    assert!(status.success(), "{status}");
    world.close().await;
}
