//! Every refusal that the document names is provoked, from what it says itself: its examples, and what is wrong in one
//! place of them.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use urna_world::{Voter, World};

use super::{Operation, document, operations};
use crate::people::{id_of, organiser, person, round};
use crate::shapes::is_as_shown;

/// What takes a server that is away, a process that has just begun, a crowd, or ten seconds. Other tests do that.
const ELSEWHERE: [&str; 16] = [
    "accounts-unavailable",
    "busy",
    "queue-full",
    "incomplete",
    "last-admin",
    "log-unavailable",
    "not-ready",
    "pictures-unavailable",
    "closing-time-passed",
    "session-not-opened",
    "sessions-unavailable",
    "rate-limited",
    "too-slow",
    "unconfirmed",
    "receipt-not-found",
    "picture-not-found",
];
/// What is refused by a rule that has tests of its own: who may vote, and in which state what may be done.
const BY_RULES: [&str; 14] = [
    "already-voted",
    "ballot-id-reused",
    "email-taken",
    "invite-required",
    "invalid-invite",
    "program-voters-not-allowed",
    "invites-not-allowed",
    "not-eligible",
    "results-hidden",
    "results-not-final",
    "token-required",
    "too-few-options",
    "unidentified-caller",
    "wrong-password",
];

/// What takes what is not in the examples: a picture, a program's token, or somebody who saves at the same moment.
const OF_STATE: [(&str, &str); 8] = [
    ("cast_ballot", "not-your-round"),
    ("put_picture", "version-conflict"),
    ("remove_picture", "round-already-opened"),
    ("change_me", "version-conflict"),
    ("set_role", "version-conflict"),
    ("save_role", "version-conflict"),
    ("save_profile", "version-conflict"),
    ("save_password", "version-conflict"),
];

/// Who asks, and in which rounds.
struct Cast {
    nobody: Voter,
    voter: Voter,
    other: Voter,
    admin: Voter,
    /// The voter's account.
    user: String,
}

/// One request, made of an operation's examples.
#[derive(Clone)]
struct Asked {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

impl Cast {
    async fn of(world: &World) -> Self {
        let owner = organiser(world, "Olga").await;
        let options = json!(["Ann", "Bob"]);
        let wish = |state, eligibility| {
            // Where nothing is hidden, nobody is asked who they are.
            json!({ "state": state, "options": options, "eligibility": eligibility, "results_visibility": "after_close" })
        };
        for (id, state) in [("board", "draft"), ("over", "open"), ("begun", "open")] {
            round(&owner, id, wish(state, "invited")).await;
        }
        round(&owner, "members", wish("open", "account")).await;
        round(&owner, "soon", json!({ "options": options, "opens_at": "2099-01-01T00:00:00Z" })).await;
        assert_eq!(owner.closes_round("over").await.status, 200);
        let voter = person(world, "Ann").await;
        let user = id_of(&voter).await;
        let other = organiser(world, "Otto").await;
        Self { nobody: world.voter(), voter, other, admin: world.admin().await, user }
    }

    /// The request by which this refusal is provoked, and who asks.
    fn provoke(&self, operation: &Operation<'_>, status: u16, kind: &str) -> Option<(&Voter, Asked)> {
        let asked = Asked::of(operation, &self.user);
        let admin = &self.admin;
        Some(match (status, kind) {
            (401, "sign-in-required") => (&self.nobody, asked.in_round("members")),
            (401, "invalid-token") => {
                (&self.nobody, asked.with("Authorization", "Bearer x.y.z").of_token("x").in_round("members"))
            }
            (403, "cross-site") => (admin, asked.with("Sec-Fetch-Site", "cross-site")),
            (403, "csrf") => (admin, asked.by_form(operation)?),
            (403, "forbidden") => (&self.voter, asked),
            (403, "not-your-round") => (&self.other, asked),
            (404, "option-not-found") => (admin, asked.at("/ann", "/nobody")),
            (404, _) => (admin, asked.at("board", "no-such-thing").at(&self.user, "no-such-thing")),
            (409, "round-closed") => (admin, asked.at("/board", "/over").in_round("over")),
            (409, "round-already-opened") => (admin, asked.at("/board", "/begun").with_title()),
            (409, "round-not-open") => (admin, asked.in_round("board")),
            (409, "round-id-taken") => (admin, asked.with_id("begun")),
            (409, "version-conflict") => (admin, asked.with("If-Match", "\"1\"")),
            (400, "malformed") => (admin, asked.sending(b"{")),
            (413, _) => (admin, asked.or_form(operation).sending(&vec![b' '; 6 * 1024 * 1024])),
            (415, _) => (admin, asked.with("Content-Type", "text/plain")),
            (422, _) if operation.id() == "remove_option" => (admin, asked.at("board", "soon")),
            (422, _) => (admin, asked.or_form(operation).wrong()),
            _ => return None,
        })
    }
}

impl Asked {
    /// What the document says that would do.
    fn of(operation: &Operation<'_>, user: &str) -> Self {
        let mut path = operation.path.to_owned();
        for parameter in operation.told["parameters"].as_array().into_iter().flatten() {
            let name = format!("{{{}}}", parameter["name"].as_str().expect("a name"));
            let example = parameter["example"].as_str().unwrap_or_default();
            let is_user = path.starts_with("/users/{id}");
            path = path.replace(&name, if is_user { user } else { example });
        }
        let body = &operation.told["requestBody"];
        let method = Method::from_bytes(operation.method.to_uppercase().as_bytes()).expect("a method");
        let asked = Self { method, path, headers: Vec::new(), body: None };
        let json = &body["content"]["application/json"]["example"];
        let mut types = body["content"].as_object().into_iter().flat_map(|content| content.keys());
        let image = types.find(|content_type| content_type.starts_with("image/"));
        match image {
            _ if !json.is_null() => {
                asked.with("Content-Type", "application/json").sending(json.to_string().as_bytes())
            }
            Some(content_type) => asked.with("Content-Type", content_type).sending(b"x"),
            None if body["required"] == true => asked.or_form(operation),
            None => asked,
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn at(mut self, from: &str, to: &str) -> Self {
        self.path = self.path.replace(from, to);
        if self.path == "/vote" {
            return self.in_round(to);
        }
        self
    }

    fn sending(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }

    /// The same as the form that it may be, without what would make it one of ours.
    fn by_form(self, operation: &Operation<'_>) -> Option<Self> {
        let form = operation.told["requestBody"]["content"].as_object()?;
        if form.contains_key("multipart/form-data") {
            return Some(
                self.with("Content-Type", "multipart/form-data; boundary=x").sending(&part("picture")),
            );
        }
        Some(self.with("Content-Type", "application/x-www-form-urlencoded").sending(b"csrf=x"))
    }

    /// The same as a form, where nothing would be sent otherwise.
    fn or_form(self, operation: &Operation<'_>) -> Self {
        if self.body.is_some() { self } else { self.clone().by_form(operation).unwrap_or(self) }
    }

    fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let json = serde_json::from_slice(self.body.as_deref().unwrap_or_default());
        if let Ok(mut json @ Value::Object(_)) = json {
            edit(&mut json);
            self.body = Some(json.to_string().into_bytes());
        }
        self
    }

    fn in_round(self, round: &str) -> Self {
        if self.path != "/vote" {
            return self;
        }
        self.edited(|ballot| ballot["round"] = json!(round))
    }

    fn with_title(self) -> Self {
        if self.path != "/rounds/begun" {
            return self;
        }
        self.edited(|edit| edit["title"] = json!("Another"))
    }

    fn with_id(self, id: &str) -> Self {
        self.edited(|round| round["id"] = json!(id))
    }

    fn of_token(self, token: &str) -> Self {
        if self.path != "/token" {
            return self;
        }
        self.edited(|asked| asked["refresh_token"] = json!(token))
    }

    /// With a field, or a part of the query, that nobody knows what to do with.
    fn wrong(mut self) -> Self {
        if self.method == Method::GET {
            self.path.push_str(if self.path == "/users" { "?limit=0" } else { "?format=x&only=x" });
            return self;
        }
        if self.headers.iter().any(|(_, value)| value.contains("urlencoded")) {
            return self.sending(b"unknown=1");
        }
        if self.path.ends_with("/picture") {
            let is_form = self.method == Method::POST;
            return self.sending(&if is_form { part("unknown") } else { b"no picture".to_vec() });
        }
        self.edited(|json| json["unknown"] = json!(1))
    }

    /// The status, the kind and the whole of the refusal.
    async fn send(self, by: &Voter) -> (u16, String, Value) {
        let mut request = by.request(self.method, &self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send().await.expect("an answer comes");
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        (status, kind.trim_start_matches("urn:urna:").to_owned(), body)
    }
}

/// One part of a form, of this name.
fn part(name: &str) -> Vec<u8> {
    let head = format!("Content-Disposition: form-data; name=\"{name}\"");
    format!("--x\r\n{head}\r\n\r\nx\r\n--x--\r\n").into_bytes()
}

/// Whether the request was a form, and never came behind what shows that it is ours: there it is judged by the code that
/// judges programs.
fn ends_at_form(operation: &Operation<'_>, told: &(u16, String)) -> bool {
    let content = operation.told["requestBody"]["content"].as_object();
    content.is_some_and(|content| content.keys().any(|it| it.contains("form")))
        && (told.0, told.1.as_str()) == (403, "csrf")
}

#[tokio::test]
async fn every_refusal_that_the_document_names_happens() {
    let world = World::with_urna().await;
    let document = document(&world.voter()).await;
    let cast = Cast::of(&world).await;
    let mut wrong = Vec::new();
    // How the first of each kind reads.
    let mut provoked = BTreeMap::new();
    // The order of paths in the document depends on what else is built with serde_json.
    let mut operations = operations(&document);
    operations.sort_by_key(|operation| (operation.path, operation.method));
    for operation in operations {
        for (status, kind) in operation.refusals() {
            let is_elsewhere = ELSEWHERE.contains(&kind.as_str())
                || BY_RULES.contains(&kind.as_str())
                || OF_STATE.contains(&(operation.id(), kind.as_str()));
            let Some((by, asked)) = cast.provoke(&operation, status, &kind).filter(|_| !is_elsewhere) else {
                if !is_elsewhere {
                    wrong.push(format!("{}: nothing provokes {status} {kind}", operation.id()));
                }
                continue;
            };
            let (told_status, told_kind, body) = asked.send(by).await;
            let told = (told_status, told_kind);
            if told == (status, kind.clone()) {
                provoked.entry(kind.clone()).or_insert(body);
            }
            if told != (status, kind.clone()) && !ends_at_form(&operation, &told) {
                wrong.push(format!("{}: {status} {kind}, and was told {told:?}", operation.id()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(provoked.len() > 15, "{provoked:?}");
    is_as_shown("refusals", json!(provoked), &["version", "request_id"]);
    world.close().await;
}
