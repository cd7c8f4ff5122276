//! Watchers of the result, who come back whenever the stream ends, and look at every event.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use urna_world::Voter;

/// The pause before a watcher whose stream has ended comes back.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long the beginning of a stream may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Watchers, one for each result process. They leave when this is dropped.
pub struct Watchers {
    seen: Vec<Arc<Mutex<Watched>>>,
    _watching: JoinSet<()>,
}

/// What a watcher has seen.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The sequence of the newest event.
    pub sequence: u64,
    /// How many events.
    pub events: usize,
    /// What must not be shown.
    pub faults: Vec<String>,
}

impl Watchers {
    /// Begins to watch at these addresses.
    pub fn begin(addresses: &[String]) -> Self {
        let (mut seen, mut watching) = (Vec::new(), JoinSet::new());
        for address in addresses {
            let watched = Arc::new(Mutex::new(Watched::default()));
            seen.push(Arc::clone(&watched));
            watching.spawn(watch(Voter::browser(address).patient_for(PATIENCE), watched));
        }
        Self { seen, _watching: watching }
    }

    /// What each has seen so far.
    pub fn seen(&self) -> Vec<Watched> {
        self.seen.iter().map(|seen| seen.lock().expect("no watcher panics").clone()).collect()
    }
}

async fn watch(voter: Voter, watched: Arc<Mutex<Watched>>) {
    loop {
        if let Some(mut events) = voter.try_watches().await {
            let mut last = 0;
            while let Some((_, data)) = events.event().await {
                let mut watched = watched.lock().expect("no watcher panics");
                watched.take(&data, last);
                last = watched.sequence;
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

impl Watched {
    /// Looks at an event that came after one of sequence `last`.
    fn take(&mut self, data: &Value, last: u64) {
        let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
        let ledger = |name: &str| number(&data["ledger"][name]);
        let sequence = number(&data["sequence"]);
        self.events += 1;
        self.sequence = sequence;
        if sequence < last {
            self.faults.push(format!("watchers saw {sequence} after {last}"));
        }
        if ledger("accepted") != ledger("counted").saturating_add(ledger("replaced")) {
            self.faults.push(format!("watchers saw a ledger that does not balance: {}", data["ledger"]));
        }
        let lines = data["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
        let votes: u64 = lines.iter().map(|line| line["votes"].as_u64().unwrap_or_default()).sum();
        if votes != number(&data["total"]) || votes != ledger("counted") {
            self.faults.push(format!("watchers saw votes that do not add up: {data}"));
        }
    }
}
