//! Parts die at random under load; and the drill itself can fail.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use urna_drill::{Harm, Part, Settings, Story, Told, Try, compare, plan, run};
use urna_world::{Audit, Logged, World};

const SEED: u64 = 7;
const LENGTH: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_nothing_is_lost_doubled_or_answered_wrongly() {
    let verdict = run(Settings { seed: SEED, length: LENGTH, keep: false }).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert!(verdict.numbers.accepted > 100, "{verdict}");
    println!("{verdict}");
}

#[tokio::test]
async fn the_servers_of_a_drill_take_no_connection_without_tls() {
    let world = World::over_tls().await;
    let mut told = String::new();
    let nats = TcpStream::connect(("127.0.0.1", world.nats_port())).expect("it listens");
    BufReader::new(nats).read_line(&mut told).expect("it says what it requires");
    assert!(told.contains("\"tls_required\":true"), "{told}");
    let plain = world.redis_url().replace("rediss://", "redis://");
    let redis = redis::Client::open(plain).expect("an address of redis");
    assert!(redis.get_multiplexed_async_connection().await.is_err());
    let plain = world.database_url().replace("sslmode=verify-full", "sslmode=disable");
    assert!(PgConnection::connect(&plain).await.is_err());
    world.close().await;
}

#[test]
fn a_plan_is_the_same_again_harms_every_part_and_leaves_all_well() {
    let length = Duration::from_secs(60);
    let steps = plan(SEED, length);
    let words = |steps: &[_]| steps.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words(&steps), words(&plan(SEED, length)));
    assert_ne!(words(&steps), words(&plan(SEED + 1, length)));
    assert!(steps.iter().all(|step| step.at + step.lasts <= length));
    for part in Part::all() {
        assert!(steps.iter().any(|step| step.part == part), "{part} is never harmed");
    }
    assert!(steps.iter().any(|step| step.harm == Harm::Restart));
}

/// A voter who was told that `a` is accepted at 1.0 and then that `b` is, at 2.0.
fn story() -> Story {
    let mut story = Story::of("ann".to_owned(), true);
    for (ballot, choice, sequence) in [("a", "cats", 1), ("b", "dogs", 2)] {
        let told = Told::Accepted { sequence, place: 0 };
        story.tries.push(Try { ballot: ballot.to_owned(), choice, told });
    }
    story
}

/// A log that holds ballots of one voter, each in a block of its own.
fn log(ballots: &[(&str, &str)]) -> Audit {
    let mut audit = Audit::default();
    for ((ballot, choice), sequence) in ballots.iter().zip(1..) {
        let (ballot, voter, choice) = ((*ballot).to_owned(), "v".to_owned(), (*choice).to_owned());
        audit.ballots.insert(ballot.clone(), (sequence, 0));
        audit.voters.insert(voter.clone(), (ballot.clone(), choice.clone()));
        audit.log.push(Logged { ballot, voter, choice });
    }
    audit
}

#[track_caller]
fn finds(stories: &[Story], audit: &Audit, words: &str) {
    let found = compare(stories, audit);
    assert!(found.iter().any(|difference| difference.contains(words)), "{words}: {found:?}");
}

#[test]
fn a_log_that_holds_what_voters_were_told_is_without_difference() {
    assert_eq!(compare(&[story()], &log(&[("a", "cats"), ("b", "dogs")])), Vec::<String>::new());
}

#[test]
fn a_drill_names_the_ballot_that_is_lost_moved_changed_or_doubled() {
    finds(&[story()], &log(&[("a", "cats")]), "ballot b was accepted at (2, 0), and is not in the log");
    let moved = log(&[("b", "dogs"), ("a", "cats")]);
    finds(&[story()], &moved, "ballot a was accepted at (1, 0), and lies at (2, 0)");
    finds(&[story()], &moved, "ballot b lies before a, which was accepted before it was sent");
    finds(&[story()], &log(&[("a", "dogs"), ("b", "dogs")]), "chose cats, and lies in the log with dogs");
    finds(&[story()], &log(&[("a", "cats"), ("b", "dogs"), ("c", "cats")]), "nobody has sent ballot c");
    let mut doubled = log(&[("a", "cats"), ("b", "dogs")]);
    doubled.log[1].voter = "w".to_owned();
    finds(&[story()], &doubled, "counts as 2 voters");
    let ben = Story { voter: "ben".to_owned(), ..story() };
    finds(&[story(), ben], &log(&[("a", "cats"), ("b", "dogs")]), "ann and ben count as one voter");
}

#[test]
fn a_drill_names_the_ballot_that_was_answered_wrongly() {
    let audit = log(&[("a", "cats"), ("b", "dogs")]);
    let told = |told: Told| {
        let mut story = story();
        story.tries[1].told = told;
        story
    };
    finds(&[told(Told::Away)], &audit, "ballot b was never accepted, and lies in the log at (2, 0)");
    finds(&[told(Told::Reused)], &audit, "ballot b was refused");
    finds(&[told(Told::Wrong("500".to_owned()))], &audit, "ballot b was answered 500");
    for doubt in [Told::Unconfirmed, Told::Nothing] {
        assert!(compare(&[told(doubt.clone())], &audit).is_empty());
        assert!(compare(&[told(doubt)], &log(&[("a", "cats")])).is_empty());
    }
    let mut reused = story();
    let again = Told::Accepted { sequence: 1, place: 0 };
    reused.tries.push(Try { ballot: "a".to_owned(), choice: "dogs", told: again });
    finds(&[reused], &audit, "ballot a was accepted again with another choice");
}
