//! What survives when a part dies.

use serde_json::json;
use subjects::Account;
use urna_world::{Fault, Own, Proxy, Voter, World, audit, eventually};

use crate::closing::operator;
use crate::load::{Load, Told};

/// How many ballots must be accepted between one event and the next.
const SOME: usize = 100;

/// Waits until the log has grown by some ballots: the load is flowing.
async fn flows(world: &World) {
    let before = audit(world).await.accepted;
    let enough = before + i64::try_from(SOME).expect("a small number");
    eventually("votes flow", || async { (audit(world).await.accepted >= enough).then_some(()) }).await;
}

async fn nothing_is_lost(world: World, told: Told) {
    assert!(told.wrong.is_empty(), "{:?}", told.wrong);
    assert!(told.accepted.len() > SOME);
    world.quiet().await;
    audit(&world).await.holds(&told.accepted);
    world.close().await;
}

#[tokio::test]
async fn a_ballot_that_was_answered_with_success_is_in_the_log_when_urna_is_killed() {
    let mut world = World::with_urna().await;
    let load = Load::begin(&world.address("urna"), 16, "urna");
    for _ in 0..3 {
        flows(&world).await;
        world.kill("urna");
        world.start("urna").await;
    }
    flows(&world).await;
    nothing_is_lost(world, load.end().await).await;
}

#[tokio::test]
async fn a_ballot_that_was_answered_with_success_is_in_the_log_when_nats_is_killed() {
    let mut world = World::with_urna_owning(&[Own::Nats]).await;
    let load = Load::begin(&world.address("urna"), 16, "nats");
    for _ in 0..3 {
        flows(&world).await;
        world.nats().kill();
        let away = eventually("voters are told to come back", || async {
            let answer = world.voter().try_votes("cats", None).await.ok()?;
            (!answer.is_accepted()).then_some(answer)
        })
        .await;
        assert_eq!(away.status, 503);
        assert!(away.retry_after.is_some());
        world.nats().start();
        world.servers_answer().await;
        world.ready("urna").await;
    }
    flows(&world).await;
    nothing_is_lost(world, load.end().await).await;
}

#[tokio::test]
async fn nothing_is_accepted_while_nats_is_away() {
    let mut world = World::with_urna_owning(&[Own::Nats]).await;
    assert!(world.voter().votes("cats").await.is_accepted());
    world.nats().kill();
    let ann = Voter::program(&world.address("urna"), "ann");
    // The process may not have noticed yet: the first answers may be that it cannot tell.
    eventually("the box says that it is away", || async {
        let answer = ann.votes("dogs").await;
        assert_eq!(answer.status, 503);
        assert!(answer.retry_after.is_some());
        (answer.body["type"] == "urn:urna:log-unavailable").then_some(())
    })
    .await;
    let ben = Voter::program(&world.address("urna"), "ben");
    for _ in 0..20 {
        assert_eq!(ben.votes("dogs").await.body["type"], "urn:urna:log-unavailable");
    }
    world.nats().start();
    world.servers_answer().await;
    world.ready("urna").await;
    let audit = audit(&world).await;
    assert_eq!(audit.votes.get("dogs"), None, "nothing was accepted behind the voters' backs");
    assert!(ben.votes("dogs").await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn votes_are_accepted_while_postgres_is_away_and_counted_when_it_returns() {
    let mut world = World::with_urna_owning(&[Own::Postgres]).await;
    let mut watcher = world.voter().watches(None).await;
    world.voter().votes("cats").await;
    watcher.until("the first vote", |data| data["total"] == 1).await;
    world.postgres().kill();
    let load = Load::begin(&world.address("urna"), 8, "postgres");
    flows(&world).await;
    let told = load.end().await;
    assert_eq!(told.unanswered, 0, "no voter notices");
    watcher.until("that counting waits", |data| data["counting"] == "waiting").await;
    world.restart_postgres().await;
    let total = u64::try_from(audit(&world).await.voters.len()).expect("few voters");
    watcher
        .until("that it has caught up", |data| data["counting"] == "current" && data["total"] == total)
        .await;
    nothing_is_lost(world, told).await;
}

#[tokio::test]
async fn nothing_is_lost_or_counted_twice_when_postgres_is_killed_under_load() {
    let mut world = World::with_urna_owning(&[Own::Postgres]).await;
    let load = Load::begin(&world.address("urna"), 16, "postgres");
    for _ in 0..3 {
        flows(&world).await;
        world.postgres().kill();
        flows(&world).await;
        world.restart_postgres().await;
    }
    nothing_is_lost(world, load.end().await).await;
}

#[tokio::test]
async fn urna_starts_and_takes_votes_while_postgres_is_away() {
    let mut world = World::with_urna_owning(&[Own::Postgres]).await;
    world.postgres().kill();
    world.kill("urna");
    world.launch("urna", "urna", &[]);
    let ann = world.voter();
    eventually("votes are accepted", || async {
        ann.try_votes("cats", None).await.ok().filter(urna_world::Answer::is_accepted)
    })
    .await;
    world.restart_postgres().await;
    world.ready("urna").await;
    world.close().await;
}

#[tokio::test]
async fn a_ballot_whose_acknowledgement_is_lost_is_found_again_in_the_log() {
    lost_on_the_way(Fault::LosesAnswers).await;
}

#[tokio::test]
async fn a_ballot_that_is_lost_on_its_way_to_the_log_is_appended_again() {
    lost_on_the_way(Fault::LosesRequests).await;
}

/// A world whose Urna reaches NATS over a bad connection.
async fn behind_a_proxy(settings: &[(&str, &str)]) -> (World, Proxy) {
    let mut world = World::new().await;
    let proxy = Proxy::before(world.nats_port()).await;
    let url = format!("nats://127.0.0.1:{}", proxy.port);
    let settings: Vec<(&str, &str)> = settings.iter().copied().chain([("NATS_URL", url.as_str())]).collect();
    world.start_as("urna", "urna", &settings).await;
    (world, proxy)
}

#[tokio::test]
async fn the_copy_of_the_rounds_goes_on_behind_an_answer_that_postgres_never_gave() {
    let mut world = World::new().await;
    let proxy = Proxy::before(world.postgres_port()).await;
    let (direct, port) = (world.database_url_of_processes(), format!(":{}/", world.postgres_port()));
    let url = direct.replace(&port, &format!(":{}/", proxy.port));
    assert_ne!(url, direct);
    world.start_as("round", "round", &[("DATABASE_URL", url.as_str())]).await;
    let database = world.database().await;
    let is = async |state: &str| {
        let copied = sqlx::query_scalar("select body->>'state' from round.round where id = 'demo'");
        let copied: Option<String> = copied.fetch_optional(&database).await.ok()?;
        (copied.as_deref() == Some(state)).then_some(())
    };
    eventually("the open round is copied", || is("open")).await;

    let mut holds_up = database.begin().await.unwrap();
    sqlx::query("lock table round.round in exclusive mode").execute(&mut *holds_up).await.unwrap();
    assert!(operator(&world, &["close", "demo"]).status.success());
    let writers = async |are_cancelled: bool| {
        let writers = sqlx::query_scalar(
            "select case when $1 then pg_cancel_backend(pid) end from pg_stat_activity
             where wait_event_type = 'Lock' and query like 'insert into round.%'",
        );
        let writers: Vec<Option<bool>> = writers.bind(are_cancelled).fetch_all(&database).await.ok()?;
        Some(writers.len())
    };
    eventually("the copy is being written", || async { (writers(false).await? > 0).then_some(()) }).await;
    proxy.set(Fault::LosesAnswers);
    eventually("it is not written any more", || async { (writers(true).await? == 0).then_some(()) }).await;
    holds_up.rollback().await.unwrap();
    proxy.set(Fault::None);
    eventually("the closed round is copied", || is("closed")).await;
    world.abandon();
}

/// Waits until a process has logged something more often than before.
async fn logs_again(world: &World, text: &str, before: usize) {
    eventually(&format!("{text:?} is logged again"), || async {
        (world.log("urna").matches(text).count() > before).then_some(())
    })
    .await;
}

/// A voter is answered once, truly, though the connection loses what it carries and then breaks.
async fn lost_on_the_way(fault: Fault) {
    let (world, proxy) = behind_a_proxy(&[]).await;
    let ann = Voter::program(&world.address("urna"), "ann");
    assert!(ann.votes("cats").await.is_accepted());

    proxy.set(fault);
    let voter = ann.clone();
    let appends = world.log("urna").matches("appending a block").count();
    let answer = tokio::spawn(async move { voter.votes("dogs").await });
    logs_again(&world, "appending a block", appends).await;
    if fault == Fault::LosesAnswers {
        eventually("the block is in the log", || async { (audit(&world).await.accepted == 2).then_some(()) })
            .await;
    }
    proxy.set(Fault::Ends);
    logs_again(&world, "NATS is unavailable", 0).await;
    proxy.set(Fault::None);
    let answer = answer.await.expect("the voter is answered");
    assert!(answer.is_accepted(), "{answer:?}");

    world.ready("urna").await;
    let audit = audit(&world).await;
    assert_eq!((audit.accepted, audit.replaced), (2, 1), "neither lost nor appended twice");
    audit.holds(&[answer]);
    world.close().await;
}

#[tokio::test]
async fn a_voter_is_told_in_time_that_nobody_can_tell_and_learns_it_later() {
    let (world, proxy) = behind_a_proxy(&[("URNA_BALLOT_QUEUE_MAX", "1")]).await;
    proxy.set(Fault::LosesAnswers);
    let begin = std::time::Instant::now();
    let voter = |name: &str| Voter::program(&world.address("urna"), name);
    let (ann, ben, eve) = (voter("ann"), voter("ben"), voter("eve"));
    let ballot = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let appends = world.log("urna").matches("appending a block").count();
    let first = tokio::spawn({
        let ann = ann.clone();
        async move { ann.try_votes("cats", Some(ballot)).await }
    });
    logs_again(&world, "appending a block", appends).await;
    // One may wait behind the block that is under way, and no more.
    let (second, third) = tokio::join!(ben.votes("cats"), async {
        eventually("one waits", || async {
            voter("eve").opens("/metrics").await.contains("urna_vote_waiting{round=\"demo\"} 1").then_some(())
        })
        .await;
        eve.votes("cats").await
    });
    let first = first.await.unwrap().unwrap();
    assert!(begin.elapsed() < std::time::Duration::from_secs(8));
    let kind = |answer: &urna_world::Answer| answer.body["type"].as_str().unwrap_or_default().to_owned();
    assert_eq!((first.status.as_u16(), kind(&first).as_str()), (503, "urn:urna:unconfirmed"));
    assert_eq!((second.status.as_u16(), kind(&second).as_str()), (503, "urn:urna:log-unavailable"));
    assert_eq!((third.status.as_u16(), kind(&third).as_str()), (503, "urn:urna:queue-full"));

    proxy.set(Fault::Ends);
    logs_again(&world, "NATS is unavailable", 0).await;
    proxy.set(Fault::None);
    let answer = ann.insists_with("cats", ballot).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["sequence"]),
        (201, &1.into()),
        "it was in the log all along"
    );
    assert_eq!(audit(&world).await.accepted, 1);
    world.close().await;
}

#[tokio::test]
async fn a_log_that_was_put_back_to_an_older_state_is_not_counted_past() {
    let mut world = World::with_urna().await;
    for voter in ["one", "two", "three"] {
        assert!(world.voter_at("urna", voter).votes("cats").await.is_accepted());
    }
    world.quiet().await;
    made_anew(&world, Account::Elections, "VOTES-demo").await;
    // The box finds that what it has folded is not there, and lets its process be started anew.
    let refused = world.voter_at("urna", "four").try_votes("cats", None).await;
    assert!(refused.is_err() || !refused.unwrap().is_accepted());
    world.ended("urna").await;
    // By what it was about to write, or by what it was about to read.
    let log = world.log("urna");
    let found = ["has lost messages that were folded", "VOTES-demo: the stream ends at 0 but 3 was read"];
    assert!(found.iter().any(|words| log.contains(words)), "{log}");
    world.start("urna").await;
    assert!(world.voter_at("urna", "five").votes("cats").await.is_accepted());
    logs_again(&world, "the stream ends at 1 but 3 was read", 0).await;
    for voter in ["six", "seven", "eight"] {
        assert!(world.voter_at("urna", voter).votes("cats").await.is_accepted());
    }
    logs_again(&world, "another message lies at 3 than was read there", 0).await;
    let results = world.voter().asks("/rounds/demo/results").await.body;
    assert_eq!(results["ledger"]["accepted"], 3, "nothing was counted over what was counted before");

    assert_eq!(operator(&world, &["recount"]).status.code(), Some(1));
    assert!(operator(&world, &["recount", "--repair"]).status.success());
    assert!(world.voter_at("urna", "nine").votes("cats").await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn watchers_are_shown_a_recount_that_is_put_in_place_of_more_than_the_log_holds() {
    let mut world = World::with_urna().await;
    for voter in ["one", "two", "three"] {
        assert!(world.voter_at("urna", voter).votes("cats").await.is_accepted());
    }
    world.quiet().await;
    made_anew(&world, Account::Elections, "VOTES-demo").await;
    world.ended("urna").await;
    assert!(world.log("urna").contains("VOTES-demo: the stream ends at 0 but 3 was read"));
    world.start("urna").await;
    assert!(world.voter_at("urna", "four").votes("dogs").await.is_accepted());
    let mut watcher = world.voter().watches(None).await;
    watcher.until("the counts of before", |data| data["total"] == 3).await;
    assert!(operator(&world, &["recount", "--repair"]).status.success());
    let shown = watcher.until("the recount", |data| data["total"] == 1).await;
    assert_eq!((&shown["sequence"], &shown["head"], &shown["generation"]), (&json!(1), &json!(1), &json!(1)));
    world.close().await;
}

#[tokio::test]
async fn whoever_has_read_more_than_a_stream_holds_ends_its_process_and_reads_again() {
    let mut world = World::new().await;
    for process in ["round", "vote", "tally", "result", "session"] {
        world.start(process).await;
    }
    let jetstream = world.jetstream_of(Account::People).await.unwrap();
    let ended = "session.67e55044-10b1-426f-9247-bb680e5fe0c8.ended";
    jetstream.publish(ended, "{}".into()).await.unwrap().await.unwrap();
    // It reads nothing of what was there before it, and knows no more than where that ends.
    world.start("login").await;
    for voter in ["one", "two", "three"] {
        assert!(world.voter_at("vote", voter).votes("cats").await.is_accepted());
        world.quiet().await;
    }
    made_anew(&world, Account::Elections, "TALLIES").await;
    made_anew(&world, Account::People, "SESSIONS").await;
    let counts = "TALLIES: the stream ends at 0 but 3 was read";
    let sessions = "SESSIONS: the stream ends at 0 but 1 was read";
    for (process, found) in [("round", counts), ("vote", counts), ("result", counts), ("login", sessions)] {
        world.ended(process).await;
        assert!(world.log(process).contains(found), "{}", world.log(process));
        world.start(process).await;
    }
    assert!(world.voter_at("vote", "four").votes("cats").await.is_accepted());
    let mut watcher = world.voter_at("result", "five").watches(None).await;
    watcher.until("all counts", |data| data["total"] == 4).await;
    world.abandon();
}

/// Makes a stream empty, as if an older copy of it had been put back.
async fn made_anew(world: &World, account: Account, stream: &str) {
    let jetstream = world.jetstream_of(account).await.expect("the nats-server answers");
    let mut there = jetstream.get_stream(stream).await.expect("the stream is there");
    let config = there.info().await.expect("the stream is told of").config.clone();
    jetstream.delete_stream(stream).await.expect("the stream can be deleted");
    jetstream.create_stream(config).await.expect("the stream can be made");
}
