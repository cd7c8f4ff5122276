//! What a person or a program can do.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// How long an answer may take before the voter gives up: longer than the box makes anyone wait.
const PATIENCE: Duration = Duration::from_secs(15);

/// A person with a browser that keeps cookies, or a program that says for whom it votes.
#[derive(Clone, Debug)]
pub struct Voter {
    client: Client,
    address: String,
    program: Option<String>,
    patience: Duration,
}

/// What a voter is told.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Seconds after which to try again.
    pub retry_after: Option<String>,
    /// The body, if it is JSON.
    pub body: Value,
}

impl Voter {
    /// A fresh browser.
    pub fn browser(address: &str) -> Self {
        let client = Client::builder().cookie_store(true).redirect(Policy::none()).build();
        let client = client.expect("a client can be made");
        Self { client, address: address.to_owned(), program: None, patience: PATIENCE }
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
        let page = self.get(path).header(ACCEPT, "text/html").send().await.expect("an answer comes");
        assert_eq!(page.status(), 200, "{path}");
        page.text().await.expect("a page is text")
    }

    /// Opens a page and returns its status; may get no answer at all.
    pub async fn try_opens(&self, path: &str) -> reqwest::Result<StatusCode> {
        Ok(self.get(path).header(ACCEPT, "text/html").send().await?.status())
    }

    /// Asks for JSON, and may get no answer at all.
    pub async fn try_asks(&self, path: &str) -> reqwest::Result<Answer> {
        Ok(Answer::of(self.get(path).send().await?).await)
    }

    /// Asks for JSON.
    pub async fn asks(&self, path: &str) -> Answer {
        Answer::of(self.get(path).send().await.expect("an answer comes")).await
    }

    /// Votes in the demonstration round.
    pub async fn votes(&self, option: &str) -> Answer {
        self.try_votes(option, None).await.expect("an answer comes")
    }

    /// Votes, and may get no answer at all.
    pub async fn try_votes(&self, option: &str, ballot: Option<&str>) -> reqwest::Result<Answer> {
        let mut body = json!({ "round": "demo", "choice": [option] });
        if let Some(ballot) = ballot {
            body["ballot"] = json!(ballot);
        }
        Ok(Answer::of(self.post(body.to_string(), "application/json").send().await?).await)
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
        Answer::of(self.post(body, content_type).send().await.expect("an answer comes")).await
    }

    /// Sends anything with a cookie of one's own making.
    pub async fn sends_with_cookie(&self, body: &str, cookie: &str) -> Answer {
        let request = self.post(body.to_owned(), "application/json").header("Cookie", cookie);
        Answer::of(request.send().await.expect("an answer comes")).await
    }

    /// Sends the form as a browser without JavaScript does, and returns where it is led.
    pub async fn submits(&self, option: &str) -> String {
        let form = format!("round=demo&choice={option}");
        let request = self.post(form, "application/x-www-form-urlencoded").header(ACCEPT, "text/html");
        let answer = request.send().await.expect("an answer comes");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        answer.headers()[LOCATION].to_str().expect("an address is text").to_owned()
    }

    /// Sends a form that cannot be accepted, and returns the status and the page.
    pub async fn submits_wrongly(&self, form: &str) -> (StatusCode, String) {
        let request =
            self.post(form.to_owned(), "application/x-www-form-urlencoded").header(ACCEPT, "text/html");
        let answer = request.send().await.expect("an answer comes");
        (answer.status(), answer.text().await.expect("a page is text"))
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

    /// Begins to watch the demonstration round, if it can be watched now.
    pub async fn try_watches(&self) -> Option<Events> {
        // The patience is for the answer to begin: a stream never ends.
        let request = self.client.get(format!("{}/rounds/demo/events", self.address)).send();
        let response = tokio::time::timeout(self.patience, request).await.ok()?.ok()?;
        (response.status() == StatusCode::OK).then(|| Events::of(response))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.address)).timeout(self.patience)
    }

    fn post(&self, body: impl Into<reqwest::Body>, content_type: &str) -> RequestBuilder {
        let mut request = self
            .client
            .post(format!("{}/vote", self.address))
            .header(CONTENT_TYPE, content_type)
            .timeout(self.patience);
        if let Some(id) = &self.program {
            request = request.header("X-Voter-Id", id);
        }
        request.body(body)
    }
}

/// A new ballot id.
#[expect(clippy::disallowed_methods, reason = "a client makes its own ballot ids")]
fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status();
        let retry_after =
            response.headers().get("Retry-After").and_then(|it| it.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.unwrap_or_default();
        Self { status, retry_after, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Whether the ballot was accepted.
    pub fn is_accepted(&self) -> bool {
        self.status == StatusCode::CREATED
    }
}

/// A stream of server-sent events.
pub struct Events {
    bytes: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Events {
    fn of(response: Response) -> Self {
        Self { bytes: Box::pin(response.bytes_stream()), text: String::new() }
    }

    /// The next block of lines, such as a `retry:` or an event; `None` when the stream has ended.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let bytes = self.bytes.next().await?.ok()?;
            self.text.push_str(std::str::from_utf8(&bytes).expect("events are text"));
        }
    }

    /// The next event: its id and its data.
    pub async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            let block = self.block().await?;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                return Some((id, serde_json::from_str(&data).expect("data is JSON")));
            }
        }
    }

    /// Waits for an event that shows what is wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let (_, data) =
                    self.event().await.unwrap_or_else(|| panic!("the stream ended before {what}"));
                if wanted(&data) {
                    return data;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .unwrap_or_else(|_| panic!("never shown: {what}"))
    }
}
