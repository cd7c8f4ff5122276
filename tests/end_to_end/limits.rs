//! What the machine can no longer do.

use async_nats::jetstream::stream::Config;
use urna_world::{Own, World, audit, eventually};

/// Changes the log's stream.
async fn configure(world: &World, change: impl FnOnce(&mut Config)) {
    let jetstream = world.jetstream().await.expect("the nats-server answers");
    let stream = jetstream.get_stream("VOTES-demo").await.expect("the log is there");
    let mut config = stream.cached_info().config.clone();
    change(&mut config);
    jetstream.update_stream(config).await.expect("the stream can be changed");
}

#[tokio::test]
async fn a_full_log_accepts_nothing_and_says_so_and_goes_on_when_there_is_room() {
    let world = World::with_urna().await;
    assert!(world.voter().votes("cats").await.is_accepted());
    configure(&world, |config| config.max_bytes = 1).await;
    let ann = world.voter();
    ann.opens("/vote/demo").await;
    let refused = ann.votes("dogs").await;
    assert_eq!((refused.status.as_u16(), &refused.body["type"]), (503, &"urn:urna:log-unavailable".into()));
    assert!(refused.retry_after.is_some());
    assert_eq!(audit(&world).await.accepted, 1);
    let metrics = world.voter().opens("/metrics").await;
    assert!(metrics.contains("urna_nats_published_total{message=\"ballots_cast\",outcome=\"refused\"} 1"));
    configure(&world, |config| config.max_bytes = -1).await;
    assert!(ann.votes("dogs").await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn a_postgres_that_cannot_be_written_to_stops_the_counting_and_nothing_else() {
    let world = World::with_urna_owning(&[Own::Postgres]).await;
    let mut watcher = world.voter().watches(None).await;
    world.voter().votes("cats").await;
    watcher.until("the first vote", |data| data["total"] == 1).await;
    read_only(&world, "on").await;
    assert!(world.voter().votes("cats").await.is_accepted());
    watcher.until("that counting waits", |data| data["counting"] == "waiting").await;
    read_only(&world, "off").await;
    watcher.until("the second vote", |data| data["total"] == 2).await;
    world.close().await;
}

async fn read_only(world: &World, setting: &'static str) {
    let database = world.database().await;
    let alter = match setting {
        "on" => "alter system set default_transaction_read_only = on",
        _ => "alter system set default_transaction_read_only = off",
    };
    for statement in
        ["set session characteristics as transaction read write", alter, "select pg_reload_conf()"]
    {
        sqlx::query(statement).execute(&database).await.expect("postgres answers");
    }
    // Connections that are open take note at their next statement.
    eventually("postgres has taken note", || async {
        let shown: String = sqlx::query_scalar("show default_transaction_read_only")
            .fetch_one(&world.database().await)
            .await
            .ok()?;
        (shown == setting).then_some(())
    })
    .await;
}
