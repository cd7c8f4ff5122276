//! Every address of every actor, and who may call it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use urna_world::{Voter, World, house, sources};

use crate::people::{organiser, person, round};

/// Who is let in. Everybody is told what else is wrong only behind that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever comes.
    Anyone,
    /// Nobody, as this round is.
    Nobody,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever may make rounds.
    Organiser,
    /// Whoever made this round, and admins.
    Owner,
    /// Admins.
    Admin,
}

/// One method of one address.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The address, as the actor that serves it writes it.
    pub path: &'static str,
    who: Who,
    /// What is sent, so that the round's owner is asked for.
    body: &'static str,
}

const fn route(method: &'static str, path: &'static str, who: Who) -> Route {
    Route { method, path, who, body: "{}" }
}

const fn sending(method: &'static str, path: &'static str, who: Who, body: &'static str) -> Route {
    Route { method, path, who, body }
}

/// Who may call what. What ends a session stands last, because it is called here too.
pub const TABLE: &[Route] = &[
    route("GET", "/", Who::Anyone),
    route("GET", "/live", Who::Anyone),
    route("GET", "/health", Who::Anyone),
    route("GET", "/metrics", Who::Anyone),
    route("GET", STATIC, Who::Anyone),
    route("GET", "/openapi.json", Who::Anyone),
    route("GET", "/docs", Who::Anyone),
    route("GET", "/login", Who::Anyone),
    route("POST", "/login", Who::Anyone),
    route("GET", "/register", Who::Anyone),
    route("POST", "/register", Who::Anyone),
    route("POST", "/token", Who::Anyone),
    route("GET", "/rounds", Who::Anyone),
    route("GET", "/rounds/{id}", Who::Anyone),
    route("GET", "/rounds/{id}/options/{option}", Who::Anyone),
    route("GET", "/rounds/{id}/options/{option}/picture", Who::Anyone),
    route("GET", "/rounds/{id}/results", Who::Anyone),
    route("GET", "/rounds/{id}/events", Who::Anyone),
    route("GET", "/vote/{round}", Who::Anyone),
    route("GET", "/receipts/{receipt}", Who::Anyone),
    route("GET", "/result/{round}", Who::Anyone),
    route("GET", "/present/{round}", Who::Anyone),
    // The round says whether: everybody is refused alike.
    route("GET", "/embed/{round}", Who::Nobody),
    // Who may vote in which round is the round's own: see its eligibility.
    route("POST", "/vote", Who::Anyone),
    route("GET", "/admin", Who::Organiser),
    route("GET", "/admin/new", Who::Organiser),
    route("POST", "/admin/new", Who::Organiser),
    // The organiser's own pages; they take forms alone, and refuse whatever else the owner sends.
    route("GET", "/admin/rounds/{id}", Who::Owner),
    route("POST", "/admin/rounds/{id}", Who::Owner),
    route("GET", "/admin/rounds/{id}/open", Who::Owner),
    route("POST", "/admin/rounds/{id}/open", Who::Owner),
    route("GET", "/admin/rounds/{id}/close", Who::Owner),
    route("POST", "/admin/rounds/{id}/close", Who::Owner),
    route("POST", "/admin/rounds/{id}/options/{option}/unpicture", Who::Owner),
    route("GET", "/account", Who::SignedIn),
    route("POST", "/account/profile", Who::SignedIn),
    route("POST", "/account/password", Who::SignedIn),
    route("GET", "/me", Who::SignedIn),
    route("PATCH", "/me", Who::SignedIn),
    route("GET", "/sessions", Who::SignedIn),
    route("DELETE", "/sessions/{id}", Who::SignedIn),
    route("POST", "/sessions/{id}/end", Who::SignedIn),
    route("POST", "/rounds", Who::Organiser),
    sending("PATCH", "/rounds/{id}", Who::Owner, r#"{"description": "New."}"#),
    sending("POST", "/rounds/{id}/options", Who::Owner, r#"{"label": "Birds"}"#),
    sending("PATCH", "/rounds/{id}/options/{option}", Who::Owner, r#"{"label": "Lynxes"}"#),
    route("PUT", "/rounds/{id}/options/{option}/picture", Who::Owner),
    route("POST", "/rounds/{id}/options/{option}/picture", Who::Owner),
    route("DELETE", "/rounds/{id}/options/{option}/picture", Who::Owner),
    route("DELETE", "/rounds/{id}/options/{option}", Who::Owner),
    route("POST", "/rounds/{id}/open", Who::Owner),
    sending("POST", "/rounds/{id}/invites", Who::Owner, r#"{"count": 1}"#),
    route("POST", "/rounds/{id}/close", Who::Owner),
    route("GET", "/users", Who::Admin),
    route("PATCH", "/users/{id}", Who::Admin),
    route("POST", "/users/{id}", Who::Admin),
    route("POST", "/logout", Who::Anyone),
];

/// How the static files' addresses are written: each is named by what is in it.
pub const STATIC: &str = "&file.path";

impl Who {
    /// What each of nobody, a voter, another organiser, the round's owner and an admin is told who is not let in.
    fn refusals(self) -> [Option<u16>; 5] {
        match self {
            Self::Anyone => [None; 5],
            Self::Nobody => [Some(403); 5],
            Self::SignedIn => [Some(401), None, None, None, None],
            Self::Organiser => [Some(401), Some(403), None, None, None],
            Self::Owner => [Some(401), Some(403), Some(403), None, None],
            Self::Admin => [Some(401), Some(403), Some(403), Some(403), None],
        }
    }
}

#[test]
fn the_table_holds_every_route_that_an_actor_serves_and_no_other() {
    let table: BTreeSet<(String, String)> =
        TABLE.iter().map(|route| (route.path.to_owned(), route.method.to_owned())).collect();
    assert_eq!(table.len(), TABLE.len(), "no route stands there twice");
    let mut served = BTreeSet::new();
    // What only debug builds serve, when they are asked to, is not the product's.
    let development = house().join("actors/web/src/dev.rs");
    for file in sources(&house().join("actors")).into_iter().filter(|file| *file != development) {
        let text = std::fs::read_to_string(&file).expect("a source can be read");
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        served.extend(routes_of(product));
    }
    let missing: Vec<_> = served.difference(&table).collect();
    assert!(missing.is_empty(), "who may call these? {missing:?}");
    let gone: Vec<_> = table.difference(&served).collect();
    assert!(gone.is_empty(), "nobody serves these: {gone:?}");
}

/// The routes that a text adds: for each `at(path)`, every method of the `.route(method().to(…))` behind it.
fn routes_of(text: &str) -> Vec<(String, String)> {
    let mut routes = Vec::new();
    for (place, _) in text.match_indices("at(") {
        let is_called = !text[..place].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let is_defined = text[..place].ends_with("fn ");
        let Some(path) = text[place..].split(['(', ')']).nth(1) else { continue };
        if !is_called || is_defined || !(path.starts_with("\"/") || path == STATIC) {
            continue;
        }
        let mut rest = text[place + "at(".len() + path.len() + 1..].trim_start();
        while let Some(behind) = rest.strip_prefix(".route(") {
            let method = behind.split("()").next().unwrap_or_default().trim_start_matches("web::");
            routes.push((path.trim_matches('"').to_owned(), method.to_uppercase()));
            rest = behind_bracket(behind).trim_start();
        }
    }
    routes
}

/// What stands behind the bracket that closes this text.
fn behind_bracket(text: &str) -> &str {
    let mut depth = 1;
    for (place, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[place + 1..];
        }
    }
    ""
}

#[tokio::test]
async fn each_route_lets_in_whom_the_table_says_and_nobody_else() {
    let world = World::with_urna().await;
    let (owner, other) = (organiser(&world, "Olga").await, organiser(&world, "Otto").await);
    round(&owner, "board", json!({ "eligibility": "invited" })).await;
    let home = owner.opens("/").await;
    let (_, file) = home.split_once("stylesheet\" href=\"").expect("a style sheet");
    let file = file.split('"').next().expect("its address");
    let callers = [
        ("nobody", world.voter()),
        ("a voter", person(&world, "Ann").await),
        ("another organiser", other),
        ("the owner", owner),
        ("an admin", world.admin().await),
    ];
    for route in TABLE {
        let is_round = route.path.contains("/rounds");
        let id = if is_round { "board" } else { "67e55044-10b1-426f-9247-bb680e5fe0c8" };
        let path = route.path.replace("{id}", id).replace("{round}", "board").replace("{option}", "cats");
        let path = if route.path == STATIC { file } else { path.as_str() };
        for ((name, caller), refusal) in callers.iter().zip(route.who.refusals()) {
            let status = status(caller, route, path).await;
            let told = Some(status).filter(|status| matches!(status, 401 | 403));
            assert_eq!(told, refusal, "{} {path} by {name}: {status}", route.method);
            assert!(status < 500 && status != 405, "{} {path} by {name}: {status}", route.method);
        }
    }
    world.close().await;
}

async fn status(caller: &Voter, route: &Route, path: &str) -> u16 {
    let method = Method::from_bytes(route.method.as_bytes()).expect("a method");
    let mut request = caller.request(method, path);
    if matches!(route.method, "POST" | "PATCH") {
        request = request.header("Content-Type", "application/json").body(route.body);
    }
    // Not to its end: some never come to it.
    request.send().await.expect("an answer comes").status().as_u16()
}
