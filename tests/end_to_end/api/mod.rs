//! The document of the HTTP API: it tells of every address, and what it says is true.
//!
//! - [`refusals`] every refusal that it names happens
//! - [`conformance`] what is answered to whatever is sent is what it says
//! - [`tasks`] the commands of docs/api.md do what they say

mod conformance;
mod refusals;
mod tasks;

use std::collections::BTreeSet;

use serde_json::Value;
use urna_world::{Voter, World, house, sources};

use crate::routes::{STATIC, TABLE};

/// The methods that the document may tell of.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The kinds that may be answered anywhere: the document tells of them once.
const ANYWHERE: [&str; 3] = ["internal", "not-found", "method-not-allowed"];

/// One method of one address, as the document tells of it.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    told: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.told["operationId"].as_str().expect("every operation has a name")
    }

    /// Every refusal that it names, as status and kind.
    fn refusals(&self) -> Vec<(u16, String)> {
        let responses = self.told["responses"].as_object().expect("every operation is answered");
        let mut refusals = Vec::new();
        for (status, answer) in responses {
            let status = status.parse().expect("a status is a number");
            let examples = answer["content"]["application/problem+json"]["examples"].as_object();
            refusals.extend(examples.into_iter().flatten().map(|(kind, _)| (status, kind.clone())));
        }
        refusals
    }
}

async fn document(of: &Voter) -> Value {
    let answer = of.asks("/openapi.json").await;
    assert_eq!(answer.status, 200);
    answer.body
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(told) = item.get(method) {
                operations.push(Operation { method, path, told });
            }
        }
    }
    operations
}

#[tokio::test]
async fn the_document_tells_of_every_route_and_of_no_other() {
    let mut world = World::with_urna().await;
    let document = document(&world.voter()).await;
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let told: BTreeSet<(String, String)> =
        operations.iter().map(|it| (it.path.to_owned(), it.method.to_uppercase())).collect();
    let path = |path: &str| if path == STATIC { "/static/{file}".to_owned() } else { path.to_owned() };
    let served: BTreeSet<(String, String)> =
        TABLE.iter().map(|route| (path(route.path), route.method.to_owned())).collect();
    assert_eq!(told.difference(&served).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "made up");
    assert_eq!(served.difference(&told).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "not told of");
    world.start("vote").await;
    let part = self::document(&world.voter_at("vote", "member-17")).await;
    assert!(part["paths"]["/vote"].is_object() && part["paths"]["/rounds"].is_null(), "its own actors'");
    world.close().await;
}

#[tokio::test]
async fn the_page_of_the_document_shows_every_operation() {
    let world = World::with_urna().await;
    let voter = world.voter();
    let document = document(&voter).await;
    let operations = operations(&document);
    let page = voter.opens("/docs").await;
    let ids: BTreeSet<&str> = operations.iter().map(Operation::id).collect();
    assert_eq!(ids.len(), operations.len(), "no two have the same name");
    for id in ids {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} is not on the page");
        assert!(page.contains(&format!("href=\"#{id}\"")), "nothing leads to {id}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_method_that_an_address_does_not_have_is_refused_with_those_it_has() {
    let world = World::with_urna().await;
    for (path, allowed) in [
        ("/rounds/demo", "GET, HEAD, PATCH"),
        ("/vote", "POST"),
        ("/login", "GET, HEAD, POST"),
        ("/static/urna.css", ""),
    ] {
        let request = world.voter().request(reqwest::Method::DELETE, path);
        let response = request.send().await.expect("an answer comes");
        let told = response.headers().get("Allow").map(|told| told.to_str().expect("text").to_owned());
        // What is not there has no methods.
        let status = if allowed.is_empty() { 404 } else { 405 };
        assert_eq!(
            (response.status().as_u16(), told.unwrap_or_default().as_str()),
            (status, allowed),
            "{path}"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn the_kinds_of_refusal_in_the_document_are_those_in_the_code() {
    let world = World::with_urna().await;
    let document = document(&world.voter()).await;
    let about = document["info"]["description"].as_str().expect("words");
    let told: BTreeSet<String> =
        operations(&document).iter().flat_map(Operation::refusals).map(|(_, kind)| kind).collect();
    let mut written = BTreeSet::new();
    let mut text = String::new();
    for file in sources(&house().join("actors")) {
        let source = std::fs::read_to_string(&file).expect("a source can be read");
        let product = source.split("#[cfg(test)]").next().unwrap_or_default();
        written.extend(kinds_of(product));
        if !file.to_string_lossy().contains("/api") {
            text.push_str(product);
        }
    }
    for kind in written {
        let is_told = told.contains(&kind) || (ANYWHERE.contains(&kind.as_str()) && about.contains(&kind));
        assert!(is_told || kind == "not-found", "the document does not tell of {kind}");
    }
    for kind in told {
        assert!(text.contains(&format!("\"{kind}\"")), "nothing is refused as {kind}");
    }
    world.close().await;
}

/// The kinds of the problems that a text makes: the first text behind each constructor, where it is a constant.
fn kinds_of(text: &str) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for begins in ["Problem::new(", "Problem::conflict(", "Problem::unavailable(", " refused(\""] {
        for (place, found) in text.match_indices(begins) {
            let behind = &text[place + found.trim_end_matches('"').len()..];
            let call = behind.split(';').next().unwrap_or_default();
            let kind = call.split('"').nth(1).unwrap_or_default();
            let could_be = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            if !kind.is_empty() && kind.chars().all(could_be) {
                kinds.insert(kind.to_owned());
            }
        }
    }
    kinds
}
