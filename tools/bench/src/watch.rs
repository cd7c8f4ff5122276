//! Browsers that watch a round, and how long a ballot takes to each of them.
//!
//! A ballot's answer says at which sequence of the log it lies. It is shown by the first event whose id is not
//! smaller.

use std::future::poll_fn;
use std::io::BufRead;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
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
/// How much is read at once.
const ROOM: usize = 2_048;
/// How much of a line is looked at.
const LINE: usize = 32;
/// The pause between two looks at all streams.
const READ_EVERY: Duration = Duration::from_millis(4);

/// What one watcher has seen: ids of events, in order, and when they came.
type Seen = Vec<(u64, Instant)>;

/// Open streams of events.
pub struct Watchers {
    seen: Vec<Arc<Mutex<Seen>>>,
    _reader: Reader,
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
        let reader = Reader::start()?;
        let request: Arc<[u8]> = get(target, &format!("/rounds/{round}/events")).into();
        let few = Arc::new(Semaphore::new(OPENING));
        let mut opening = JoinSet::new();
        for _ in 0..number {
            let (target, request, few) = (target.clone(), Arc::clone(&request), Arc::clone(&few));
            let open = async move {
                let _turn = few.acquire_owned().await?;
                let opened = Connection::to(&target).await?.stream(&request).await?;
                anyhow::Ok(opened)
            };
            opening.spawn_on(open, reader.handle());
        }
        let mut all = Vec::with_capacity(number);
        while let Some(opened) = opening.join_next().await {
            let (status, stream, begin) = opened?.context("failed to open a stream of events")?;
            ensure!(status == 200, "a stream of events was answered with status {status}");
            let seen = Arc::new(Mutex::new(Seen::new()));
            reader.handle().spawn(watch(stream, begin, Arc::clone(&seen)));
            all.push(seen);
        }
        Ok(Self { seen: all, _reader: reader })
    }

    /// Waits until every watcher was shown the last of these ballots, and tells how long each ballot took to each.
    pub async fn end(self, cast: &[Cast]) -> Watched {
        let newest = cast.iter().map(|cast| cast.sequence).max().unwrap_or(0);
        let begin = Instant::now();
        while begin.elapsed() < SHOWN_WITHIN
            && !self.seen.iter().all(|seen| shown_at(&held(seen), newest).is_some())
        {
            sleep(LOOK_EVERY).await;
        }
        let mut watched = Watched { latencies: Latencies::default(), missed: 0 };
        for seen in &self.seen {
            let seen = held(seen);
            for cast in cast {
                match shown_at(&seen, cast.sequence) {
                    Some(at) => watched.latencies.note(at.saturating_duration_since(cast.at)),
                    None => watched.missed += 1,
                }
            }
        }
        watched
    }
}

/// The thread that reads all streams.
///
/// The watchers are on the machine that is measured, where they would not be. So they take as little of it as they can:
/// this thread looks at all streams together and sleeps in between, so that few events have to wake it. Each is seen late
/// by up to [`READ_EVERY`] and by the time that the others take, and that counts as its sender's delay.
struct Reader(Option<Runtime>);

impl Reader {
    fn start() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .on_thread_park(|| std::thread::sleep(READ_EVERY))
            .build();
        Ok(Self(Some(runtime.context("failed to start a thread for watchers")?)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until it is dropped").handle()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It is dropped by a thread that must not wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn watch(mut stream: TcpStream, begin: Vec<u8>, seen: Arc<Mutex<Seen>>) {
    let mut lines = Lines::default();
    lines.read(&begin, |id| held(&seen).push((id, Instant::now())));
    let mut read = |context: &mut Context<'_>| {
        // All watchers read into the same place: with room of its own for each, none of it would be in the cache.
        let mut room = [0; ROOM];
        let mut room = ReadBuf::new(&mut room);
        let read = ready!(Pin::new(&mut stream).poll_read(context, &mut room));
        let now = Instant::now();
        lines.read(room.filled(), |id| held(&seen).push((id, now)));
        Poll::Ready(read.is_ok() && !room.filled().is_empty())
    };
    while poll_fn(&mut read).await {}
}

fn held(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().expect("no watcher panics")
}

/// When the ballot at this sequence was shown.
fn shown_at(seen: &[(u64, Instant)], sequence: u64) -> Option<Instant> {
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
    fn read(&mut self, mut piece: &[u8], mut id: impl FnMut(u64)) {
        while !piece.is_empty() {
            let before = piece;
            let length = piece.skip_until(b'\n').expect("bytes can be read");
            let (part, has_end) = match before[..length].strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (before, false),
            };
            // Longer lines hold no id.
            self.line.extend(part.iter().take(LINE - self.line.len()));
            if has_end {
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
