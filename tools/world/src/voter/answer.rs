//! What a voter is told: JSON for programs, pages for browsers.

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER, SET_COOKIE};
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// What a voter is told in JSON.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Seconds after which to try again.
    pub retry_after: Option<String>,
    /// The body, if it is JSON.
    pub body: Value,
}

/// What a browser is shown.
#[derive(Clone, Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: StatusCode,
    /// Where the browser is led instead.
    pub location: Option<String>,
    /// The cookies that are set, each as its header has it.
    pub cookies: Vec<String>,
    /// What is on the page.
    pub html: String,
}

impl Answer {
    pub(super) async fn of(response: Response) -> Self {
        let status = response.status();
        let retry_after = text(response.headers(), RETRY_AFTER.as_str());
        let body = response.bytes().await.unwrap_or_default();
        Self { status, retry_after, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Whether the ballot was accepted.
    pub fn is_accepted(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    /// What kind of problem it is, such as `already-voted`; empty when it is none.
    pub fn kind(&self) -> &str {
        let urn = self.body["type"].as_str().unwrap_or_default();
        urn.strip_prefix("urn:urna:").unwrap_or_default()
    }
}

impl Page {
    pub(super) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers());
        let location = text(headers, LOCATION.as_str());
        let set = headers.get_all(SET_COOKIE).iter();
        let cookies = set.map(|cookie| cookie.to_str().expect("a cookie is text").to_owned()).collect();
        Self { status, location, cookies, html: response.text().await.unwrap_or_default() }
    }

    /// What the form on this page must carry to be taken for one of ours; `None` when there is no form.
    pub fn csrf(&self) -> Option<String> {
        let (_, field) = self.html.split_once("name=\"csrf\" value=\"")?;
        let (value, _) = field.split_once('"')?;
        Some(value.to_owned())
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
