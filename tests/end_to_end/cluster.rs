//! Three nats-servers in the place of one, every stream on all of them.

use urna_drill::{Load, compare, numbers};
use urna_world::{NODES, World, audit, eventually};

use crate::load::one_ballot_a_voter;

/// How many voters vote at once.
const CONNECTIONS: usize = 12;
/// How many ballots must be accepted between one event and the next.
const SOME: u64 = 60;

/// Two vote processes, each begun at a node of its own, and one of everything else.
async fn two_vote_processes() -> World {
    let mut world = World::cluster().await;
    for name in ["round", "tally", "result"] {
        world.start(name).await;
    }
    for (node, name) in ["vote", "vote-2"].into_iter().enumerate() {
        let settings = world.at_node(node);
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        world.start_as(name, "vote", &settings).await;
    }
    world
}

fn load_on(world: &World) -> Load {
    Load::begin(&[world.address("vote"), world.address("vote-2")], CONNECTIONS, 1)
}

/// Waits until some more ballots are accepted.
async fn flows(load: &Load) {
    let enough = load.seen.accepted() + SOME;
    eventually("votes flow", || async { (load.seen.accepted() >= enough).then_some(()) }).await;
}

/// Everyone was told the truth, and nothing is lost.
async fn holds(world: World, load: Load) {
    let stories = load.end().await;
    world.copies_are_current().await;
    world.quiet().await;
    assert_eq!(compare(&stories, &audit(&world).await), Vec::<String>::new());
    let numbers = numbers(&stories);
    assert!(numbers.accepted > 0, "{numbers:?}");
    println!("{numbers:?}");
    world.close().await;
}

#[tokio::test]
async fn every_stream_has_a_copy_on_every_node() {
    let world = two_vote_processes().await;
    let jetstream = world.jetstream().await.unwrap();
    for name in ["ROUNDS", "KEYS", "TALLIES", "DEAD_LETTERS", "VOTES-demo"] {
        let stream = jetstream.get_stream(name).await.unwrap();
        assert_eq!(stream.cached_info().config.num_replicas, NODES, "{name}");
    }
    world.close().await;
}

#[tokio::test]
async fn one_voter_has_at_most_one_ballot_that_counts_with_vote_processes_on_different_nodes() {
    let world = two_vote_processes().await;
    let addresses = [world.address("vote"), world.address("vote-2")];
    one_ballot_a_voter(&world, &addresses, 40).await;
    world.close().await;
}

#[tokio::test]
async fn nothing_is_lost_or_answered_wrongly_when_the_logs_leader_is_killed() {
    let mut world = two_vote_processes().await;
    let load = load_on(&world);
    for _ in 0..2 {
        flows(&load).await;
        let leader = world.leader().await;
        world.node(leader).kill();
        flows(&load).await;
        assert_ne!(world.leader().await, leader);
        world.node(leader).start();
        world.copies_are_current().await;
    }
    flows(&load).await;
    holds(world, load).await;
}

#[tokio::test]
async fn nothing_is_lost_or_answered_wrongly_when_a_follower_is_killed() {
    let mut world = two_vote_processes().await;
    let load = load_on(&world);
    flows(&load).await;
    let follower = (world.leader().await + 1) % NODES;
    world.node(follower).kill();
    flows(&load).await;
    world.node(follower).start();
    world.copies_are_current().await;
    flows(&load).await;
    holds(world, load).await;
}

#[tokio::test]
async fn nothing_is_lost_or_answered_wrongly_when_a_node_is_cut_off() {
    let mut world = two_vote_processes().await;
    let load = load_on(&world);
    flows(&load).await;
    let leader = world.leader().await;
    for node in [leader, (leader + 1) % NODES] {
        // It neither answers nor acknowledges, and every connection to it stays open.
        world.node(node).pause();
        flows(&load).await;
        world.leader().await;
        world.node(node).resume();
        world.copies_are_current().await;
        flows(&load).await;
    }
    holds(world, load).await;
}

#[tokio::test]
async fn nothing_is_accepted_without_a_majority_and_voting_goes_on_with_one() {
    let mut world = two_vote_processes().await;
    let load = load_on(&world);
    flows(&load).await;
    world.node(1).kill();
    world.node(2).kill();
    let ann = world.voter_at("vote", "ann");
    eventually("voters are told to come back", || async {
        let answer = ann.try_votes("cats", None).await.ok()?;
        (answer.status == 503 && answer.retry_after.is_some()).then_some(())
    })
    .await;
    world.node(1).start();
    world.node(2).start();
    world.servers_answer().await;
    world.copies_are_current().await;
    flows(&load).await;
    // Ann's ballot is not the load's, and may have come to be in the log while she was told that it is uncertain.
    let stories = load.end().await;
    world.quiet().await;
    let found = compare(&stories, &audit(&world).await);
    assert!(found.iter().all(|it| it.starts_with("nobody has sent ballot")) && found.len() <= 1, "{found:?}");
    world.close().await;
}

#[tokio::test]
async fn voting_goes_on_when_a_block_that_was_under_way_is_lost_with_the_logs_leader() {
    let mut world = two_vote_processes().await;
    assert!(world.voter_at("vote", "ann").votes("cats").await.is_accepted());
    world.copies_are_current().await;
    let leader = world.leader().await;
    let followers = [(leader + 1) % NODES, (leader + 2) % NODES];
    for node in followers {
        world.node(node).kill();
    }
    // The leader alone has these blocks, and can never commit them.
    for name in ["vote", "vote-2"] {
        let answer = world.voter_at(name, "ben").votes("dogs").await;
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    world.node(leader).kill();
    for node in followers {
        world.node(node).start();
    }
    for name in ["vote", "vote-2"] {
        let answer = world.voter_at(name, "cas").insists("cats").await;
        assert!(answer.is_accepted(), "{answer:?}");
    }
    world.node(leader).start();
    world.copies_are_current().await;
    world.quiet().await;
    world.close().await;
}
