//! What a watcher is sent.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Response;
use serde_json::Value;

/// A stream of server-sent events.
pub struct Events {
    bytes: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Events {
    pub(super) fn of(response: Response) -> Self {
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
