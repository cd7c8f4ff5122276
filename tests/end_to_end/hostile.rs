//! What is sent by mistake or on purpose: a clear refusal that names the field, or the right thing on the page.
//!
//! Pictures that are none, too large, or bombs have tests of their own in [`crate::pictures`].

use reqwest::Method;
use serde_json::{Value, json};
use urna_world::{Answer, Voter, World, eventually};

use crate::people::organiser;

/// What is sent where, and what is said to it: the status, and the field it names or the kind it has.
struct Row {
    what: &'static str,
    method: Method,
    path: &'static str,
    body: Value,
    status: u16,
    names: &'static str,
}

fn row(what: &'static str, to: &'static str, body: Value, status: u16, names: &'static str) -> Row {
    let (method, path) = to.split_once(' ').expect("a method and a path");
    Row { what, method: Method::from_bytes(method.as_bytes()).expect("a method"), path, body, status, names }
}

/// A round that would do, but for this.
fn round_with(wrong: Value) -> Value {
    let mut round = json!({ "title": "Who?", "options": ["Ann", "Bob"] });
    round.as_object_mut().expect("an object").extend(wrong.as_object().expect("an object").clone());
    round
}

/// A round that is to be made, and is refused for this field.
fn make(what: &'static str, wrong: Value, names: &'static str) -> Row {
    row(what, "POST /rounds", round_with(wrong), 422, names)
}

/// Rounds of wrong types, of unknown fields, and of too much.
fn shapes() -> Vec<Row> {
    let many: Vec<String> = (0..10_000).map(|number| format!("Option {number}")).collect();
    let wide: Vec<Value> = (0..300).map(|_| json!({ "label": "A", "x": {} })).collect();
    vec![
        make("a wrong type", json!({ "title": 7 }), "title"),
        make("a list for a text", json!({ "title": ["Who?"] }), "title"),
        make("nothing for a text", json!({ "title": null }), "title"),
        make("a text for a list", json!({ "options": "Ann" }), "options"),
        make("a wrong type far inside", json!({ "options": ["Ann", { "label": {} }] }), "options[1].label"),
        make("a text for yes or no", json!({ "allow_changes": "yes" }), "allow_changes"),
        make("a number that is none", json!({ "max_choices": -1, "method": "approval" }), "max_choices"),
        make("a number beyond all", json!({ "max_choices": 1e30, "method": "approval" }), "max_choices"),
        make("more than there are", json!({ "max_choices": 3, "method": "approval" }), "max_choices"),
        make("an unknown field", json!({ "colour": "red" }), "colour"),
        make(
            "an unknown field inside",
            json!({ "options": ["Ann", { "label": "B", "x": 1 }] }),
            "options[1].x",
        ),
        make(
            "the name of another one's",
            json!({ "owner": "67e55044-10b1-426f-9247-bb680e5fe0c8" }),
            "owner",
        ),
        make("10,000 options", json!({ "options": many }), "options"),
        make("very many wrong fields", json!({ "options": wide }), "options"),
    ]
}

/// Rounds whose texts and options cannot be.
fn texts() -> Vec<Row> {
    vec![
        make("one option", json!({ "options": ["Ann"] }), "options"),
        make("the same option twice", json!({ "options": ["Ann", "Ann"] }), "options[1].label"),
        make("options that look the same", json!({ "options": ["Ann", "An\u{200d}n"] }), "options[1].label"),
        make(
            "a label that is another's id",
            json!({ "options": [{ "label": "Bob", "id": "ann" }, "ann"] }),
            "options[1].label",
        ),
        make(
            "a label that is a later one's id",
            json!({ "options": ["ann", { "label": "Bob", "id": "ann" }] }),
            "options[0].label",
        ),
        make("a title of only spaces", json!({ "title": "  \u{2003}\u{3000} " }), "title"),
        make("a title that cannot be seen", json!({ "title": "\u{200d}\u{2800}\u{fe0f}" }), "title"),
        make("a title that turns the page", json!({ "title": "\u{202e}ohW" }), "title"),
        make("a title of control characters", json!({ "title": "W\u{7}h\u{1b}[31mo" }), "title"),
        make("a title without an end", json!({ "title": "W".repeat(100_000) }), "title"),
        make("half of a character", json!({ "title": "\u{0}" }), "title"),
        make(
            "a link that is a script",
            json!({ "options": ["A", { "label": "B", "link": "javascript:alert(1)" }] }),
            "options[1].link",
        ),
    ]
}

/// Rounds whose times and words cannot be.
fn times() -> Vec<Row> {
    vec![
        make(
            "a closing before the opening",
            json!({ "opens_at": "2099-01-02T00:00:00Z", "closes_at": "2099-01-01T00:00:00Z" }),
            "closes_at",
        ),
        make("a closing that is over", json!({ "closes_at": "2001-01-01T00:00:00Z" }), "closes_at"),
        make("a day that there is not", json!({ "closes_at": "2099-02-30T00:00:00Z" }), "closes_at"),
        make("a year behind the last", json!({ "closes_at": "9999-12-31T23:59:59-05:00" }), "closes_at"),
        make(
            "a year before the first",
            json!({ "opens_at": "0000-01-01T00:00:00+01:00", "state": "open" }),
            "opens_at",
        ),
        make("a moment without a zone", json!({ "opens_at": "2099-01-01T00:00:00" }), "opens_at"),
        make("a state to begin in that is an end", json!({ "state": "closed" }), "state"),
        make("a word that is none", json!({ "results_visibility": "never" }), "results_visibility"),
        make(
            "addresses where anyone may vote",
            json!({ "allowed_emails": ["@example.org"] }),
            "allowed_emails",
        ),
        make(
            "an address that is none",
            json!({ "eligibility": "account", "allowed_emails": ["example.org"] }),
            "allowed_emails[0]",
        ),
        make(
            "an address that looks like another",
            json!({ "eligibility": "account", "allowed_emails": ["a\u{200b}nn@example.org"] }),
            "allowed_emails[0]",
        ),
    ]
}

/// What is sent at the wrong time. `open`, `draft` and `closed` are rounds.
fn states() -> Vec<Row> {
    vec![
        row("no object", "POST /rounds", json!([{ "title": "Who?" }]), 400, "malformed"),
        row("a text alone", "POST /rounds", json!("Who?"), 400, "malformed"),
        row(
            "a title after the opening",
            "PATCH /rounds/open",
            json!({ "title": "What?" }),
            409,
            "round-already-opened",
        ),
        row(
            "options after the opening",
            "POST /rounds/open/options",
            json!({ "label": "Eve" }),
            409,
            "round-already-opened",
        ),
        row(
            "an option less after the opening",
            "DELETE /rounds/open/options/ann",
            Value::Null,
            409,
            "round-already-opened",
        ),
        row("an opening again", "POST /rounds/open/open", Value::Null, 409, "round-already-opened"),
        row(
            "anything after the close",
            "PATCH /rounds/closed",
            json!({ "description": "x" }),
            409,
            "round-closed",
        ),
        row("an opening after the close", "POST /rounds/closed/open", Value::Null, 409, "round-closed"),
        row("a close of a draft", "POST /rounds/draft/close", Value::Null, 409, "round-not-open"),
    ]
}

/// What is sent to what is not there, or is something else.
fn names() -> Vec<Row> {
    vec![
        row(
            "a version that was never",
            "PATCH /rounds/draft",
            json!({ "version": 1, "title": "x" }),
            409,
            "version-conflict",
        ),
        row(
            "a round that there is not",
            "PATCH /rounds/none",
            json!({ "title": "x" }),
            404,
            "round-not-found",
        ),
        row("a name that cannot be one", "GET /rounds/%2e%2e%2fetc", Value::Null, 404, "round-not-found"),
        row("bytes that are no text", "GET /rounds/%ff%fe", Value::Null, 404, "round-not-found"),
        row(
            "an option that there is not",
            "PATCH /rounds/draft/options/x",
            json!({ "label": "x" }),
            404,
            "option-not-found",
        ),
        row("too many invites", "POST /rounds/draft/invites", json!({ "count": 1_000_000 }), 422, "count"),
        row("no invites", "POST /rounds/draft/invites", json!({ "count": 0 }), 422, "count"),
    ]
}

/// Ballots that are none.
fn ballots() -> Vec<Row> {
    let ballot = |round: &str, choice: Value| json!({ "round": round, "choice": choice });
    vec![
        row(
            "a ballot before the opening",
            "POST /vote",
            ballot("draft", json!(["ann"])),
            409,
            "round-not-open",
        ),
        row("a ballot after the close", "POST /vote", ballot("closed", json!(["ann"])), 409, "round-closed"),
        row("a ballot for two", "POST /vote", ballot("open", json!(["ann", "bob"])), 422, "choice"),
        row("a ballot for nobody", "POST /vote", ballot("open", json!([])), 422, "choice"),
        row("a ballot for somebody else", "POST /vote", ballot("open", json!(["eve"])), 422, "choice"),
        row("a ballot for 10,000", "POST /vote", ballot("open", json!(vec!["ann"; 5_000])), 422, "choice"),
        row("a ballot of a number", "POST /vote", ballot("open", json!(1)), 422, "choice"),
        row("a ballot of nothing", "POST /vote", json!({}), 422, "round"),
    ]
}

async fn send(by: &Voter, row: &Row) -> Answer {
    match (&row.method, &row.body) {
        (&Method::GET, _) => by.asks(row.path).await,
        (&Method::DELETE, _) => by.deletes(row.path).await,
        (&Method::PATCH, body) => by.patches(row.path, body).await,
        // No body at all.
        (_, Value::Null) => by.posts(row.path, &json!({})).await,
        (_, body) => by.posts(row.path, body).await,
    }
}

/// Whether the refusal says what is wrong: the kind, or the field by its path.
fn says(answer: &Answer, names: &str) -> bool {
    let errors = answer.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_named = |error: &Value| {
        let field = error["field"].as_str().unwrap_or_default();
        field == names || field.starts_with(&format!("{names}["))
    };
    answer.kind() == names || errors.iter().any(is_named)
}

#[tokio::test]
async fn whatever_is_wrong_with_what_is_sent_is_named_and_nothing_comes_of_it() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    for (id, state) in [("draft", "draft"), ("open", "open"), ("closed", "open")] {
        let wish = json!({ "id": id, "title": id, "options": ["Ann", "Bob"], "state": state, "eligibility": if id == "draft" { "invited" } else { "anyone" } });
        assert_eq!(olga.makes_round(&wish).await.status, 201);
    }
    assert_eq!(olga.closes_round("closed").await.status, 200);
    eventually("the vote has heard of all", || async {
        let closed = olga.votes_in("closed", "ann").await.kind() == "round-closed";
        (closed && olga.votes_in("open", "x").await.status == 422).then_some(())
    })
    .await;
    let rounds_before = olga.asks("/rounds").await.body;
    let mut wrong = Vec::new();
    for row in [shapes(), texts(), times(), states(), names(), ballots()].iter().flatten() {
        let answer = send(&olga, row).await;
        let size = answer.body.to_string().len();
        if answer.status.as_u16() != row.status || !says(&answer, row.names) || size > 64 * 1024 {
            let told: String = answer.body.to_string().chars().take(300).collect();
            wrong.push(format!("{}: {} {} and not {}", row.what, answer.status, told, row.names));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(olga.asks("/rounds").await.body, rounds_before, "nothing was made, and nothing was changed");
    world.close().await;
}

#[tokio::test]
async fn titles_in_any_script_are_kept_and_shown_as_they_were_written() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let titles = [
        "مَن يجلس في المجلس؟",
        "מי יושב בוועד? (שנת 2026)",
        "谁进入董事会？",
        "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇺🇳 ❤️‍🔥?",
        "e\u{301}lan vital — naïve “quotes”",
        "می‌خواهم",
    ];
    for (number, title) in titles.into_iter().enumerate() {
        let id = format!("script-{number}");
        let wish = json!({ "id": id, "title": title, "description": title, "options": [title, "Bob"] });
        let made = olga.makes_round(&wish).await;
        assert_eq!((made.status.as_u16(), &made.body["title"]), (201, &json!(title)), "{made:?}");
        eventually("the result is there", || async {
            let result = olga.asks(&format!("/rounds/{id}/results")).await;
            (result.body["title"] == title).then_some(())
        })
        .await;
        for path in [format!("/vote/{id}"), format!("/result/{id}"), "/".to_owned()] {
            let page = eventually("the page is there", || async {
                let page = world.voter().looks_at(&path).await;
                (page.status == 200 && page.html.contains(title)).then_some(page.html)
            });
            let page = page.await;
            stands_by_itself(&page, title, &path);
        }
    }
    world.close().await;
}

/// Checks that what was written is all that stands in an element, and that it or the one around it takes its direction
/// from it.
fn stands_by_itself(page: &str, title: &str, path: &str) {
    let whole = format!(">{title}<");
    let mut places = page.match_indices(&whole).peekable();
    assert!(places.peek().is_some(), "{path}: {title} is not an element's whole text");
    for (place, _) in places {
        let tags: Vec<&str> = page[..place].rsplit('<').take(2).collect();
        let is_turned = tags.iter().any(|tag| tag.contains("dir=\"auto\"") || tag.starts_with("bdi"));
        assert!(is_turned || tags[0].starts_with("title"), "{path}: <{}>{title}", tags[0]);
    }
}
