//! `urna deploy`: what the servers must have before any process starts, and what processes say while it is missing.

use std::process::Output;

use async_nats::jetstream::stream::Config;
use serde_json::Value;
use subjects::Account;
use urna_world::{Own, World, eventually};

use crate::closing::operator;

fn deploy(world: &World, arguments: &[&str]) -> Output {
    operator(world, &[&["deploy"], arguments].concat())
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The servers as they are before anything was deployed, and who may deploy to Postgres.
async fn undeployed() -> World {
    let world = World::owning(&[Own::Nats, Own::Postgres]).await;
    for account in Account::ALL {
        let jetstream = world.jetstream_of(account).await.expect("the nats-server answers");
        let buckets = account.buckets().into_iter().map(|bucket| bucket.stream());
        for stream in account.streams().into_iter().map(|stream| stream.name).chain(buckets) {
            jetstream.delete_stream(stream).await.expect("the stream exists");
        }
    }
    let database = world.database().await;
    for statement in [
        "drop schema login, round, tally cascade",
        "drop owned by login, round, tally, recount cascade",
        "drop role login, round, tally, recount",
        "create role deploy login createrole",
        "grant create on database postgres to deploy",
        "alter database postgres owner to deploy",
    ] {
        sqlx::query(statement)
            .execute(&database)
            .await
            .unwrap_or_else(|cause| panic!("{statement}: {cause}"));
    }
    let password = world.credentials().join("postgres/deploy.password");
    std::fs::write(password, "only-for-tests").expect("a file can be written");
    world
}

#[tokio::test]
async fn deploying_creates_what_is_missing_once_and_a_dry_run_only_says_so() {
    let world = undeployed().await;
    let dry = deploy(&world, &["--dry-run"]);
    assert_eq!(dry.status.code(), Some(1), "{dry:?}");
    for line in [
        "stream ROUNDS: would be created",
        "stream ACCOUNTS: would be created",
        "role tally: would be created",
    ] {
        assert!(told(&dry).contains(line), "{}", told(&dry));
    }
    let rounds = world.jetstream().await.unwrap().get_stream("ROUNDS").await;
    assert!(rounds.is_err(), "a dry run creates nothing");
    let done = deploy(&world, &[]);
    assert!(done.status.success(), "{done:?}");
    assert!(told(&done).contains("stream ROUNDS: created"), "{}", told(&done));
    assert!(told(&done).contains("schema tally: created"), "{}", told(&done));
    for arguments in [&["--dry-run"][..], &[]] {
        let again = deploy(&world, arguments);
        // This server asks for no password, so nobody can find out whether it is the right one.
        let told = told(&again);
        let mut rest = told.lines().filter(|line| !line.contains("set the password"));
        assert!(rest.all(|line| line.ends_with(": unchanged")), "{told}");
    }
    world.abandon();
}

#[tokio::test]
async fn deploying_shows_and_mends_a_setting_that_differs() {
    let world = undeployed().await;
    assert!(deploy(&world, &[]).status.success());
    let jetstream = world.jetstream().await.unwrap();
    let mut rounds = jetstream.get_stream("ROUNDS").await.unwrap();
    let config = rounds.info().await.unwrap().config.clone();
    let described = Some("ours".to_owned());
    let other = Config { max_messages_per_subject: 7, description: described.clone(), ..config.clone() };
    jetstream.update_stream(other).await.unwrap();
    let dry = deploy(&world, &["--dry-run"]);
    let line = "stream ROUNDS: would be changed: max messages per subject from 7 to 64";
    assert!(dry.status.code() == Some(1) && told(&dry).contains(line), "{}", told(&dry));
    assert!(deploy(&world, &[]).status.success());
    let now = rounds.info().await.unwrap().config.clone();
    assert_eq!((now.max_messages_per_subject, now.description), (config.max_messages_per_subject, described));
    world.abandon();
}

#[tokio::test]
async fn a_process_says_what_is_not_deployed_and_begins_when_it_is() {
    let mut world = undeployed().await;
    world.launch("urna", "urna", &[]);
    let health = format!("{}/health", world.address("urna"));
    let checks = async || {
        let report: Value = reqwest::get(&health).await.ok()?.json().await.ok()?;
        Some(report["checks"].clone())
    };
    eventually("it says what is missing", || async {
        let checks = checks().await?;
        (checks["nats"] == "not deployed (run urna deploy)" && checks["postgres"] == "wrong user or password")
            .then_some(())
    })
    .await;
    let log = world.log("urna");
    assert!(log.contains("ROUNDS") && log.contains("urna deploy"), "{log}");
    assert!(deploy(&world, &[]).status.success());
    world.ready("urna").await;
    assert!(world.voter_at("urna", "first").insists("cats").await.is_accepted());
    let log = world.log("urna");
    let said =
        log.lines().filter(|line| line.contains("streams are missing") && line.contains("ROUNDS")).count();
    // Once for each of the four actors that need rounds.
    assert!((1..=4).contains(&said), "{said} times: {log}");
    world.close().await;
}
