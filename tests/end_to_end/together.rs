//! Two of each process.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;
use subjects::{Change, Round, RoundChanged, RoundId, RoundState, Said, TallyCounted, Timestamp};
use urna_world::{Answer, Fault, Proxy, Voter, World, audit, eventually};

use crate::closing::operator;
use crate::load::{Load, one_ballot_a_voter};

/// A world in which every actor is a process of its own.
async fn separate() -> World {
    let mut world = World::new().await;
    for name in ["round", "vote", "tally", "result"] {
        world.start(name).await;
    }
    world
}

#[tokio::test]
async fn each_actor_runs_in_a_process_of_its_own() {
    let world = separate().await;
    let ann = Voter::browser(&world.address("vote"));
    ann.opens("/vote/demo").await;
    assert!(ann.votes("cats").await.is_accepted());
    let mut watcher = Voter::browser(&world.address("result")).watches(None).await;
    watcher.until("the vote", |data| data["total"] == 1).await;
    assert!(Voter::browser(&world.address("round")).opens("/").await.contains("Cats or dogs?"));
    world.close().await;
}

#[tokio::test]
async fn one_voter_has_at_most_one_ballot_that_counts_however_many_vote_processes_there_are() {
    let mut world = separate().await;
    world.start_as("vote-2", "vote", &[]).await;
    let addresses = [world.address("vote"), world.address("vote-2")];
    one_ballot_a_voter(&world, &addresses, 60).await;
    let metrics = Voter::browser(&addresses[0]).opens("/metrics").await
        + &Voter::browser(&addresses[1]).opens("/metrics").await;
    assert!(metrics.contains("urna_vote_conflicts_total"), "they were in each other's way");
    world.close().await;
}

#[tokio::test]
async fn a_tally_that_has_lost_nats_leaves_its_rounds_to_another() {
    let mut world = World::new().await;
    let proxy = Proxy::before(world.nats_port()).await;
    let url = format!("nats://127.0.0.1:{}", proxy.port);
    for process in ["round", "vote"] {
        world.start(process).await;
    }
    world.start_as("tally", "tally", &[("NATS_URL", url.as_str())]).await;
    assert!(world.voter_at("vote", "ann").votes("cats").await.is_accepted());
    counted(&world, 1).await;
    world.start_as("tally-2", "tally", &[]).await;
    proxy.set(Fault::Ends);
    assert!(world.voter_at("vote", "ben").votes("cats").await.is_accepted());
    counted(&world, 2).await;
    assert!(world.log("tally-2").contains("counting"));
    proxy.set(Fault::None);
    world.abandon();
}

/// Waits until so many ballots are counted.
async fn counted(world: &World, ballots: i64) {
    let database = world.database().await;
    eventually("the ballots are counted", || async {
        let accepted = sqlx::query_scalar("select accepted from tally.cursor where round = 'demo'");
        let accepted: Option<i64> = accepted.fetch_optional(&database).await.ok()?;
        (accepted == Some(ballots)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_retry_at_another_vote_process_gets_the_answer_of_the_first_time() {
    let mut world = separate().await;
    world.start_as("vote-2", "vote", &[]).await;
    let ann = Voter::program(&world.address("vote"), "ann");
    let elsewhere = ann.at(&world.address("vote-2"));
    let ballot = Some("67e55044-10b1-426f-9247-bb680e5fe0c8");
    let (first, second) = tokio::join!(ann.try_votes("cats", ballot), elsewhere.try_votes("cats", ballot));
    let (first, second): (Answer, Answer) = (first.unwrap(), second.unwrap());
    assert!(first.is_accepted());
    assert_eq!(first.body, second.body);
    assert_eq!(audit(&world).await.accepted, 1);
    world.close().await;
}

#[tokio::test]
async fn when_a_tally_dies_another_one_takes_over_its_rounds_and_nothing_is_counted_twice() {
    let mut world = separate().await;
    world.start_as("tally-2", "tally", &[]).await;
    let load = Load::begin(&world.address("vote"), 8, "tallies");
    let mut watcher = Voter::browser(&world.address("result")).watches(None).await;
    let mut total = 0;
    for dies in ["tally", "tally-2"] {
        let seen = watcher.until("progress", |data| data["total"].as_u64() > Some(total + 50)).await;
        total = seen["total"].as_u64().expect("a total");
        world.kill(dies);
        let seen =
            watcher.until("progress without it", |data| data["total"].as_u64() > Some(total + 50)).await;
        total = seen["total"].as_u64().expect("a total");
        world.start_as(dies, "tally", &[]).await;
    }
    let told = load.end().await;
    assert!(told.wrong.is_empty() && told.unanswered == 0, "voters do not notice");
    world.quiet().await;
    audit(&world).await.holds(&told.accepted);
    world.close().await;
}

#[tokio::test]
async fn a_tally_that_hangs_loses_its_rounds_and_does_no_harm_when_it_wakes() {
    let mut world = separate().await;
    world.voter_at("vote", "first").votes("cats").await;
    world.quiet().await;
    world.pause("tally");
    world.start_as("tally-2", "tally", &[]).await;
    world.voter_at("vote", "second").votes("cats").await;
    let mut watcher = Voter::browser(&world.address("result")).watches(None).await;
    watcher.until("the second vote, counted by the other", |data| data["total"] == 2).await;
    world.resume("tally");
    world.voter_at("vote", "third").votes("cats").await;
    watcher.until("the third vote", |data| data["total"] == 3).await;
    world.close().await;
}

#[tokio::test]
async fn a_round_that_is_counted_to_its_seal_holds_no_lock_in_postgres() {
    let world = separate().await;
    world.voter_at("vote", "ann").votes("cats").await;
    let database = world.database().await;
    let hold = async |number: i64| {
        let locks = sqlx::query_scalar("select count(*) from pg_locks where locktype = 'advisory'");
        let locks: i64 = locks.fetch_one(&database).await.ok()?;
        (locks == number).then_some(())
    };
    eventually("the tally holds the round's lock", || hold(1)).await;
    assert!(operator(&world, &["close", "demo"]).status.success());
    eventually("nobody holds it", || hold(0)).await;
    world.close().await;
}

/// So many that asking about each takes longer than a tally may be silent.
const CLOSED: i64 = 12_000;

#[tokio::test]
async fn a_tally_counts_what_is_open_however_many_rounds_were_closed_before() {
    let mut world = separate().await;
    for name in ["tally", "round", "result"] {
        world.kill(name);
    }
    were_closed(&world).await;
    assert!(world.voter_at("vote", "ann").votes("cats").await.is_accepted());
    world.start("tally").await;
    counted(&world, 1).await;
    world.abandon();
}

/// Makes rounds that were closed long ago, as they lie on the bus and in Postgres.
async fn were_closed(world: &World) {
    let at = Timestamp::from_unix_millis(0).expect("a moment");
    let jetstream = world.jetstream().await.expect("the nats-server answers");
    let said = (0..CLOSED).flat_map(|number| {
        let id = RoundId::parse(&format!("closed-{number}")).expect("a slug");
        let (counts, ledger) = Default::default();
        let counted = TallyCounted {
            at,
            round: id.clone(),
            sequence: 1,
            head: 1,
            counts,
            ledger,
            is_final: true,
            generation: 0,
        };
        let round = Round { state: RoundState::Closed, ..Round::blank(id) };
        let changed = RoundChanged { at, change: Change::Closed, round };
        let json = |it| serde_json::to_vec(it).expect("a message is JSON");
        [(counted.subject(), json(&json!(counted))), (changed.subject(), json(&json!(changed)))]
    });
    let stored = stream::iter(said).map(async |(subject, payload)| {
        let sent = jetstream.publish(subject, payload.into()).await.expect("the nats-server listens");
        sent.await.expect("it is stored");
    });
    let rounds = jetstream.get_stream("ROUNDS").await.expect("the stream is there");
    let open = rounds.get_last_raw_message_by_subject("round.demo").await.expect("the round is there");
    stored.buffer_unordered(100).collect::<()>().await;
    // The open one is read last.
    jetstream.publish(open.subject, open.payload).await.expect("it is sent").await.expect("it is stored");
    let counted = "insert into tally.cursor select 'closed-' || number, 1, 0, 0, 0, 0, true
                   from generate_series(0, $1 - 1) as number";
    sqlx::query(counted).bind(CLOSED).execute(&world.database().await).await.expect("postgres answers");
}

#[tokio::test]
async fn a_round_is_made_once_however_many_processes_make_it_at_once() {
    let mut world = World::new().await;
    for name in ["round-1", "round-2", "round-3"] {
        world.launch(name, "round", &[]);
    }
    for name in ["round-1", "round-2", "round-3"] {
        world.ready(name).await;
    }
    let jetstream = world.jetstream().await.unwrap();
    for stream in ["ROUNDS", "KEYS"] {
        assert_eq!(
            jetstream.get_stream(stream).await.unwrap().cached_info().state.last_sequence,
            1,
            "{stream}"
        );
    }
    let database = world.database().await;
    eventually("the copy is in Postgres", || async {
        let title: Option<String> =
            sqlx::query_scalar("select body->>'title' from round.round where id = 'demo'")
                .fetch_optional(&database)
                .await
                .ok()?;
        (title.as_deref() == Some("Cats or dogs?")).then_some(())
    })
    .await;
    world.start("tally").await;
    world.start_as("round-4", "round", &[("URNA_DEMO_OPTIONS", "Tea,Coffee")]).await;
    assert!(world.log("round-4").contains("the round is there with another title or other options"));
    world.close().await;
}

#[tokio::test]
async fn a_rounds_log_is_there_before_anyone_is_told_that_it_is_open() {
    let world = World::with_urna().await;
    let jetstream = world.jetstream().await.unwrap();
    let log = jetstream.get_stream("VOTES-demo").await.unwrap();
    let rounds = jetstream.get_stream("ROUNDS").await.unwrap();
    let told = rounds.get_last_raw_message_by_subject("round.demo").await.unwrap();
    assert!(log.cached_info().created < told.time);
    world.close().await;
}

#[tokio::test]
async fn the_demonstration_round_is_as_the_settings_say() {
    let mut world = World::new().await;
    let settings =
        [("URNA_DEMO_OPTIONS", "Tea, Coffee,Hot chocolate"), ("URNA_DEMO_TITLE", "What to drink?")];
    world.start_as("urna", "urna", &settings).await;
    let round = world.voter().asks("/rounds/demo").await.body;
    assert_eq!(round["title"], "What to drink?");
    let third = &round["options"][2];
    assert_eq!((&third["id"], &third["label"]), (&json!("hot-chocolate"), &json!("Hot chocolate")));
    assert!(world.voter().votes("Hot chocolate").await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn an_unknown_setting_is_refused_by_name() {
    let mut world = World::new().await;
    world.launch("urna", "urna", &[("URNA_DEMO_OPTION", "Tea,Coffee")]);
    let ended = tokio::time::timeout(Duration::from_secs(10), world.ended("urna")).await;
    ended.expect("the process ends by itself");
    assert!(world.log("urna").contains("URNA_DEMO_OPTION is not a setting"));
    world.start("urna").await;
    world.close().await;
}
