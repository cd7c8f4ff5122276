//! What a person or a program can do: here, vote and watch.
//!
//! - [`accounts`] registering, signing in and out
//! - [`rounds`] making and running rounds
//! - [`Answer`], [`Page`] what one is told
//! - [`Events`] what a watcher is sent

mod accounts;
mod answer;
mod events;
mod rounds;

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub use answer::{Answer, Page};
pub use events::Events;

/// How long an answer may take before the voter gives up: longer than the box makes anyone wait.
const PATIENCE: Duration = Duration::from_secs(15);
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// What stands between the fields of a form with a file.
const BOUNDARY: &str = "----a-boundary-of-these-tests";
/// The demonstration round.
const DEMO: &str = "demo";

/// A person with a browser that keeps cookies, or a program that says for whom it votes, or shows a token.
#[derive(Clone, Debug)]
pub struct Voter {
    client: Client,
    address: String,
    program: Option<String>,
    bearer: Option<String>,
    patience: Duration,
}

impl Voter {
    /// A fresh browser.
    pub fn browser(address: &str) -> Self {
        let client = Client::builder().cookie_store(true).redirect(Policy::none()).build();
        let client = client.expect("a client can be made");
        Self { client, address: address.to_owned(), program: None, bearer: None, patience: PATIENCE }
    }

    /// A program that votes for `id`.
    pub fn program(address: &str, id: &str) -> Self {
        Self { program: Some(id.to_owned()), ..Self::browser(address) }
    }

    /// A program that votes for `id` over the same connections.
    #[must_use]
    pub fn named(&self, id: &str) -> Self {
        Self { program: Some(id.to_owned()), ..self.clone() }
    }

    /// The same voter, who shows this token with every request.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self.clone() }
    }

    /// The same voter, who gives up after this long without an answer.
    #[must_use]
    pub fn patient_for(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The same voter, somewhere else.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.clone() }
    }

    /// Opens a page and returns its HTML.
    pub async fn opens(&self, path: &str) -> String {
        let page = self.looks_at(path).await;
        assert_eq!(page.status, 200, "{path}");
        page.html
    }

    /// Opens a page that may not be there, or lead elsewhere.
    pub async fn looks_at(&self, path: &str) -> Page {
        let request = self.request(Method::GET, path).header(ACCEPT, "text/html");
        Page::of(request.send().await.expect("an answer comes")).await
    }

    /// Opens a page and returns its status; may get no answer at all.
    pub async fn try_opens(&self, path: &str) -> reqwest::Result<StatusCode> {
        Ok(self.request(Method::GET, path).header(ACCEPT, "text/html").send().await?.status())
    }

    /// Asks for JSON.
    pub async fn asks(&self, path: &str) -> Answer {
        self.try_asks(path).await.expect("an answer comes")
    }

    /// Asks for JSON, and may get no answer at all.
    pub async fn try_asks(&self, path: &str) -> reqwest::Result<Answer> {
        Ok(Answer::of(self.request(Method::GET, path).send().await?).await)
    }

    /// Posts JSON.
    pub async fn posts(&self, path: &str, body: &Value) -> Answer {
        self.sends_json(Method::POST, path, body).await
    }

    /// Changes something by JSON.
    pub async fn patches(&self, path: &str, body: &Value) -> Answer {
        self.sends_json(Method::PATCH, path, body).await
    }

    /// Puts a file somewhere.
    pub async fn puts(&self, path: &str, content_type: &str, file: Vec<u8>) -> Answer {
        let request = self.request(Method::PUT, path).header(CONTENT_TYPE, content_type).body(file);
        Answer::of(request.send().await.expect("an answer comes")).await
    }

    /// Deletes something.
    pub async fn deletes(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.expect("an answer comes")).await
    }

    async fn sends_json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, JSON).body(body.to_string());
        Answer::of(request.send().await.expect("an answer comes")).await
    }

    /// Opens the page at `path`, fills in its form and sends it to `action`, as a browser does.
    pub async fn fills_in(&self, path: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.looks_at(path).await;
        let csrf = page.csrf().unwrap_or_else(|| panic!("{path} has no form: {page:?}"));
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        self.sends_form(
            action,
            &form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish(),
        )
        .await
    }

    /// Sends a form of one's own making.
    pub async fn sends_form(&self, action: &str, form: &str) -> Page {
        let request = self.request(Method::POST, action).header(CONTENT_TYPE, FORM);
        let request = request.header(ACCEPT, "text/html").body(form.to_owned());
        Page::of(request.send().await.expect("an answer comes")).await
    }

    /// Sends a form with a file in its field `picture`, as a browser does.
    pub async fn sends_picture(&self, action: &str, fields: &[(&str, &str)], picture: &[u8]) -> Page {
        let mut form = Vec::new();
        for (name, value) in fields {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            form.extend([head.as_bytes(), value.as_bytes(), b"\r\n"].concat());
        }
        let name = "form-data; name=\"picture\"; filename=\"../cats.svg\"";
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: {name}\r\nContent-Type: text/html\r\n\r\n");
        form.extend([head.as_bytes(), picture, b"\r\n"].concat());
        form.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = self.request(Method::POST, action).header(CONTENT_TYPE, content_type);
        let request = request.header(ACCEPT, "text/html").body(form);
        Page::of(request.send().await.expect("an answer comes")).await
    }

    /// Votes in the demonstration round.
    pub async fn votes(&self, option: &str) -> Answer {
        self.try_votes(option, None).await.expect("an answer comes")
    }

    /// Votes in the demonstration round, and may get no answer at all.
    pub async fn try_votes(&self, option: &str, ballot: Option<&str>) -> reqwest::Result<Answer> {
        let mut body = json!({ "round": DEMO, "choice": [option] });
        if let Some(ballot) = ballot {
            body["ballot"] = json!(ballot);
        }
        let request = self.ballot(JSON).body(body.to_string());
        Ok(Answer::of(request.send().await?).await)
    }

    /// Votes in a round.
    pub async fn votes_in(&self, round: &str, option: &str) -> Answer {
        self.sends(json!({ "round": round, "choice": [option] }).to_string(), JSON).await
    }

    /// Votes in a round with an invite's code.
    pub async fn votes_with(&self, invite: &str, round: &str, option: &str) -> Answer {
        let body = json!({ "round": round, "choice": [option], "invite": invite });
        self.sends(body.to_string(), JSON).await
    }

    /// Votes as a person would who gets no answer: again and again with the same ballot, until there is one that says
    /// what became of it.
    pub async fn insists(&self, option: &str) -> Answer {
        self.insists_with(option, &uuid()).await
    }

    /// The same, with a ballot that was sent before.
    pub async fn insists_with(&self, option: &str, ballot: &str) -> Answer {
        crate::eventually("an honest voter is answered", || async {
            let answer = self.try_votes(option, Some(ballot)).await.ok()?;
            (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
        })
        .await
    }

    /// Sends anything to `POST /vote`.
    pub async fn sends(&self, body: impl Into<reqwest::Body>, content_type: &str) -> Answer {
        Answer::of(self.ballot(content_type).body(body).send().await.expect("an answer comes")).await
    }

    /// Sends anything with a cookie of one's own making.
    pub async fn sends_with_cookie(&self, body: &str, cookie: &str) -> Answer {
        let request = self.ballot(JSON).body(body.to_owned()).header("Cookie", cookie);
        Answer::of(request.send().await.expect("an answer comes")).await
    }

    /// Votes in the demonstration round as a browser without JavaScript does, and returns where it is led.
    pub async fn submits(&self, option: &str) -> String {
        let page = self.fills_in("/vote/demo", "/vote", &[("round", DEMO), ("choice", option)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        page.location.expect("whoever has voted is led on")
    }

    /// Begins to watch the demonstration round.
    pub async fn watches(&self, last_event_id: Option<&str>) -> Events {
        let mut request = Client::new().get(format!("{}/rounds/demo/events", self.address));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.expect("an answer comes");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Events::of(response)
    }

    /// Begins to follow a stream of events, as whoever this is.
    pub async fn streams(&self, path: &str) -> Events {
        // Without the patience: a stream never ends.
        let request = self.client.get(format!("{}{path}", self.address));
        let request = match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.expect("an answer comes");
        assert_eq!(response.status(), 200, "{path}");
        Events::of(response)
    }

    /// Begins to watch the demonstration round, if it can be watched now.
    pub async fn try_watches(&self) -> Option<Events> {
        // The patience is for the answer to begin: a stream never ends.
        let request = self.client.get(format!("{}/rounds/demo/events", self.address)).send();
        let response = tokio::time::timeout(self.patience, request).await.ok()?.ok()?;
        (response.status() == StatusCode::OK).then(|| Events::of(response))
    }

    /// A request that shows the token, if there is one.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.address)).timeout(self.patience);
        match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn ballot(&self, content_type: &str) -> RequestBuilder {
        let request = self.request(Method::POST, "/vote").header(CONTENT_TYPE, content_type);
        match &self.program {
            Some(id) => request.header("X-Voter-Id", id),
            None => request,
        }
    }
}

/// A new ballot id.
#[expect(clippy::disallowed_methods, reason = "a client makes its own ballot ids")]
fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
