//! Results that are not shown yet, address by address.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_LENGTH};
use serde_json::{Value, json};
use urna_world::{Events, Own, Voter, World, eventually};

use crate::people::{organiser, person};
use crate::routes::TABLE;

/// Votes for cats and for dogs: numbers that stand nowhere else.
const VOTES: [usize; 2] = [17, 6];
/// What would tell of them: shares, sums, and how they are written on pages and in JSON.
const TELLTALES: [&str; 12] = [
    "73.9",
    "26.1",
    "\"votes\"",
    "\"total\"",
    "\"sequence\"",
    "\"ledger\"",
    "\"lines\"",
    "data-sequence",
    "id=\"lines\"",
    ">17<",
    ">23<",
    "id: ",
];

/// A draft of Olga's whose results are shown as it says, opened, with votes in it.
async fn voted(world: &World, olga: &Voter, id: &str, results: &str) -> Voter {
    let round = json!({ "id": id, "title": format!("Round {id}"), "options": ["Cats", "Dogs"],
        "results_visibility": results, "allow_embedding": true, "state": "draft" });
    let made = olga.makes_round(&round).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(olga.opens_round(id).await.status, 200);
    for (option, votes) in ["cats", "dogs"].into_iter().zip(VOTES) {
        // One of those for dogs is Ann's.
        for number in 0..votes - usize::from(option == "dogs") {
            let program = world.voter_at("urna", &format!("{option}-{number}"));
            is_in_the_box(&program, id, option).await;
        }
    }
    let ann = person(world, &format!("Ann-{id}")).await;
    assert!(ann.votes_in(id, "dogs").await.is_accepted());
    eventually("all are counted", || async {
        let told = olga.asks(&format!("/rounds/{id}/results")).await;
        (told.body["total"] == 23).then_some(())
    })
    .await;
    ann
}

/// Votes as soon as the round takes votes.
async fn is_in_the_box(voter: &Voter, id: &str, option: &str) {
    eventually("the vote is in the box", || async {
        voter.votes_in(id, option).await.is_accepted().then_some(())
    })
    .await;
}

/// Everything that an address answers, headers included.
async fn told(caller: &Voter, method: Method, path: &str, accept: &str) -> (u16, String) {
    let response = caller.request(method, path).header(ACCEPT, accept).send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), format!("{:?}", response.headers()));
    (status, format!("{headers}\n{}", response.text().await.unwrap_or_default()))
}

/// Every address that shows something, as it is asked about this round.
fn addresses(id: &str, receipt: &str) -> Vec<String> {
    let is_stream = |path: &str| path.ends_with("/events");
    let shows = TABLE.iter().filter(|route| route.method == "GET" && !is_stream(route.path));
    let paths = shows.filter(|route| route.path.starts_with('/')).map(|route| {
        let path = route.path.replace("{id}", id).replace("{round}", id).replace("{option}", "cats");
        path.replace("{receipt}", receipt)
    });
    let mut addresses: Vec<String> = paths.collect();
    addresses.push(format!("/rounds/{id}/results?format=csv"));
    addresses.push(format!("/rounds/{id}/results?format=json"));
    addresses.push(format!("/vote/{id}?voted=1"));
    addresses
}

#[tokio::test]
async fn results_that_are_hidden_are_told_to_nobody_but_whom_the_round_shows_them_to() {
    let world = World::with_urna().await;
    let (olga, otto) = (organiser(&world, "Olga").await, organiser(&world, "Otto").await);
    let ann = voted(&world, &olga, "secret", "after_close").await;
    let receipt = ann.votes_in("secret", "dogs").await.body["receipt"].as_str().expect("one").to_owned();
    let callers = [("nobody", world.voter()), ("another organiser", otto), ("a voter who has voted", ann)];
    for path in addresses("secret", &receipt) {
        for accept in ["text/html", "application/json", "text/csv"] {
            for (name, caller) in &callers {
                let (status, text) = told(caller, Method::GET, &path, accept).await;
                assert!(status < 500, "{path} as {name}: {status} {text}");
                for telltale in TELLTALES.iter().filter(|it| !is_harmless(&path, it)) {
                    assert!(!text.contains(telltale), "{telltale} in {path} ({accept}) as {name}: {text}");
                }
                let is_measured = path == "/metrics" && text.contains("secret");
                assert!(!is_measured, "{path} as {name}: {text}");
            }
        }
    }
    let refused = callers[2].1.asks("/rounds/secret/results").await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (403, "results-hidden"));
    let page = callers[2].1.opens("/result/secret").await;
    assert!(page.contains("The results of this round are shown when it is closed."), "{page}");
    // What is looked for is there to be found.
    for caller in [&olga, &world.admin().await] {
        let (_, json) = told(caller, Method::GET, "/rounds/secret/results", "*/*").await;
        let (_, page) = told(caller, Method::GET, "/result/secret", "text/html").await;
        let told = format!("{json}{page}");
        let missed: Vec<_> = TELLTALES.iter().filter(|it| !told.contains(**it)).collect();
        assert_eq!(missed, [&"id: "], "{told}");
        assert!(page.contains("because you run this round"), "{page}");
    }

    assert_eq!(olga.closes_round("secret").await.status, 200);
    for (name, caller) in &callers {
        eventually("everybody sees them", || async {
            let told = caller.asks("/rounds/secret/results").await;
            (told.body["final"] == true && told.body["total"] == 23).then_some(())
        })
        .await;
        let page = caller.opens("/result/secret").await;
        assert!(page.contains("73.9") && !page.contains("because"), "{name}: {page}");
    }
    world.close().await;
}

/// Words that an address says of something else.
fn is_harmless(path: &str, telltale: &str) -> bool {
    // A receipt tells where its own ballot lies; a document and its page tell of fields, and have headers.
    let is_about_receipt = path.starts_with("/receipts") && telltale == "\"sequence\"";
    is_about_receipt || path.starts_with("/docs") || path.starts_with("/openapi")
}

#[tokio::test]
async fn a_hidden_page_is_as_long_as_before_however_many_vote() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    voted(&world, &olga, "secret", "after_close").await;
    let nobody = world.voter();
    let lengths = async || {
        let mut lengths = BTreeMap::new();
        for path in ["/result/secret", "/present/secret", "/embed/secret", "/rounds/secret/results"] {
            let head = nobody.request(Method::HEAD, path).header(ACCEPT, "text/html").send().await;
            let head = head.expect("an answer");
            assert!(head.headers().get("etag").is_none(), "{path}");
            lengths.insert(path, head.headers()[CONTENT_LENGTH].to_str().expect("a number").to_owned());
        }
        lengths
    };
    let before = lengths().await;
    for number in 0..120 {
        let late = world.voter_at("urna", &format!("late-{number}"));
        assert!(late.votes_in("secret", "cats").await.is_accepted());
    }
    eventually("they are counted", || async {
        (olga.asks("/rounds/secret/results").await.body["total"] == 143).then_some(())
    })
    .await;
    assert_eq!(lengths().await, before);
    world.close().await;
}

#[tokio::test]
async fn whoever_has_voted_sees_results_that_are_shown_after_voting() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let ann = voted(&world, &olga, "ours", "after_voting").await;
    let bob = world.voter();
    let results = "/rounds/ours/results";
    assert_eq!(bob.asks(results).await.kind(), "results-hidden");
    assert!(bob.opens("/result/ours").await.contains("shown to whoever has voted"));
    assert_eq!(ann.asks(results).await.body["results"], json!({ "Cats": 17, "Dogs": 6 }));
    let page = ann.opens("/result/ours").await;
    assert!(page.contains("73.9%") && page.contains("because you have voted"), "{page}");
    // By a form too.
    let form = [("round", "ours"), ("choice", "cats")];
    assert_eq!(bob.fills_in("/vote/ours", "/vote", &form).await.status, 303);
    assert_eq!(bob.asks(results).await.status, 200);
    let stream = bob.streams("/rounds/ours/events").await;
    assert!(next(stream).await.0.contains("\"lines\""), "a stream shows them too");
    // What others may see at the same time is hidden still, whoever looks at it.
    let others = ann.streams("/rounds/ours/events?view=public").await;
    assert!(next(others).await.0.starts_with("event: round\n"));
    for path in ["/present/ours", "/embed/ours"] {
        let page = ann.opens(path).await;
        assert!(!page.contains("id=\"lines\"") && page.contains("shown to whoever has voted"), "{page}");
    }

    // A program shows what it was given with its answer.
    let program = world.voter_at("urna", "member-17");
    let body = json!({ "round": "ours", "choice": ["cats"] }).to_string();
    let vote = program.request(Method::POST, "/vote").header("Content-Type", "application/json");
    let vote = vote.header("X-Voter-Id", "member-17").body(body).send().await.expect("an answer");
    let proof = vote.headers()["x-voted"].to_str().expect("a proof").to_owned();
    let status = async |proof: &str, round: &str| {
        let path = format!("/rounds/{round}/results");
        let request = world.voter().request(Method::GET, &path).header("X-Voted", proof);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(status(&proof, "ours").await, 200);
    assert_eq!(status(&proof.replace(['0', '1', '2', '3'], "4"), "ours").await, 403);
    voted(&world, &olga, "theirs", "after_voting").await;
    assert_eq!(status(&proof, "theirs").await, 403, "of another round");
    world.close().await;
}

/// The next block of lines that is an event, and the stream.
async fn next(mut events: Events) -> (String, Events) {
    loop {
        let block = events.block().await.expect("the stream goes on");
        if block.contains("data: ") {
            return (block, events);
        }
    }
}

/// The next event that is as wanted. Those before tell where the round stands, and nothing that is hidden.
async fn next_that(mut stream: Events, wanted: impl Fn(&str) -> bool) -> (String, Events) {
    loop {
        let (event, on) = next(stream).await;
        stream = on;
        if wanted(&event) {
            return (event, stream);
        }
        assert!(event.starts_with("event: round\n"), "{event}");
        assert!(!TELLTALES.iter().any(|telltale| event.contains(telltale)), "{event}");
    }
}

fn data(block: &str) -> Value {
    let data = block.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event has data");
    serde_json::from_str(data).expect("data is JSON")
}

#[tokio::test]
async fn a_stream_of_a_hidden_round_tells_its_state_alone_and_the_results_when_it_closes() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let draft = json!({ "id": "secret", "title": "T", "options": ["Cats", "Dogs"], "state": "draft" });
    assert_eq!(olga.makes_round(&draft).await.status, 201);
    eventually("it is known", || async {
        (olga.asks("/rounds/secret/results").await.status == 200).then_some(())
    })
    .await;
    // Begun while its results were for everybody.
    let (first, stream) = next(world.voter().streams("/rounds/secret/events").await).await;
    assert!(first.starts_with("id: 0\nevent: result\n"), "{first}");
    let hide = json!({ "results_visibility": "after_close" });
    assert_eq!(olga.patches("/rounds/secret", &hide).await.status, 200);
    let (hidden, stream) = next(stream).await;
    assert!(hidden.starts_with("event: round\n"), "{hidden}");
    assert_eq!((&data(&hidden)["state"], &data(&hidden)["hidden"]), (&json!("draft"), &json!(true)));
    assert_eq!(olga.opens_round("secret").await.status, 200);
    let is_open = |event: &str| event.starts_with("event: round\n") && data(event)["state"] == "open";
    let stream = next_that(stream, is_open).await.1;
    for number in 0..VOTES[0] {
        let program = world.voter_at("urna", &format!("voter-{number}"));
        is_in_the_box(&program, "secret", "cats").await;
    }
    eventually("they are counted", || async {
        (olga.asks("/rounds/secret/results").await.body["total"] == VOTES[0]).then_some(())
    })
    .await;
    // A stream that is begun now is told where the round stands, whatever it says that it has seen.
    let (late, _) = next(world.voter().streams("/rounds/secret/events").await).await;
    assert!(!TELLTALES.iter().any(|telltale| late.contains(telltale)), "{late}");
    // Whoever runs it learns on the big screen how many have voted, and no more.
    let (turnout, _) = next(olga.streams("/rounds/secret/events?view=public").await).await;
    assert_eq!((&data(&turnout)["total"], &data(&turnout)["lines"]), (&json!(17), &Value::Null));

    assert_eq!(olga.closes_round("secret").await.status, 200);
    let (closed, _) = next_that(stream, |event| event.contains("event: result")).await;
    assert_eq!(data(&closed)["total"], 17, "nothing came between: {closed}");
    world.close().await;
}

#[tokio::test]
async fn a_stream_shows_nothing_hidden_to_an_organiser_whose_session_has_ended() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    voted(&world, &olga, "secret", "after_close").await;
    let (shown, mut stream) = next(olga.streams("/rounds/secret/events").await).await;
    assert_eq!(data(&shown)["total"], 23);
    assert_eq!(olga.signs_out().await.status, 303);
    let mut hidden = None;
    for late in 0..300 {
        let program = world.voter_at("urna", &format!("late-{late}"));
        assert!(program.votes_in("secret", "cats").await.is_accepted());
        let (block, on) = next(stream).await;
        stream = on;
        if block.contains("event: round") {
            hidden = Some(block);
            break;
        }
    }
    let hidden = hidden.expect("the stream tells the state alone");
    assert!(!TELLTALES.iter().any(|telltale| hidden.contains(telltale)), "{hidden}");
    world.close().await;
}

#[tokio::test]
async fn an_organisers_stream_goes_on_when_sessions_can_be_looked_up_again() {
    let mut world = World::with_urna_owning(&[Own::Redis]).await;
    let olga = organiser(&world, "Olga").await;
    voted(&world, &olga, "secret", "after_close").await;
    let (shown, mut stream) = next(olga.streams("/rounds/secret/events").await).await;
    assert_eq!(data(&shown)["total"], 23);
    world.redis_server().kill();
    // For longer than she is believed to run the round.
    let (killed, mut late) = (Instant::now(), 0);
    let program = world.voter();
    while killed.elapsed() < Duration::from_secs(2) {
        late += 1;
        assert!(program.named(&format!("late-{late}")).votes_in("secret", "cats").await.is_accepted());
    }
    world.restart_redis().await;
    let all_are_shown = async {
        loop {
            let (event, on) = next(stream).await;
            stream = on;
            assert!(event.contains("event: result"), "her page would be led away from the results: {event}");
            if data(&event)["total"] == 23 + late {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_are_shown).await.expect("she sees the results again");
    world.close().await;
}
