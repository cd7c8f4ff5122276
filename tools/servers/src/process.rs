//! A program that runs for as long as somebody holds it.

use std::fs::File;
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::memory;

/// Ports that no system gives to outgoing connections: while a server is down, none can take its port.
const PORTS: Range<u16> = 20_000..32_000;
/// The pause between two looks at whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A port of loopback that was free a moment ago, and that this process gets only once.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Programs that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(977);
    let size = u32::from(PORTS.end - PORTS.start);
    for _ in 0..size {
        let offset = begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % size;
        let port = PORTS.start + u16::try_from(offset).expect("an offset below the number of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("loopback has no free port in {PORTS:?}");
}

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program that writes to `log`.
    ///
    /// # Errors
    /// When the log cannot be written or the program cannot be started.
    pub fn start(command: Command, name: &str, log: &Path) -> anyhow::Result<Self> {
        Self::start_telling(command, name, log, log)
    }

    /// Starts a program that writes its errors and its log to `log`, and what is for people to `told`.
    ///
    /// # Errors
    /// As with [`Process::start`].
    pub fn start_telling(mut command: Command, name: &str, log: &Path, told: &Path) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let opened = File::options().create(true).append(true).open(path);
            opened.with_context(|| format!("failed to open {}", path.display()))
        };
        command.stdin(Stdio::null()).stdout(open(told)?).stderr(open(log)?);
        let program = command.get_program().display().to_string();
        let child = command.spawn().with_context(|| format!("failed to start {name} ({program})"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process has ended and was waited for.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal).unwrap_or_else(|fault| panic!("failed to signal {}: {fault}", self.name));
    }

    /// Sends a signal to it, and then to every process that it has started.
    pub(crate) fn signal_family(&self, signal: Signal) {
        self.signal(signal);
        for child in memory::children_of(self.id()) {
            // It may have ended since.
            let _ = send(child, signal);
        }
    }

    /// Its resident memory in bytes; `None` when it is gone.
    pub fn memory(&self) -> Option<u64> {
        memory::resident(self.id())
    }

    /// Kills it without warning and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits for its status.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub async fn stop(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("failed to wait for a process")? {
                return Ok(status);
            }
            if asked.elapsed() > within {
                bail!("{} did not stop within {within:?}", self.name);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How it has ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

fn send(process: u32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(i32::try_from(process).expect("a process id is small")), signal)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
