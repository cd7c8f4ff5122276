//! Rounds from their first draft to their end, as their organisers run them.

use futures_util::future::join_all;
use nats::Clock;
use serde_json::{Value, json};
use subjects::Timestamp;
use urna_world::{Answer, Voter, World, eventually};

use crate::people::{organiser, person};
use crate::shapes::is_as_shown;

/// A moment so long from now.
fn in_millis(millis: i64) -> String {
    let now = Clock::system().now().unix_millis();
    Timestamp::from_unix_millis(now + millis).expect("a moment").to_string()
}

fn labels(round: &Value) -> Vec<&str> {
    let options = round["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    options.iter().filter_map(|option| option["label"].as_str()).collect()
}

fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.kind())
}

#[tokio::test]
async fn two_organisers_who_edit_at_once_do_not_overwrite_each_other() {
    let mut world = World::with_urna().await;
    world.start_as("round-2", "round", &[]).await;
    let (olga, admin) = (organiser(&world, "Olga").await, world.admin().await);
    let draft = json!({ "id": "board", "title": "Who?", "options": ["Cats", "Dogs"], "state": "draft" });
    let made = olga.makes_round(&draft).await;
    let mut version = made.body["version"].as_u64().expect("a version");
    let elsewhere = admin.at(&world.address("round-2"));
    eventually("the other process knows it", || async {
        (elsewhere.asks("/rounds/board").await.status == 200).then_some(())
    })
    .await;
    for wave in 0..5 {
        let edits = (0..8).map(|number| {
            let organiser = if number % 2 == 0 { &olga } else { &elsewhere };
            let edit = json!({ "title": format!("Title {wave}-{number}"), "version": version });
            async move { organiser.patches("/rounds/board", &edit).await }
        });
        let told = join_all(edits).await;
        let (done, refused): (Vec<_>, Vec<_>) = told.into_iter().partition(|answer| answer.status == 200);
        let [done] = &done[..] else { panic!("{done:?}") };
        version = done.body["version"].as_u64().expect("a version");
        for answer in refused {
            assert_eq!(refusal(&answer), (409, "version-conflict"), "{answer:?}");
            assert_eq!(answer.body["version"], version, "whoever was late is told what there is now");
        }
        assert_eq!(olga.asks("/rounds/board").await.body["title"], done.body["title"]);
    }
    // Who says no version means the round as it is, and each keeps what the other wrote.
    let (title, description) = (json!({ "title": "One" }), json!({ "description": "Two" }));
    let edits = [olga.patches("/rounds/board", &title), elsewhere.patches("/rounds/board", &description)];
    assert!(join_all(edits).await.iter().all(|answer| answer.status == 200));
    eventually("both are there", || async {
        let round = olga.asks("/rounds/board").await.body;
        (round["title"] == "One" && round["description"] == "Two").then_some(())
    })
    .await;
    world.close().await;
}

#[tokio::test]
async fn a_draft_is_its_organisers_and_gets_its_options_one_by_one() {
    let world = World::with_urna().await;
    let (olga, otto) = (organiser(&world, "Olga").await, organiser(&world, "Otto").await);
    let draft = json!({ "title": "Who sits on the board?", "options": ["Ann"], "state": "draft" });
    let made = olga.makes_round(&draft).await;
    assert_eq!((made.status.as_u16(), &made.body["id"]), (201, &json!("who-sits-on-the-board")));
    is_as_shown("draft", made.body, &["owner", "version"]);
    let is_listed = async |who: &Voter| {
        let list = who.asks("/rounds").await.body;
        list.as_array().expect("a list").iter().any(|round| round["id"] == "who-sits-on-the-board")
    };
    assert!(is_listed(&olga).await && is_listed(&world.admin().await).await);
    assert!(!is_listed(&otto).await && !is_listed(&world.voter()).await, "a draft is its organiser's");

    assert_eq!(refusal(&olga.opens_round("who-sits-on-the-board").await), (409, "too-few-options"));
    let options = "/rounds/who-sits-on-the-board/options";
    let added = olga.posts(options, &json!({ "label": "Bob" })).await;
    assert_eq!((added.status.as_u16(), &added.body["id"]), (201, &json!("bob")));
    let (bob, eve) = (format!("{options}/bob"), format!("{options}/eve"));
    assert_eq!(olga.posts(options, &json!({ "label": "Eve" })).await.status, 201);
    assert_eq!(olga.patches(&bob, &json!({ "label": "Robert" })).await.status, 200);
    assert_eq!(olga.deletes(&eve).await.status, 204);
    assert_eq!(refusal(&olga.deletes(&eve).await), (404, "option-not-found"));
    let robert = json!({ "id": "bob", "label": "Robert", "description": "", "link": null, "picture": null });
    assert_eq!(olga.asks(&bob).await.body, robert);

    assert_eq!(refusal(&otto.opens_round("who-sits-on-the-board").await), (403, "not-your-round"));
    let opened = olga.opens_round("who-sits-on-the-board").await;
    assert_eq!((&opened.body["state"], labels(&opened.body)), (&json!("open"), vec!["Ann", "Robert"]));
    assert!(is_listed(&otto).await);
    is_as_shown("round", opened.body, &["owner", "version"]);
    world.close().await;
}

#[tokio::test]
async fn a_round_takes_votes_from_its_opening_to_its_end_and_keeps_its_words_meanwhile() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let draft = json!({ "id": "board", "title": "Who?", "options": ["Ann", "Bob"], "state": "draft" });
    assert_eq!(olga.makes_round(&draft).await.status, 201);
    let ann = world.voter();
    let refused_as = async |kind: &str| {
        eventually(kind, || async {
            (world.voter().votes_in("board", "bob").await.kind() == kind).then_some(())
        })
        .await;
    };
    refused_as("round-not-open").await;
    assert_eq!(olga.opens_round("board").await.status, 200);
    let accepted = || async { Some(ann.votes_in("board", "bob").await).filter(Answer::is_accepted) };
    eventually("the round is open", accepted).await;
    let edit = async |edit: Value| olga.patches("/rounds/board", &edit).await;
    assert_eq!(refusal(&edit(json!({ "title": "Another" })).await), (409, "round-already-opened"));
    assert_eq!(edit(json!({ "description": "For two years." })).await.status, 200);
    eventually("voters read it", || async {
        ann.opens("/vote/board").await.contains("For two years.").then_some(())
    })
    .await;

    assert_eq!(olga.closes_round("board").await.body["state"], "closed");
    assert_eq!(refusal(&edit(json!({ "description": "" })).await), (409, "round-closed"));
    assert_eq!(refusal(&olga.closes_round("board").await), (409, "round-closed"));
    refused_as("round-closed").await;
    let result = eventually("the result is final", || async {
        let result = ann.asks("/rounds/board/results").await.body;
        (result["final"] == true).then_some(result)
    });
    assert_eq!(result.await["total"], 1);
    world.close().await;
}

#[tokio::test]
async fn a_round_opens_and_closes_by_itself_at_its_times() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let (opens_at, closes_at) = (in_millis(1_000), in_millis(2_500));
    let wish = json!({ "id": "short", "title": "T", "options": ["Cats", "Dogs"],
        "opens_at": opens_at, "closes_at": closes_at });
    assert_eq!(olga.makes_round(&wish).await.body["state"], "draft");
    let ann = world.voter();
    let vote = || ann.votes_in("short", "cats");
    let accepted =
        eventually("it is open", || async { Some(vote().await).filter(Answer::is_accepted) }).await;
    assert!(Clock::system().now() >= Timestamp::parse(&opens_at).expect("a moment"), "{accepted:?}");
    let late = world.voter();
    eventually("it is closed", || async {
        (late.votes_in("short", "dogs").await.kind() == "round-closed").then_some(())
    })
    .await;
    assert!(Clock::system().now() >= Timestamp::parse(&closes_at).expect("a moment"));
    eventually("its result is final", || async {
        let result = ann.asks("/rounds/short/results").await.body;
        (result["final"] == true).then_some(())
    })
    .await;
    world.close().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_round_is_named_at_once() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let wish = json!({
        "id": "Board!", "title": "", "description": "x".repeat(2_001), "options": ["A", { "label": 7 }, "A"],
        "eligibility": "friends", "program_voters": "yes", "allowed_emails": ["example.org"], "allow_changes": 1,
        "opens_at": "noon", "owner": "me",
    });
    let answer = olga.makes_round(&wish).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let named: Vec<&str> = answer.body["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|it| it["field"].as_str())
        .collect();
    for field in [
        "id",
        "title",
        "description",
        "options[1].label",
        "eligibility",
        "program_voters",
        "allowed_emails[0]",
        "allow_changes",
        "opens_at",
        "owner",
    ] {
        assert!(named.contains(&field), "{field} is not among {named:?}");
    }
    let twice = json!({ "id": "demo", "title": "T", "options": ["A", "B"] });
    assert_eq!(refusal(&olga.makes_round(&twice).await), (409, "round-id-taken"));
    let nobody = person(&world, "Ann").await.makes_round(&wish).await;
    assert_eq!(refusal(&nobody), (403, "forbidden"), "who may not is not told what is wrong");
    world.close().await;
}
