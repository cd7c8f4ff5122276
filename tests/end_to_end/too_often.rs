//! What is done too often: signing in, registering, voting, looking up receipts.

use reqwest::Method;
use serde_json::{Value, json};
use urna_world::{Answer, Own, Voter, World, eventually};

use crate::people::{PASSWORD, email, person};

const WRONG: &str = "a wrong long password";

/// How often somebody is let through until they are told to wait, and how long.
async fn let_through<A: Future<Output = Answer>>(mut ask: impl FnMut() -> A) -> usize {
    for count in 0..100 {
        let answer = ask().await;
        if answer.status == 429 {
            assert_eq!(answer.kind(), "rate-limited", "{answer:?}");
            let wait: u64 = answer.retry_after.expect("told when to come back").parse().expect("seconds");
            assert!((1..=120).contains(&wait), "{wait}");
            return count;
        }
        assert!(answer.status != 503, "{answer:?}");
    }
    panic!("nobody says stop");
}

/// Whether so many were let through. Where a minute ends in between, there is room for one more.
fn is_about(count: usize, limit: usize) -> bool {
    (limit..=limit + 1).contains(&count)
}

#[tokio::test]
async fn whoever_signs_in_registers_or_votes_too_often_is_told_when_to_come_back() {
    let mut world = World::new().await;
    let settings = [
        ("URNA_LIMIT_LOGINS_BY_ACCOUNT", "3"),
        ("URNA_LIMIT_LOGINS_BY_ADDRESS", "12"),
        ("URNA_LIMIT_REGISTRATIONS_BY_EMAIL", "2"),
        ("URNA_LIMIT_REGISTRATIONS_BY_ADDRESS", "6"),
        ("URNA_LIMIT_VOTES_BY_VOTER", "4"),
        ("URNA_LIMIT_VOTES_BY_ADDRESS", "15"),
    ];
    world.start_as("urna", "urna", &settings).await;
    let (ann, ben) = (person(&world, "Ann").await, email("Ben"));
    let (stranger, ann_is) = (world.voter(), email("Ann"));
    assert!(is_about(let_through(|| stranger.asks_for_tokens(&ann_is, WRONG)).await, 3));
    let right = stranger.asks_for_tokens(&ann_is.to_uppercase(), PASSWORD).await;
    assert_eq!(right.status, 429, "not even with the right one, however it is written");
    let page = stranger.signs_in(&ann_is, PASSWORD).await;
    assert_eq!(page.status, 429);
    assert!(page.html.contains("Too many sign-ins to this account"), "{}", page.html);
    assert_eq!(stranger.asks_for_tokens(&ben, WRONG).await.status, 401, "another account is another");
    let change = json!({ "password": { "old": WRONG, "new": "another long password" } });
    assert_eq!(ann.patches("/me", &change).await.status, 429, "an old password is not guessed here either");
    assert!(ann.is_signed_in().await, "whoever is signed in stays so");

    let taken = json!({ "name": "Ann", "email": email("Ann"), "password": PASSWORD });
    assert!(let_through(|| stranger.posts("/register", &taken)).await <= 2);
    let mut number = 0;
    let new = || {
        number += 1;
        let wanted = json!({ "name": "New", "email": email(&format!("new-{number}")), "password": PASSWORD });
        let browser = stranger.clone();
        async move { browser.posts("/register", &wanted).await }
    };
    assert!(let_through(new).await <= 5, "Ann was one");
    let mut number = 0;
    let guess = || {
        number += 1;
        let (browser, address) = (stranger.clone(), email(&format!("guess-{number}")));
        async move { browser.asks_for_tokens(&address, WRONG).await }
    };
    assert!(let_through(guess).await <= 9, "of this network");

    let (one, two) = (stranger.named("one"), stranger.named("two"));
    assert!(is_about(let_through(|| one.votes("cats")).await, 4));
    assert!(is_about(let_through(|| two.votes("cats")).await, 4), "another voter is another");
    let mut number = 0;
    let many = || {
        number += 1;
        let voter = stranger.named(&format!("many-{number}"));
        async move { voter.votes("cats").await }
    };
    assert!(let_through(many).await <= 8, "of this network");
    world.close().await;
}

#[tokio::test]
async fn whoever_looks_up_too_many_receipts_is_told_when_to_come_back() {
    let mut world = World::new().await;
    world.start_as("urna", "urna", &[("URNA_LIMIT_RECEIPTS_BY_ADDRESS", "5")]).await;
    let voter = world.voter().named("one");
    let receipt = voter.votes("cats").await.body["receipt"].as_str().expect("a receipt").to_owned();
    let path = format!("/receipts/{receipt}");
    assert!(is_about(let_through(|| voter.asks(&path)).await, 5));
    let page = world.voter().looks_at(&path).await;
    assert_eq!(page.status, 429);
    assert!(page.html.contains("Too many receipts are looked up from this network"), "{}", page.html);
    assert_eq!(voter.votes("cats").await.status, 201, "votes have a limit of their own");
    world.close().await;
}

#[tokio::test]
async fn two_processes_count_together_through_redis_and_each_by_itself_without() {
    const LIMIT: usize = 20;
    let mut world = World::owning(&[Own::Redis]).await;
    let settings = [("URNA_LIMIT_LOGINS_BY_ACCOUNT", "20"), ("URNA_LIMIT_VOTES_BY_VOTER", "20")];
    world.start("round").await;
    world.start("tally").await;
    for (name, program) in [("login", "login"), ("login-2", "login"), ("vote", "vote"), ("vote-2", "vote")] {
        world.start_as(name, program, &settings).await;
    }
    let at = |name: &str| Voter::browser(&world.address(name));
    let [one, two] = ["login", "login-2"].map(at);
    let (shared, own, later) = (email("shared"), email("own"), email("later"));
    assert!(is_about(let_through(|| one.asks_for_tokens(&shared, WRONG)).await, LIMIT));
    let elsewhere = let_through(|| two.asks_for_tokens(&shared, WRONG)).await;
    assert!(elsewhere < LIMIT, "the other process let {elsewhere} more through");
    assert_eq!(two.asks_for_tokens(&own, WRONG).await.status, 401, "another account is another");

    world.redis_server().kill();
    let at = |name: &str| Voter::browser(&world.address(name));
    for name in ["login", "login-2"] {
        let process = at(name);
        assert!(is_about(let_through(|| process.asks_for_tokens(&later, WRONG)).await, LIMIT), "{name}");
        assert_eq!(process.asks_for_tokens(&shared, WRONG).await.status, 429, "what was known stays known");
    }
    for name in ["vote", "vote-2"] {
        let voter = at(name).named("ann");
        assert!(is_about(let_through(|| voter.votes("cats")).await, LIMIT), "{name}");
    }
    world.restart_redis().await;
    let mut number = 0;
    eventually("processes count together again", || {
        number += 1;
        let again = email(&format!("again-{number}"));
        let (one, two) = (one.clone(), two.clone());
        async move {
            let_through(|| one.asks_for_tokens(&again, WRONG)).await;
            (let_through(|| two.asks_for_tokens(&again, WRONG)).await < LIMIT).then_some(())
        }
    })
    .await;
    world.close().await;
}

/// What a sign-in is told that says it comes from `from`.
async fn signs_in_from(voter: &Voter, address: &str, from: &str) -> (u16, Value) {
    let body = json!({ "email": address, "password": PASSWORD }).to_string();
    let request = voter.request(Method::POST, "/login").header("X-Forwarded-For", from);
    let request = request.header("Content-Type", "application/json").body(body);
    let response = request.send().await.expect("an answer comes");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

/// From where somebody has signed in, as they are shown it.
async fn seen_from(voter: &Voter, told: &Value) -> String {
    let program = voter.bearing(told["access_token"].as_str().expect("a token"));
    let sessions = program.asks("/sessions").await.body["sessions"].clone();
    let own = sessions.as_array().expect("a list").iter().find(|session| session["current"] == true);
    own.expect("one's own")["network"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn only_a_proxy_of_ours_is_believed_where_a_request_came_from() {
    let mut world = World::new().await;
    let limit = ("URNA_LIMIT_LOGINS_BY_ADDRESS", "3");
    world.start_as("urna", "urna", &[limit]).await;
    let behind = [limit, ("URNA_TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1")];
    world.start_as("behind", "login", &behind).await;
    person(&world, "Ann").await;
    let ann = email("Ann");

    let direct = world.voter();
    let (_, told) = signs_in_from(&direct, &ann, "203.0.113.9").await;
    assert_eq!(seen_from(&direct, &told).await, "127.0.0.1", "anybody can say so");
    let mut number = 0;
    let from_ever_new_addresses = || {
        number += 1;
        let (voter, ann) = (direct.clone(), ann.clone());
        async move {
            let (status, body) = signs_in_from(&voter, &ann, &format!("203.0.113.{number}")).await;
            let status = reqwest::StatusCode::from_u16(status).expect("a status");
            Answer { status, retry_after: Some("1".to_owned()), body }
        }
    };
    assert!(let_through(from_ever_new_addresses).await <= 3);

    let behind = Voter::browser(&world.address("behind"));
    for (said, seen) in [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.7, 203.0.113.10", "203.0.113.10"),
        ("203.0.113.11, 10.1.2.3", "203.0.113.11"),
        ("2001:db8::7", "2001:db8::7"),
        ("\"><script>", "127.0.0.1"),
    ] {
        let (status, told) = signs_in_from(&behind, &ann, said).await;
        assert_eq!(status, 200, "{said}: {told}");
        assert_eq!(seen_from(&direct, &told).await, seen, "{said}");
    }
    for _ in 0..10 {
        let limited = signs_in_from(&behind, &ann, "198.51.100.1, 203.0.113.9").await.0;
        if limited == 429 {
            assert_eq!(
                signs_in_from(&behind, &ann, "203.0.113.77").await.0,
                200,
                "another network is another"
            );
            return world.close().await;
        }
    }
    panic!("a network that is told by a proxy is not limited");
}
