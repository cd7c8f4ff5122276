//! What voters are told.

use futures_util::future::join_all;
use serde_json::{Value, json};
use urna_world::{Answer, Voter, World, audit, eventually};

use crate::shapes::is_as_shown;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The results once they are these.
async fn counted(world: &World, cats: u64, dogs: u64) -> Value {
    eventually(&format!("{cats} cats and {dogs} dogs are counted"), || async {
        let results = world.voter().asks("/rounds/demo/results").await.body;
        let votes = |index: usize| results["lines"][index]["votes"].as_u64().expect("a number of votes");
        ((votes(0), votes(1)) == (cats, dogs)).then_some(results)
    })
    .await
}

#[tokio::test]
async fn a_changed_ballot_moves_one_count_down_and_one_up_and_never_loses_the_voter() {
    let world = World::with_urna().await;
    let (ann, ben) = (world.voter(), world.voter());
    assert!(ann.votes("cats").await.is_accepted());
    assert!(ben.votes("cats").await.is_accepted());
    counted(&world, 2, 0).await;
    assert!(ann.votes("dogs").await.is_accepted());
    let results = counted(&world, 1, 1).await;
    assert_eq!(results["ledger"], json!({ "accepted": 3, "counted": 2, "replaced": 1, "unreadable": 0 }));
    is_as_shown("results", results, &[]);
    world.close().await;
}

#[tokio::test]
async fn a_form_sent_twice_a_double_click_and_a_retry_are_one_ballot() {
    let world = World::with_urna().await;
    let ann = world.voter();
    ann.opens("/vote/demo").await;
    assert_eq!(ann.submits("cats").await, "/vote/demo?voted=1");
    assert_eq!(ann.submits("cats").await, "/vote/demo?voted=1");
    join_all([ann.votes("cats"), ann.votes("cats")]).await;

    let (ben, ballot) = (world.voter(), "67e55044-10b1-426f-9247-bb680e5fe0c8");
    ben.opens("/vote/demo").await;
    let first = ben.try_votes("dogs", Some(ballot)).await.unwrap();
    let again = ben.try_votes("dogs", Some(ballot)).await.unwrap();
    assert_eq!(first.body, again.body);
    assert!(ben.votes("cats").await.is_accepted());
    let late = ben.try_votes("dogs", Some(ballot)).await.unwrap();
    assert_eq!(first.body, late.body, "a late retry gets the first answer and changes nothing");

    counted(&world, 2, 0).await;
    assert_eq!(audit(&world).await.accepted, 3);
    world.close().await;
}

#[tokio::test]
async fn two_hundred_simultaneous_posts_by_one_voter_leave_one_ballot() {
    let world = World::with_urna().await;
    let ann = world.voter();
    ann.opens("/vote/demo").await;
    let answers = join_all((0..200).map(|_| ann.votes("cats"))).await;
    assert!(answers.iter().all(Answer::is_accepted));
    assert!(answers.iter().all(|answer| answer.body == answers[0].body), "all are told of the same ballot");
    let alternating = (0..200).map(|number| ann.votes(if number % 2 == 0 { "cats" } else { "dogs" }));
    assert!(join_all(alternating).await.iter().all(Answer::is_accepted));
    let audit = audit(&world).await;
    assert_eq!(audit.voters.len(), 1);
    assert_eq!(audit.votes.values().sum::<i64>(), 1);
    world.close().await;
}

#[tokio::test]
async fn bad_input_gets_a_clear_error_and_the_process_goes_on() {
    let world = World::with_urna().await;
    let ann = world.voter();
    let long = "x".repeat(65);
    let json = |value: Value| value.to_string();
    let csrf = ann.looks_at("/vote/demo").await.csrf().expect("the page has a form");
    let form = |fields: &str| format!("csrf={csrf}&{fields}");
    let cases = [
        (json(json!({ "round": "nope", "choice": ["cats"] })), JSON, 404),
        (json(json!({ "round": "demo", "choice": ["birds"] })), JSON, 422),
        (json(json!({ "round": "demo", "choice": ["cats", "dogs"] })), JSON, 422),
        (json(json!({ "round": "demo", "choice": [] })), JSON, 422),
        (json(json!({ "round": "demo" })), JSON, 422),
        (json(json!({ "round": "", "choice": ["cats"] })), JSON, 422),
        (json(json!({ "round": long, "choice": ["cats"] })), JSON, 422),
        (json(json!({ "round": "demo", "choice": [long] })), JSON, 422),
        (json(json!({ "round": "demo", "choice": ["cats"], "ballot": "7" })), JSON, 422),
        (json(json!({ "round": "demo", "choice": ["cats"], "colour": 7 })), JSON, 422),
        (json(json!({ "round": 7, "choice": ["cats"] })), JSON, 422),
        (json(json!({ "round": "demo", "choice": 7 })), JSON, 422),
        (json(json!(["demo", "cats"])), JSON, 400),
        ("{\"round\": \"demo\", ".into(), JSON, 400),
        (String::new(), JSON, 400),
        (form("round=demo"), FORM, 422),
        (form("round=demo&choice=birds"), FORM, 422),
        (form("round=demo&choice=cats&colour=red"), FORM, 422),
        ("demo,cats".into(), "text/csv", 415),
        (format!("{{\"round\": \"{}\"}}", "x".repeat(65 * 1024)), JSON, 413),
    ];
    let mut told = Vec::new();
    for (body, content_type, status) in cases {
        let answer = ann.sends(body.clone(), content_type).await;
        let sent = match body.len() {
            0..200 => body.replace(&csrf, "[csrf]"),
            long => format!("{long} bytes"),
        };
        assert_eq!(answer.status.as_u16(), status, "{sent} → {}", answer.body);
        assert_eq!(answer.body["status"], status, "{sent} → {}", answer.body);
        let sent = serde_json::from_str(&sent).unwrap_or(Value::String(sent));
        told.push(json!({ "sent": sent, "as": content_type, "told": answer.body }));
    }
    is_as_shown("bad_input", Value::Array(told), &[]);
    assert!(ann.votes("cats").await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn an_address_that_leads_nowhere_says_so() {
    let world = World::with_urna().await;
    let ann = world.voter();
    for path in
        ["/vote/nope", "/result/nope", "/rounds/nope", "/rounds/nope/results", "/rounds/nope/events", "/x"]
    {
        assert_eq!(ann.asks(path).await.status, 404, "{path}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_forged_or_truncated_cookie_is_refused_and_replaced() {
    let world = World::with_urna().await;
    let body = json!({ "round": "demo", "choice": ["cats"] }).to_string();
    let ann = Voter::browser(&world.address("urna"));
    for forged in ["urna_voter=x", "urna_voter=", "urna_voter=0123456789abcdef0123456789abcdef.00"] {
        let answer = ann.sends_with_cookie(&body, forged).await;
        assert_eq!(answer.status, 401, "{forged}");
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains("urna_voter")));
    }
    assert_eq!(audit(&world).await.accepted, 0);
    ann.opens("/vote/demo").await;
    assert!(ann.votes("cats").await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn a_form_that_was_filled_in_wrongly_is_shown_again_with_what_is_wrong() {
    let world = World::with_urna().await;
    let submits = async |fields: &[(&str, &str)]| {
        let page = world.voter().fills_in("/vote/demo", "/vote", fields).await;
        (page.status, page.html)
    };
    let (status, page) = submits(&[("round", "demo")]).await;
    assert_eq!(status, 422);
    assert!(page.contains("Choice must name exactly one option") && page.contains("id=\"ballot\""), "{page}");
    let (status, page) = submits(&[("round", "nope"), ("choice", "cats")]).await;
    assert_eq!(status, 404);
    assert!(page.contains("no round with this name"), "{page}");
    world.close().await;
}

#[tokio::test]
async fn a_program_votes_for_whom_it_says() {
    let world = World::with_urna().await;
    let address = world.address("urna");
    let (one, two) = (Voter::program(&address, "member-1"), Voter::program(&address, "member-2"));
    for voter in [&one, &two, &one] {
        assert!(voter.votes("cats").await.is_accepted());
    }
    assert_eq!(audit(&world).await.voters.len(), 2);
    assert_eq!(Voter::program(&address, "a b").votes("cats").await.status, 401);
    world.close().await;
}

#[tokio::test]
async fn no_log_holds_a_choice_together_with_a_voter() {
    let world = World::with_urna().await;
    let voter = Voter::program(&world.address("urna"), "somebody-in-particular");
    voter.votes("cats").await;
    voter.votes("birds").await;
    voter.votes("dogs").await;
    world.quiet().await;
    let audit = audit(&world).await;
    let pseudonym = audit.voters.keys().next().expect("one voter");
    let log = world.log("urna");
    assert!(log.contains("appended a block"), "the log is at its most talkative");
    for secret in ["somebody-in-particular", pseudonym.as_str(), "only-for-tests"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    world.close().await;
}
