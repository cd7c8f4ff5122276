//! One option or several, what is said of them, and in which order they are shown.

use serde_json::{Value, json};
use urna_world::{Answer, Voter, World, audit_of, eventually};

use crate::people::organiser;

const JSON: &str = "application/json";

async fn casts(voter: &Voter, choice: &[&str]) -> Answer {
    voter.sends(json!({ "round": "board", "choice": choice }).to_string(), JSON).await
}

/// A ballot that is accepted once the box of a new round is open.
async fn first_ballot(voter: &Voter, choice: &[&str]) -> Answer {
    eventually("the round takes ballots", || async {
        Some(casts(voter, choice).await).filter(Answer::is_accepted)
    })
    .await
}

async fn counted(world: &World, round: &str, ballots: u64) -> Value {
    eventually(&format!("{ballots} ballots are counted"), || async {
        let results = world.voter().asks(&format!("/rounds/{round}/results")).await.body;
        (results["ledger"]["accepted"] == ballots).then_some(results)
    })
    .await
}

fn votes(results: &Value) -> Vec<u64> {
    let lines = results["lines"].as_array().expect("lines");
    lines.iter().map(|line| line["votes"].as_u64().expect("a number")).collect()
}

fn wrong(answer: &Answer) -> Vec<(u16, &str)> {
    let errors = answer.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().filter_map(|it| Some((answer.status.as_u16(), it["field"].as_str()?))).collect()
}

async fn approval(olga: &Voter, more: Value) -> Answer {
    let mut round = json!({ "id": "board", "title": "Who?", "options": ["Ann", "Bob", "Eve"],
        "method": "approval", "max_choices": 2, "allow_changes": true });
    for (name, value) in more.as_object().expect("an object") {
        round[name] = value.clone();
    }
    olga.makes_round(&round).await
}

#[tokio::test]
async fn an_approval_ballot_gives_each_of_its_options_a_vote_and_a_change_takes_all_of_them_back() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let made = approval(&olga, json!({})).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["method"], &made.body["max_choices"]),
        (201, &json!("approval"), &json!(2))
    );
    let (ann, ben) = (world.voter(), world.voter());
    let first = first_ballot(&ann, &["Eve", "ann"]).await;
    assert_eq!(first.body["choice"], json!(["ann", "eve"]), "in the round's order");
    assert_eq!(
        casts(&ann, &["ann", "eve"]).await.body["receipt"],
        first.body["receipt"],
        "the same choice again"
    );
    assert!(casts(&ben, &["bob"]).await.is_accepted());
    assert_eq!(votes(&counted(&world, "board", 2).await), [1, 1, 1]);

    assert!(casts(&ann, &["bob"]).await.is_accepted());
    let results = counted(&world, "board", 3).await;
    assert_eq!(votes(&results), [0, 2, 0]);
    assert_eq!(results["ledger"], json!({ "accepted": 3, "counted": 2, "replaced": 1, "unreadable": 0 }));
    assert_eq!(audit_of(&world, "board").await.voters.len(), 2);
    world.close().await;
}

#[tokio::test]
async fn a_choice_that_the_method_does_not_take_is_named_by_its_field() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    assert_eq!(approval(&olga, json!({})).await.status, 201);
    let ann = world.voter();
    first_ballot(&ann, &["ann", "bob"]).await;
    for (choice, field) in [
        (json!([]), "choice"),
        (json!(["ann", "bob", "eve"]), "choice"),
        (json!(["ann", "Ann"]), "choice[1]"),
        (json!(["ann", "zoe"]), "choice[1]"),
        (json!(7), "choice"),
    ] {
        let answer = ann.sends(json!({ "round": "board", "choice": choice }).to_string(), JSON).await;
        assert_eq!(wrong(&answer), [(422, field)], "{choice} {answer:?}");
    }
    let both = ann.sends(json!({ "round": "demo", "choice": ["cats", "dogs"] }).to_string(), JSON).await;
    assert_eq!(wrong(&both), [(422, "choice")]);
    assert_eq!(audit_of(&world, "board").await.accepted, 1);
    world.close().await;
}

#[tokio::test]
async fn a_browser_without_script_ticks_several_and_is_told_when_they_are_too_many() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    assert_eq!(approval(&olga, json!({})).await.status, 201);
    first_ballot(&world.voter(), &["ann"]).await;
    let ann = world.voter();
    let page = ann.opens("/vote/board").await;
    assert!(page.contains("Choose up to 2 options") && page.contains("type=\"checkbox\""), "{page}");
    let ticks = |names: &[&'static str]| {
        let mut fields = vec![("round", "board")];
        fields.extend(names.iter().map(|name| ("choice", *name)));
        fields
    };
    let three = ann.fills_in("/vote/board", "/vote", &ticks(&["ann", "bob", "eve"])).await;
    assert_eq!(three.status, 422);
    assert!(three.html.contains("must name at most 2 options"), "{}", three.html);
    assert_eq!(three.html.matches(" checked").count(), 3, "what was ticked stays ticked");
    assert_eq!(ann.fills_in("/vote/board", "/vote", &ticks(&[])).await.status, 422);
    let two = ann.fills_in("/vote/board", "/vote", &ticks(&["ann", "eve"])).await;
    assert_eq!(two.location.as_deref(), Some("/vote/board?voted=1"), "{}", two.html);
    let page = ann.opens("/vote/board").await;
    assert_eq!(page.matches("<span class=\"mark\">").count(), 2, "{page}");
    assert_eq!(votes(&counted(&world, "board", 2).await), [2, 0, 1]);
    world.close().await;
}

/// The options in the order in which they stand on somebody's page.
async fn order(voter: &Voter) -> Vec<String> {
    let page = voter.opens("/vote/board").await;
    let values = page.split("name=\"choice\" value=\"").skip(1);
    values.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_shuffled_round_shows_every_voter_an_order_of_their_own_and_keeps_it() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let labels: Vec<String> = (1..=12).map(|number| format!("option {number}")).collect();
    let round = json!({ "id": "board", "title": "Who?", "options": labels, "option_order": "shuffled" });
    assert_eq!(olga.makes_round(&round).await.body["option_order"], "shuffled");
    let (ann, ben) = (world.voter(), world.voter());
    let fixed: Vec<String> = (1..=12).map(|number| format!("option-{number}")).collect();
    let (first, other) = (order(&ann).await, order(&ben).await);
    assert_eq!(order(&ann).await, first, "the same after a reload, and before and after the first cookie");
    assert!(first != other && first != fixed && other != fixed, "{first:?} {other:?}");
    let mut sorted = first.clone();
    sorted.sort();
    let mut all = fixed.clone();
    all.sort();
    assert_eq!(sorted, all);
    assert!(first_ballot(&ann, &["option-7"]).await.is_accepted());
    assert_eq!(order(&ann).await, first, "the same after voting");
    assert_eq!(olga.closes_round("board").await.status, 200);
    eventually("the page knows it", || async {
        ann.opens("/vote/board").await.contains("takes no more ballots").then_some(())
    })
    .await;
    assert_eq!(order(&ann).await, first, "the same after the close");
    let lines = ann.asks("/rounds/board/results").await.body["lines"].clone();
    let results: Vec<&str> =
        lines.as_array().expect("lines").iter().filter_map(|line| line["option"].as_str()).collect();
    assert_eq!(results, fixed, "results keep the organiser's order");
    world.close().await;
}

#[tokio::test]
async fn what_is_said_of_an_option_is_shown_and_its_link_leads_to_the_web_alone() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let round = json!({ "id": "board", "title": "Who?", "state": "draft", "allow_embedding": true, "results_visibility": "after_close",
        "options": [{ "label": "Ann", "description": "A <b>carpenter</b>.", "link": "https://Example.org/ann" }, "Bob"] });
    let made = olga.makes_round(&round).await.body;
    assert_eq!(
        (&made["allow_embedding"], &made["results_visibility"]),
        (&json!(true), &json!("after_close"))
    );
    assert_eq!(made["options"][0]["link"], "https://example.org/ann");
    let (ann, bob) = ("/rounds/board/options/ann", "/rounds/board/options/bob");
    let linked = olga.patches(bob, &json!({ "link": "http://example.org/bob" })).await;
    assert_eq!((linked.status.as_u16(), &linked.body["label"]), (200, &json!("Bob")));
    assert_eq!(olga.patches(bob, &json!({ "link": null })).await.body["link"], Value::Null);
    for (change, field) in [
        (json!({ "link": "javascript:alert(1)" }), "link"),
        (json!({ "link": 7 }), "link"),
        (json!({ "description": "x".repeat(501) }), "description"),
        (json!({ "picture": "x" }), "picture"),
        (json!({ "label": " " }), "label"),
        (json!({}), "label"),
    ] {
        assert_eq!(wrong(&olga.patches(ann, &change).await), [(422, field)], "{change}");
    }
    let page = eventually("voters read it", || async {
        let page = world.voter().opens("/vote/board").await;
        page.contains("A &lt;b&gt;carpenter&lt;/b&gt;.").then_some(page)
    })
    .await;
    assert!(page.contains("rel=\"noopener noreferrer nofollow\""), "{page}");
    world.close().await;
}

#[tokio::test]
async fn a_round_that_has_begun_keeps_how_it_is_voted_in_and_when_its_results_are_shown() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    assert_eq!(approval(&olga, json!({ "results_visibility": "after_close" })).await.status, 201);
    for edit in [
        json!({ "method": "plurality" }),
        json!({ "max_choices": null }),
        json!({ "option_order": "shuffled" }),
        json!({ "results_visibility": "always" }),
    ] {
        let refused = olga.patches("/rounds/board", &edit).await;
        assert_eq!((refused.status.as_u16(), refused.kind()), (409, "round-already-opened"), "{edit}");
    }
    let renamed = olga.patches("/rounds/board/options/ann", &json!({ "description": "New" })).await;
    assert_eq!(renamed.kind(), "round-already-opened");
    assert_eq!(
        olga.patches("/rounds/board", &json!({ "allow_embedding": true })).await.body["allow_embedding"],
        true
    );
    for (round, field) in [
        (json!({ "method": "approval", "max_choices": 4 }), "max_choices"),
        (json!({ "method": "approval", "max_choices": 0 }), "max_choices"),
        (json!({ "max_choices": 1 }), "max_choices"),
        (json!({ "method": "borda" }), "method"),
        (json!({ "option_order": "random" }), "option_order"),
        (json!({ "results_visibility": "never" }), "results_visibility"),
    ] {
        let mut wish = json!({ "title": "T", "options": ["A", "B", "C"] });
        for (name, value) in round.as_object().expect("an object") {
            wish[name] = value.clone();
        }
        assert_eq!(wrong(&olga.makes_round(&wish).await), [(422, field)], "{wish}");
    }
    world.close().await;
}

#[tokio::test]
async fn the_largest_round_that_may_be_fits_into_one_message_and_onto_a_page() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let option = |number: usize| {
        json!({ "label": format!("{number:03}{}", "🐪".repeat(197)), "description": "🐫".repeat(500),
            "link": format!("https://example.org/{}", "x".repeat(1_980)) })
    };
    let options: Vec<Value> = (0..100).map(option).collect();
    let allowed_emails: Vec<String> =
        (0..1_000).map(|number| format!("{number:04}{}@{}.org", "x".repeat(60), "y".repeat(63))).collect();
    let round = json!({ "id": "board", "title": "🐪".repeat(200), "description": "🐫".repeat(2_000),
        "options": options, "eligibility": "account", "allowed_emails": allowed_emails, "method": "approval" });
    let made = olga.makes_round(&round).await;
    assert_eq!(made.status, 201, "{made:?}");
    let read = olga.asks("/rounds/board").await.body;
    assert_eq!(read["options"].as_array().map(Vec::len), Some(100));
    assert_eq!(read["allowed_emails"].as_array().map(Vec::len), Some(1_000));
    let page = eventually("voters read it", || async {
        let page = world.voter().looks_at("/vote/board").await;
        (page.status == 200).then_some(page.html)
    })
    .await;
    assert_eq!(page.matches("class=\"option-description\"").count(), 100);
    world.close().await;
}
