//! schemathesis makes requests from the document, right ones and wrong ones, and compares what is answered with it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use urna_world::{World, program};

use super::document;
use crate::people::{PASSWORD, email, organiser, person};

/// How long one run may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(600);
/// What is checked of every answer.
const CHECKS: [&str; 12] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
];
/// What is left out of every run: a stream never comes to its end; whoever signs out, or ends a session, is nobody from
/// then on; and a static file has another name than the example.
const LEFT_OUT: [&str; 5] =
    ["/rounds/{id}/events", "/logout", "/sessions/{id}", "/sessions/{id}/end", "/static/{file}"];
/// What has a rule that its shape cannot say, so that a request of the right shape may be refused: an address of mail or
/// of the web, a moment that lies ahead, a password that is right, one of two names, another label, a picture.
const BY_RULES: [&str; 10] = [
    "add_option",
    "cast_ballot",
    "change_me",
    "change_option",
    "edit_round",
    "login",
    "make_round",
    "post_picture",
    "put_picture",
    "register",
];

/// What the document says, read to the letter: an object has the fields that it names and no other.
fn strict(document: &Value) -> Value {
    let mut strict = document.clone();
    let schemas = strict["components"]["schemas"].as_object_mut().expect("schemas");
    for schema in schemas.values_mut() {
        close(schema);
    }
    strict
}

fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        if object.contains_key("properties") && !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        object.values_mut().for_each(close);
    }
}

/// Runs it as whoever shows this token, and returns what it says when something is not as the document says.
async fn run(world: &World, token: Option<&str>) -> Result<(), String> {
    let folder = world.folder().to_owned();
    let document = document(&world.voter()).await;
    let file = folder.join("openapi.json");
    std::fs::write(&file, strict(&document).to_string()).expect("a file can be written");
    std::fs::write(folder.join("schemathesis.toml"), settings()).expect("a file can be written");
    let mut command = Command::new(program("SCHEMATHESIS"));
    command.current_dir(&folder).kill_on_drop(true).env("NO_COLOR", "1");
    command.args(["run", path(&file), "--url", &world.address("urna")]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "6",
        "--seed",
        "7",
        "--workers",
        "2",
    ]);
    command.args([
        "--generation-database",
        "none",
        "--request-timeout",
        "30",
        "--warnings",
        "off",
        "--no-color",
    ]);
    command.args(["--suppress-health-check", "all", "--generation-codec", "utf-8"]);
    for left_out in LEFT_OUT {
        command.args(["--exclude-path", left_out]);
    }
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let output = tokio::time::timeout(WITHIN, command.output()).await.expect("schemathesis ends in time");
    let output = output.expect("schemathesis can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{said}\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// What it checks: everything, but for what single operations cannot hold.
fn settings() -> String {
    let checks = CHECKS.map(|check| format!("{check}.enabled = true\n")).concat();
    let of = |id| {
        format!(
            "[[operations]]\ninclude-operation-id = \"{id}\"\nchecks.positive_data_acceptance.enabled = false\n"
        )
    };
    // 503 is a refusal like others: on a machine that is busy, Redis may be too slow.
    let checks =
        format!("{checks}not_a_server_error.expected-statuses = [\"2xx\", \"3xx\", \"4xx\", \"503\"]\n");
    // Who asks is said by each run, and it registers nobody by itself.
    format!("auth.auto-signup = false\n[checks]\n{checks}{}", BY_RULES.map(of).concat())
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a path of text")
}

async fn token(world: &World, name: &str, password: &str) -> String {
    let address = if name.contains('@') { name.to_owned() } else { email(name) };
    let told = world.voter().asks_for_tokens(&address, password).await.body;
    told["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn what_is_answered_to_nobody_is_what_the_document_says() {
    let world = World::with_urna().await;
    if let Err(said) = run(&world, None).await {
        panic!("{said}");
    }
    world.close().await;
}

#[tokio::test]
async fn what_is_answered_to_a_voter_is_what_the_document_says() {
    let world = World::with_urna().await;
    person(&world, "Ann").await;
    if let Err(said) = run(&world, Some(&token(&world, "Ann", PASSWORD).await)).await {
        panic!("{said}");
    }
    world.close().await;
}

#[tokio::test]
async fn what_is_answered_to_an_organiser_is_what_the_document_says() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let board = json!({ "id": "board", "title": "Who?", "options": ["Ann", "Bob"], "state": "draft" });
    assert_eq!(olga.makes_round(&board).await.status, 201);
    if let Err(said) = run(&world, Some(&token(&world, "Olga", PASSWORD).await)).await {
        panic!("{said}");
    }
    world.close().await;
}
