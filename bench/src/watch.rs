//! Browsers that watch a round, and how long a ballot takes to each of them.
//!
//! A ballot's answer says at which sequence of the log it lies. It is shown by the first event whose id is not
//! smaller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::args::Target;
use crate::http::{Connection, get};
use crate::pace::Cast;
use crate::statistics::Latencies;

/// How many connections are opened at once.
const OPENING: usize = 64;
/// How long the last ballot may take to the last watcher.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// The pause between two looks at whether it has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How much is read at once: ten thousand watchers have so much each.
const ROOM: usize = 2_048;

/// How much of a line is looked at.
const LINE: usize = 32;

/// What one watcher has seen: ids of events, in order, and when they came.
type Seen = Vec<(u64, Instant)>;

/// Open streams of events.
pub struct Watchers {
    tasks: JoinSet<Seen>,
    /// Who has seen an event of this id or a later one ends.
    last: watch::Sender<Option<u64>>,
}

/// How the watchers fared.
pub struct Watched {
    /// From a ballot to each watcher.
    pub latencies: Latencies,
    /// Ballots that a watcher was not shown, one for each watcher.
    pub missed: u64,
}

impl Watchers {
    /// Opens so many streams, and returns when all of them are open.
    ///
    /// # Errors
    /// When one of them cannot be opened.
    pub async fn open(target: &Target, round: &str, number: usize) -> anyhow::Result<Self> {
        let request: Arc<[u8]> = get(target, &format!("/rounds/{round}/events")).into();
        let few = Arc::new(Semaphore::new(OPENING));
        let mut opening = JoinSet::new();
        for _ in 0..number {
            let (target, request, few) = (target.clone(), Arc::clone(&request), Arc::clone(&few));
            opening.spawn(async move {
                let _turn = few.acquire_owned().await?;
                let opened = Connection::to(&target).await?.stream(&request).await?;
                anyhow::Ok(opened)
            });
        }
        let (last, _) = watch::channel(None);
        let mut tasks = JoinSet::new();
        while let Some(opened) = opening.join_next().await {
            let (status, stream, begin) = opened?.context("failed to open a stream of events")?;
            ensure!(status == 200, "a stream of events was answered with status {status}");
            tasks.spawn(watch(stream, begin, last.subscribe()));
        }
        Ok(Self { tasks, last })
    }

    /// Waits until every watcher was shown the last of these ballots, and tells how long each ballot took to each.
    pub async fn end(self, cast: &[Cast]) -> Watched {
        let newest = cast.iter().map(|cast| cast.sequence).max().unwrap_or(0);
        self.last.send_replace(Some(newest));
        let mut watched = Watched { latencies: Latencies::default(), missed: 0 };
        let mut tasks = self.tasks;
        while let Some(ended) = tasks.join_next().await {
            for cast in cast {
                match ended.as_ref().ok().and_then(|seen| shown_at(seen, cast.sequence)) {
                    Some(at) => watched.latencies.note(at.saturating_duration_since(cast.at)),
                    None => watched.missed += 1,
                }
            }
        }
        watched
    }
}

async fn watch(mut stream: TcpStream, begin: Vec<u8>, last: watch::Receiver<Option<u64>>) -> Seen {
    let (mut seen, mut lines, mut room) = (Vec::new(), Lines::default(), vec![0; ROOM]);
    let told = told(last.clone());
    tokio::pin!(told);
    lines.read(&begin, |id| seen.push((id, Instant::now())));
    let mut waited = Duration::ZERO;
    while waited < SHOWN_WITHIN {
        let awaited = *last.borrow();
        if awaited.is_some_and(|awaited| seen.last().is_some_and(|(id, _)| *id >= awaited)) {
            break;
        }
        tokio::select! {
            read = stream.read(&mut room) => {
                let now = Instant::now();
                let Ok(length @ 1..) = read else { break };
                lines.read(&room[..length], |id| seen.push((id, now)));
            }
            // Only once somebody waits for the end.
            () = sleep(LOOK_EVERY), if awaited.is_some() => waited += LOOK_EVERY,
            () = &mut told, if awaited.is_none() => {
                if last.borrow().is_none() {
                    break;
                }
            }
        }
    }
    seen
}

/// Returns when the last ballot is known, or nobody will say any more which it is.
async fn told(mut last: watch::Receiver<Option<u64>>) {
    let _ = last.wait_for(Option::is_some).await;
}

/// When the ballot at this sequence was shown.
fn shown_at(seen: &Seen, sequence: u64) -> Option<Instant> {
    let first = seen.partition_point(|(id, _)| *id < sequence);
    seen.get(first).map(|(_, at)| *at)
}

/// Finds the lines `id: …` in what comes in pieces. The marks of a chunked transfer are lines of their own, because an
/// event is never cut by its sender.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn read(&mut self, piece: &[u8], mut id: impl FnMut(u64)) {
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            // Longer lines hold no id.
            self.line.extend(part.iter().take(LINE - self.line.len()));
            if parts.peek().is_some() {
                if let Some(number) = id_of(&self.line) {
                    id(number);
                }
                self.line.clear();
            }
        }
    }
}

fn id_of(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line).ok()?.strip_prefix("id: ")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] =
        b"d\r\nretry: 2000\n\n\r\n2a\r\nid: 41\nevent: result\ndata: {\"title\":\"x\"}\n\n\r\n9\r\nid: 42\n\n\r\n";

    #[test]
    fn ids_are_found_however_the_bytes_come() {
        for size in 1..STREAM.len() {
            let (mut lines, mut ids) = (Lines::default(), Vec::new());
            for piece in STREAM.chunks(size) {
                lines.read(piece, |id| ids.push(id));
            }
            assert_eq!(ids, [41, 42], "in pieces of {size}");
        }
    }

    #[test]
    fn a_ballot_is_shown_by_the_first_event_that_is_not_before_it() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let seen = vec![(3, at(1)), (7, at(2))];
        assert_eq!(shown_at(&seen, 3), Some(at(1)));
        assert_eq!(shown_at(&seen, 4), Some(at(2)));
        assert_eq!(shown_at(&seen, 8), None);
    }
}
