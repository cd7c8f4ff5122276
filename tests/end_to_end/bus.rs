//! What operators see with the `nats` CLI.

use async_nats::jetstream::consumer::pull;
use futures_util::StreamExt;
use serde_json::Value;
use urna_access::User;
use urna_world::{Voter, World, audit, eventually};

/// Everything said on the bus from now on, but for the server's and the clients' own talk, and without what the
/// server hands on to readers of streams: a subscriber of everything overhears that too.
async fn overhear(world: &World) -> impl futures_util::Stream<Item = async_nats::Message> + use<> {
    let client = world.nats_client().await;
    let everything = client.subscribe(">").await.expect("anyone may listen on a local server");
    client.flush().await.expect("the nats-server answers");
    everything.filter(|message| {
        let own = message.subject.starts_with('$') || message.subject.starts_with("_INBOX");
        let handed_on = message.reply.as_ref().is_some_and(|reply| reply.starts_with("$JS.ACK"));
        std::future::ready(!own && !handed_on)
    })
}

#[tokio::test]
async fn a_plain_subscriber_can_follow_a_vote_and_nothing_names_a_person() {
    let world = World::with_urna().await;
    let mut heard = Box::pin(overhear(&world).await);
    let ann = Voter::program(&world.address("urna"), "ann-the-person");
    ann.votes("cats").await;
    let cast = heard.next().await.expect("a block");
    assert_eq!(cast.subject.as_str(), "vote.demo.cast");
    let headers = cast.headers.as_ref().expect("headers");
    assert!(headers.get("Nats-Msg-Id").is_some());
    let trace = headers.get("traceparent").expect("a trace").to_string();
    let block: Value = serde_json::from_slice(&cast.payload).expect("JSON");
    assert_eq!(block["ballots"][0]["choice"][0], "cats");
    assert!(block["at"].as_str().is_some_and(|at| at.ends_with('Z')));

    let counted = heard.next().await.expect("counts");
    assert_eq!(counted.subject.as_str(), "tally.demo.counted");
    let follows =
        counted.headers.as_ref().and_then(|headers| headers.get("traceparent")).expect("a trace").to_string();
    assert_eq!(trace.split('-').nth(1), follows.split('-').nth(1), "one trace from the block to the counts");
    let counts: Value = serde_json::from_slice(&counted.payload).expect("JSON");
    assert_eq!((&counts["counts"]["cats"], &counts["sequence"]), (&1.into(), &1.into()));

    ann.votes("dogs").await;
    let block: Value = serde_json::from_slice(&heard.next().await.expect("a block").payload).expect("JSON");
    assert_eq!(block["ballots"][0]["replaces"]["choice"][0], "cats");
    for message in [&cast, &counted] {
        assert!(!String::from_utf8_lossy(&message.payload).contains("ann-the-person"));
    }
    world.close().await;
}

#[tokio::test]
async fn a_ballot_is_counted_once_however_often_it_is_delivered() {
    let mut world = World::with_urna().await;
    for number in 0..50 {
        let voter = Voter::program(&world.address("urna"), &format!("voter-{number}"));
        assert!(voter.votes("cats").await.is_accepted());
    }
    world.quiet().await;
    let jetstream = world.jetstream().await.unwrap();
    let stream = jetstream.get_stream("VOTES-demo").await.unwrap();
    for _ in 0..3 {
        // The server delivers everything again, from the first block.
        stream.reset_consumer("tally", Some(1)).await.unwrap();
        world.voter_at("urna", "another").votes("cats").await;
        world.voter_at("urna", "another").votes("dogs").await;
        audit(&world).await.agrees(&world).await;
        // And again, to a tally that has lost all it knew.
        world.kill("urna");
        world.forget_counts().await;
        world.start("urna").await;
        audit(&world).await.agrees(&world).await;
    }
    // And then it leaves some out.
    world.quiet().await;
    let last = audit(&world).await.sequence;
    stream.reset_consumer("tally", Some(last + 3)).await.unwrap();
    for number in 0..5 {
        world.voter_at("urna", &format!("left-out-{number}")).votes("cats").await;
    }
    audit(&world).await.agrees(&world).await;
    stream.delete_consumer("tally").await.unwrap();
    world.voter_at("urna", "one-more").votes("cats").await;
    eventually("counting goes on with a new durable", || async {
        stream.get_consumer::<pull::Config>("tally").await.ok().map(|_| ())
    })
    .await;
    world.close().await;
}

#[tokio::test]
async fn a_message_that_nobody_can_read_is_buried_with_its_reason_and_counting_goes_on() {
    let world = World::with_urna().await;
    world.voter_at("urna", "before").votes("cats").await;
    let jetstream = world.jetstream().await.unwrap();
    jetstream.publish("vote.demo.cast", "not a block".into()).await.unwrap().await.unwrap();
    let after = world.voter_at("urna", "after").insists("cats").await;
    assert!(after.is_accepted());
    let dead = jetstream.get_stream("DEAD_LETTERS").await.unwrap();
    let buried = eventually("the message is buried", || async {
        dead.get_last_raw_message_by_subject("dead_letter.tally.VOTES-demo").await.ok()
    })
    .await;
    let buried: Value = serde_json::from_slice(&buried.payload).unwrap();
    assert_eq!((&buried["sequence"], &buried["reason"]), (&2.into(), &"no JSON at line 1 column 2".into()));
    eventually("the ledger shows it", || async {
        let results = world.voter().asks("/rounds/demo/results").await.body;
        (results["total"] == 2 && results["ledger"]["unreadable"] == 1).then_some(())
    })
    .await;
    world.close().await;
}

#[tokio::test]
async fn an_auditor_finds_every_actor_in_the_service_registry() {
    let world = World::with_urna().await;
    let auditor = world.client_as(User::Auditor).await;
    for name in ["login", "session", "round", "vote", "tally", "result"] {
        let info = eventually(&format!("{name} is in the service registry"), || async {
            auditor.request(format!("$SRV.INFO.{name}"), "".into()).await.ok()
        })
        .await;
        let info: Value = serde_json::from_slice(&info.payload).unwrap();
        assert_eq!(info["name"], name);
    }
    world.close().await;
}

#[tokio::test]
async fn counts_that_were_committed_and_not_announced_are_announced_by_whoever_counts_next() {
    let mut world = World::with_urna().await;
    world.voter().votes("cats").await;
    world.quiet().await;
    world.kill("urna");
    let tallies = world.jetstream().await.unwrap().get_stream("TALLIES").await.unwrap();
    tallies.purge().await.unwrap();
    world.start("urna").await;
    let mut watcher = world.voter().watches(None).await;
    watcher.until("the vote of before", |data| data["total"] == 1).await;
    world.close().await;
}

#[tokio::test]
async fn watchers_keep_what_they_have_seen_while_a_tally_counts_again_from_the_start() {
    let mut world = World::new().await;
    for name in ["round", "vote", "tally", "result"] {
        world.start(name).await;
    }
    for number in 0..20 {
        world.voter_at("vote", &format!("voter-{number}")).votes("cats").await;
    }
    let mut watcher = Voter::browser(&world.address("result")).watches(None).await;
    watcher.until("all votes", |data| data["total"] == 20).await;
    world.kill("tally");
    world.forget_counts().await;
    world.start("tally").await;
    world.voter_at("vote", "one-more").votes("cats").await;
    let after = watcher.until("one more", |data| {
        assert!(data["total"].as_u64() >= Some(20), "watchers were shown old counts: {data}");
        data["total"] == 21
    });
    after.await;
    world.close().await;
}
