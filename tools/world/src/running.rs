//! What runs behind a name: one process, or one for each actor with a gateway before them.

use std::process::ExitStatus;
use std::time::Duration;

use futures_util::future::try_join_all;
use nix::sys::signal::Signal;
use urna_servers::Process;

use crate::gateway::Gateway;

/// The processes behind one address.
pub struct Running {
    /// Where it listens on loopback.
    pub(crate) port: u16,
    pub(crate) parts: Vec<Part>,
    /// Only before several processes.
    pub(crate) gateway: Option<Gateway>,
}

/// One process.
pub(crate) struct Part {
    /// The name of its binary.
    pub program: String,
    pub process: Process,
}

impl Running {
    /// Sends a signal to each.
    ///
    /// # Panics
    /// When one has ended and was waited for.
    pub fn signal(&self, signal: Signal) {
        self.parts.iter().for_each(|part| part.process.signal(signal));
    }

    /// Kills each without warning and waits until it is gone. Connections to the address are refused.
    pub fn kill(&mut self) {
        self.parts.iter_mut().for_each(|part| part.process.kill());
        self.gateway = None;
    }

    /// Asks each to stop, and waits for the status: the first that is not success, if there is one.
    ///
    /// # Errors
    /// When one does not stop in time.
    pub async fn stop(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let stops = self.parts.iter_mut().map(|part| part.process.stop(within));
        let statuses = try_join_all(stops).await?;
        Ok(statuses.into_iter().fold(ExitStatus::default(), worse))
    }

    /// Whether none has ended.
    pub fn is_running(&mut self) -> bool {
        self.parts.iter_mut().all(|part| part.process.is_running())
    }

    /// How it has ended: the first that has; `None` while all run.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.parts.iter_mut().find_map(|part| part.process.ended())
    }

    /// The resident memory of all together in bytes; `None` when they are gone.
    pub fn memory(&self) -> Option<u64> {
        self.parts.iter().filter_map(|part| part.process.memory()).reduce(|sum, bytes| sum + bytes)
    }

    /// Whether one of them counts ballots.
    pub(crate) fn counts(&self) -> bool {
        let counts = |part: &Part| matches!(part.program.as_str(), "urna" | "tally");
        self.parts.iter().any(|part| counts(part) && part.process.memory().is_some())
    }
}

fn worse(known: ExitStatus, other: ExitStatus) -> ExitStatus {
    if known.success() { other } else { known }
}
