//! One client that remembers what it was told, and insists on being told what became of its request.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::args::Target;
use crate::http::Connection;
use crate::statistics::Latencies;

/// The pause before a request is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How many letters of a wrong answer are kept.
const WORDS_MAX: usize = 200;

/// What clients were told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Answers as expected.
    pub accepted: u64,
    /// Answers that say that it is too busy now. The requests were sent again.
    pub turned_away: u64,
    /// Requests without an answer, because the connection ended. They were sent again.
    pub unanswered: u64,
    /// Requests of which nobody said in time what became of them.
    pub unsettled: u64,
    /// Other answers, such as the 429 of a limit: whoever came back later would measure the limit.
    pub wrong: u64,
    /// The first of them.
    pub first_wrong: Option<String>,
    /// From a request to the answer that was expected.
    pub latencies: Latencies,
}

/// A client on a connection of its own.
pub struct Client {
    target: Target,
    connection: Option<Connection>,
    expected: u16,
    /// What it was told.
    pub told: Told,
}

impl Told {
    /// Takes in what somebody else was told.
    pub fn take(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.turned_away += other.turned_away;
        self.unanswered += other.unanswered;
        self.unsettled += other.unsettled;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        self.latencies.take(other.latencies);
    }
}

impl Client {
    /// Connects a client that expects answers of this status.
    pub async fn connect(target: &Target, expected: u16) -> std::io::Result<Self> {
        let connection = Some(Connection::to(target).await?);
        Ok(Self { target: target.clone(), connection, expected, told: Told::default() })
    }

    /// Sends a request until an answer says what became of it.
    pub async fn settle(&mut self, request: &[u8]) {
        let begin = Instant::now();
        loop {
            match self.ask(request).await {
                Ok(status) if status == self.expected => {
                    self.told.accepted += 1;
                    self.told.latencies.note(begin.elapsed());
                    return;
                }
                Ok(503) => self.told.turned_away += 1,
                Ok(status) => return self.note_wrong(status),
                Err(_) => {
                    self.told.unanswered += 1;
                    self.connection = None;
                }
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    /// The body of the newest answer.
    pub fn body(&self) -> &[u8] {
        self.connection.as_ref().map(Connection::body).unwrap_or_default()
    }

    async fn ask(&mut self, request: &[u8]) -> std::io::Result<u16> {
        if let Some(connection) = &mut self.connection {
            return connection.ask(request).await;
        }
        self.connection.insert(Connection::to(&self.target).await?).ask(request).await
    }

    fn note_wrong(&mut self, status: u16) {
        self.told.wrong += 1;
        if self.told.first_wrong.is_none() {
            let words: String = String::from_utf8_lossy(self.body()).chars().take(WORDS_MAX).collect();
            self.told.first_wrong = Some(format!("{status} {words}"));
        }
    }
}
