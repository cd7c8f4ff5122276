//! Scenarios that share servers do not see each other, and cannot harm what they share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlx::Row;
use urna_world::{Own, World, audit};

#[tokio::test]
async fn scenarios_that_share_servers_do_not_see_each_other() {
    let (one, other) = tokio::join!(World::with_urna(), World::with_urna());
    assert_eq!(one.nats_port(), other.nats_port(), "they share a nats-server");
    assert_eq!(one.postgres_port(), other.postgres_port(), "they share a PostgreSQL");
    for number in 0..5 {
        assert!(one.voter_at("urna", &format!("voter-{number}")).votes("cats").await.is_accepted());
    }
    assert!(other.voter_at("urna", "voter-0").votes("dogs").await.is_accepted());
    assert_eq!((audit(&one).await.accepted, audit(&other).await.accepted), (5, 1));
    let ann = one.voter();
    assert_eq!(ann.registers("Ann", "ann@example.org", "a good long password").await.status, 303);
    let there = other.voter().signs_in("ann@example.org", "a good long password").await;
    assert_eq!(there.status, 401, "{}", there.html);
    one.close().await;
    assert!(other.voter_at("urna", "voter-1").votes("cats").await.is_accepted(), "what is left goes on");
    other.close().await;
}

#[tokio::test]
async fn a_scenario_that_harms_a_shared_server_fails_by_itself() {
    let mut world = World::with_urna().await;
    for harm in [
        |world: &mut World| world.nats().kill(),
        |world: &mut World| world.postgres().pause(),
        |world: &mut World| world.redis_server().kill(),
    ] {
        let fault = catch_unwind(AssertUnwindSafe(|| harm(&mut world))).expect_err("it is shared");
        let words = fault.downcast_ref::<String>().expect("a panic with words");
        assert!(words.contains("begins with World::owning(&[Own::"), "{words}");
    }
    let mut redis = world.redis().await;
    let commands = [&["FLUSHALL"][..], &["SHUTDOWN"], &["CONFIG", "GET", "dir"], &["SWAPDB", "0", "1"]];
    for command in commands {
        let refused = redis::cmd(command[0]).arg(&command[1..]).exec_async(&mut redis).await;
        assert_eq!(refused.unwrap_err().code(), Some("NOPERM"), "{command:?}");
    }
    let database = world.database().await;
    for statement in [
        "alter system set work_mem = '1MB'",
        "create database another",
        "select pg_reload_conf()",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'urna'",
    ] {
        let refused = sqlx::raw_sql(statement).fetch_all(&database).await;
        let is_refused = refused.as_ref().map_or(true, |rows| rows.is_empty());
        assert!(is_refused, "{statement}: {:?}", refused.map(|rows| rows[0].len()));
    }
    let stranger = async_nats::connect(world.nats_url()).await;
    assert!(stranger.is_err(), "nobody connects without a name");
    world.close().await;
}

#[tokio::test]
async fn a_scenario_that_declares_its_harm_has_servers_of_its_own() {
    let (mut world, other) = tokio::join!(World::with_urna_owning(&[Own::Redis]), World::with_urna());
    world.redis_server().kill();
    assert!(other.voter_at("urna", "ann").votes("cats").await.is_accepted());
    let ben = other.voter().registers("Ben", "ben@example.org", "a good long password").await;
    assert_eq!(ben.status, 303, "the shared Redis answers");
    other.close().await;
    world.restart_redis().await;
    world.close().await;
}
