//! What the machine itself can do.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::statistics::Latencies;

/// How many writes are synced.
const WRITES: usize = 200;
/// How large each is, in bytes.
const SIZE: usize = 4_096;
/// Open files beside those of the watchers, in any of our processes.
const BESIDE: u64 = 1_024;

/// What it costs to write 4 KiB to a new file of this folder and wait for the disk: the median, in milliseconds.
///
/// # Errors
/// When the folder cannot be written to.
pub fn fsync(folder: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("fsync")).context("failed to make a file")?;
    let mut latencies = Latencies::default();
    for _ in 0..WRITES {
        let begin = Instant::now();
        file.write_all(&[b'x'; SIZE]).context("failed to write a file")?;
        file.sync_data().context("failed to sync a file")?;
        latencies.note(begin.elapsed());
    }
    latencies.quantile(0.5).context("failed to time a sync")
}

/// How many of so many watchers the limit of open files lets us have, when we have one or both ends of each. It is raised
/// as far as it goes, for us and for what we start.
pub fn allow_watchers(watchers: usize, ends: usize) -> usize {
    let needed = (ends * watchers) as u64 + BESIDE;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return watchers };
    let raised = needed.min(hard);
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, raised.max(soft), hard) {
        Ok(()) => raised.max(soft),
        Err(_) => soft,
    };
    watchers.min(usize::try_from(limit.saturating_sub(BESIDE)).unwrap_or(usize::MAX) / ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_may_always_watch_and_never_more_than_asked_for() {
        assert_eq!(allow_watchers(10, 2), 10);
        assert!(allow_watchers(usize::MAX / 4, 1) < usize::MAX / 4);
        assert!(allow_watchers(usize::MAX / 4, 2) <= allow_watchers(usize::MAX / 4, 1) / 2);
    }
}
