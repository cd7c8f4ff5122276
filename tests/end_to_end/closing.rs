//! The seal and the recount.

use std::path::Path;
use std::process::{Command, Output};

use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::{self, stream::Stream};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use urna_world::{Answer, Own, Voter, World, audit, binary, eventually};

use crate::load::Load;
use crate::people::round;
use crate::shapes::is_as_shown;

/// Runs a command of the operator.
pub fn operator(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("urna"));
    command.args(arguments).envs(world.addresses());
    command.output().expect("urna can be started")
}

fn closes(world: &World) {
    let closed = operator(world, &["close", "demo"]);
    assert!(closed.status.success(), "{closed:?}");
}

async fn log(world: &World) -> Stream {
    world
        .jetstream()
        .await
        .expect("the nats-server answers")
        .get_stream("VOTES-demo")
        .await
        .expect("the log is there")
}

async fn sealed(world: &World) {
    eventually("the log is sealed", || async { log(world).await.cached_info().config.sealed.then_some(()) })
        .await;
}

#[tokio::test]
async fn a_closed_round_has_exactly_one_seal_and_nothing_follows_it() {
    let mut world = World::new().await;
    for (name, program) in [("round", "round"), ("round-2", "round"), ("vote", "vote"), ("vote-2", "vote")] {
        world.start_as(name, program, &[]).await;
    }
    world.start("tally").await;
    world.start("result").await;
    let loads =
        [Load::begin(&world.address("vote"), 8, "one"), Load::begin(&world.address("vote-2"), 8, "two")];
    eventually("votes flow", || async { (audit(&world).await.accepted > 200).then_some(()) }).await;
    closes(&world);
    let mut watcher = Voter::browser(&world.address("result")).watches(None).await;
    let last = watcher.until("the final result", |data| data["final"] == true).await;
    sealed(&world).await;
    let mut told = Vec::new();
    for load in loads {
        let load = load.end().await;
        told.extend(load.accepted);
        assert!(
            load.wrong.iter().all(|answer| answer.body["type"] == "urn:urna:round-closed"),
            "{:?}",
            load.wrong
        );
    }
    let audit = audit(&world).await;
    assert_eq!(audit.sealed, Some(audit.sequence), "the seal is the last message");
    audit.holds(&told);
    assert_eq!(last["total"].as_u64(), u64::try_from(audit.voters.len()).ok());
    assert_eq!(last["ledger"]["accepted"].as_i64(), Some(audit.accepted));
    assert_eq!(last["head"], last["sequence"]);
    world.close().await;
}

#[tokio::test]
async fn the_server_refuses_one_more_ballot_from_whoever_it_is() {
    let world = World::with_urna().await;
    world.voter().votes("cats").await;
    closes(&world);
    sealed(&world).await;
    let jetstream: jetstream::Context = world.jetstream().await.unwrap();
    let refused = jetstream.publish("vote.demo.cast", "{}".into()).await.unwrap().await.unwrap_err();
    assert!(
        refused.to_string().contains("sealed") || format!("{refused:?}").contains("10109"),
        "{refused:?}"
    );
    let mut config = log(&world).await.cached_info().config.clone();
    config.sealed = false;
    assert!(jetstream.update_stream(config).await.is_err(), "nobody can undo it");
    let late = world.voter().votes("cats").await;
    assert_eq!((late.status.as_u16(), &late.body["type"]), (409, &"urn:urna:round-closed".into()));
    world.close().await;
}

#[tokio::test]
async fn nobody_waits_for_more_of_a_log_that_is_sealed() {
    let world = World::with_urna().await;
    assert!(world.voter().votes("cats").await.is_accepted());
    eventually("the box and the tally wait for more", || async {
        (waiting(&world).await >= 2).then_some(())
    })
    .await;
    closes(&world);
    sealed(&world).await;
    eventually("nobody waits", || async { (waiting(&world).await == 0).then_some(()) }).await;
    world.close().await;
}

#[tokio::test]
async fn a_closed_round_whose_log_was_deleted_is_left_alone() {
    let mut world = World::with_urna().await;
    closes(&world);
    sealed(&world).await;
    world.kill("urna");
    let warnings = |world: &World| {
        let warns = |line: &&str| line.contains("WARN round") && line.contains("demo");
        world.log("urna").lines().filter(warns).count()
    };
    let before = warnings(&world);
    world.jetstream().await.expect("the nats-server answers").delete_stream("VOTES-demo").await.unwrap();
    world.start("urna").await;
    // Taking another round to its end, it has come by the first.
    let admin = world.admin().await;
    round(&admin, "second", json!({})).await;
    assert_eq!(admin.closes_round("second").await.status, 200);
    eventually("the second is sealed", || async {
        let jetstream = world.jetstream().await.ok()?;
        let log = jetstream.get_stream("VOTES-second").await.ok()?;
        log.cached_info().config.sealed.then_some(())
    })
    .await;
    assert_eq!(warnings(&world), before, "{}", world.log("urna"));
    world.abandon();
}

/// How many requests for messages of the log lie with the server.
async fn waiting(world: &World) -> usize {
    let log = log(world).await;
    let consumers: Vec<Info> = log.consumers().try_collect().await.expect("the nats-server answers");
    consumers.iter().map(|consumer| consumer.num_waiting).sum()
}

#[tokio::test]
async fn a_box_that_slept_through_the_seal_accepts_nothing_behind_it() {
    let mut world = World::with_urna().await;
    world.start("vote").await;
    let sleeper = world.voter_at("vote", "sleeper");
    assert!(sleeper.votes("cats").await.is_accepted());
    world.pause("vote");
    closes(&world);
    sealed(&world).await;
    let late = tokio::spawn(async move { sleeper.votes("dogs").await });
    world.resume("vote");
    let late: Answer = late.await.unwrap();
    assert_eq!(late.body["type"], "urn:urna:round-closed", "{late:?}");
    assert_eq!(audit(&world).await.accepted, 1);
    world.close().await;
}

#[tokio::test]
async fn a_round_closes_at_its_time_whatever_dies_on_the_way() {
    let mut world = World::new().await;
    world.start("tally").await;
    // Long past when anything looks at it: as if nothing had run meanwhile.
    let settings = [("URNA_DEMO_CLOSES_AT", "2026-01-01T00:00:00+01:00")];
    for _ in 0..5 {
        world.launch("round", "round", &settings);
        eventually("the round is made, or closed, or more", || async {
            let rounds = world.jetstream().await.ok()?.get_stream("ROUNDS").await.ok()?;
            (rounds.cached_info().state.last_sequence > 0).then_some(())
        })
        .await;
        world.kill("round");
    }
    world.launch("round", "round", &settings);
    sealed(&world).await;
    let audit = audit(&world).await;
    assert_eq!((audit.sealed, audit.sequence), (Some(1), 1));
    world.close().await;
}

#[tokio::test]
async fn after_the_seal_nothing_that_is_stored_ties_a_person_to_a_ballot() {
    let mut world = World::with_urna_owning(&[Own::Nats]).await;
    world.voter_at("urna", "somebody-in-particular").votes("cats").await;
    let keys = world.jetstream().await.unwrap().get_stream("KEYS").await.unwrap();
    let key = keys.get_last_raw_message_by_subject("key.demo").await.unwrap();
    let key: Value = serde_json::from_slice(&key.payload).unwrap();
    let key = key["key"].as_str().expect("a key").to_owned();
    assert!(holds(world.folder(), key.as_bytes()), "the search finds what is there");
    closes(&world);
    sealed(&world).await;
    assert!(keys.get_last_raw_message_by_subject("key.demo").await.is_err());
    world.kill("urna");
    world.nats().kill();
    assert!(!holds(world.folder(), key.as_bytes()), "the key is on the disk");
    world.nats().start();
    world.servers_answer().await;
    world.start("urna").await;
    world.close().await;
}

/// Whether a file below `folder` holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder of the world").any(|entry| {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let file = std::fs::read(&path).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn whoever_can_read_the_log_can_recount_it() {
    let world = World::with_urna().await;
    let load = Load::begin(&world.address("urna"), 8, "recount");
    eventually("votes flow", || async { (audit(&world).await.accepted > 100).then_some(()) }).await;
    let recount = || operator(&world, &["recount", "--format", "json"]);
    let during = recount();
    assert!(during.status.success(), "votes go on, and it agrees: {during:?}");
    load.end().await;
    world.quiet().await;

    let database = world.database().await;
    sqlx::query("update tally.count set votes = votes + 1 where option = 'cats'")
        .execute(&database)
        .await
        .unwrap();
    let differs = recount();
    assert_eq!(differs.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&differs.stdout).unwrap();
    let cats = |side: &str| told[0][side]["counts"]["cats"].as_i64().expect("a count");
    assert_eq!(cats("scoreboard"), cats("log") + 1);
    let table = operator(&world, &["recount", "--round", "demo"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("THEY DIFFER"));

    assert!(operator(&world, &["recount", "--repair"]).status.success());
    assert!(recount().status.success());
    assert_eq!(operator(&world, &["recount", "--round", "nope"]).status.code(), Some(2));
    world.close().await;
}

#[tokio::test]
async fn a_recount_that_is_put_in_place_of_a_final_result_is_told() {
    let world = World::with_urna().await;
    assert!(world.voter_at("urna", "ann").votes("cats").await.is_accepted());
    assert!(operator(&world, &["close", "demo"]).status.success());
    let results = async || world.voter().asks("/rounds/demo/results").await.body;
    eventually("the result is final", || async { (results().await["final"] == true).then_some(()) }).await;
    let database = world.database().await;
    let wrong = "update tally.count set votes = 7 where option = 'cats'";
    sqlx::query(wrong).execute(&database).await.unwrap();
    assert!(operator(&world, &["recount", "--repair"]).status.success());
    let repaired = eventually("the recount is told", || async {
        let results = results().await;
        (results["generation"] == 1).then_some(results)
    })
    .await;
    assert_eq!((&repaired["results"]["Cats"], &repaired["final"]), (&1.into(), &true.into()));
    world.close().await;
}

#[tokio::test]
async fn a_log_that_contradicts_itself_is_found() {
    let world = World::with_urna().await;
    let voter = world.voter_at("urna", "ann");
    voter.votes("cats").await;
    let forged = r#"{"at":"2026-11-21T09:30:00Z","round":"demo","ballots":[{"ballot":
        "67e55044-10b1-426f-9247-bb680e5fe0c8","voter":"a3f1c2d4e5b60718293a4b5c6d7e8f90","choice":["dogs"],
        "replaces":{"ballot":"0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9","choice":["cats"]}}]}"#;
    let jetstream = world.jetstream().await.unwrap();
    jetstream.publish("vote.demo.cast", forged.into()).await.unwrap().await.unwrap();
    world.quiet().await;
    let found = operator(&world, &["recount"]);
    assert_eq!(found.status.code(), Some(1));
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(told.contains("THE LOG CONTRADICTS ITSELF"), "{told}");
    let found = operator(&world, &["recount", "--format", "json"]);
    assert_eq!(found.status.code(), Some(1));
    let told = serde_json::from_slice(&found.stdout).expect("JSON");
    is_as_shown("recount_of_a_log_that_contradicts_itself", told, &["duration_seconds"]);
    world.abandon();
}
