//! `make dev`: builds Urna and runs it, and builds and starts it again when its sources change.
//!
//! While a build runs or after one that failed, the process from the last good build goes on. Pages and static files are
//! not built again: the process reads them from their folder.
//!
//! - [`cargo`] building
//! - [`sources`] what was built, and whether it has changed

mod cargo;
mod sources;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use clap::Parser;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::sources::{Sources, files_of};

/// The pause between two looks at the sources.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long a process may take to stop. Urna takes 9 s at most.
const STOPS_WITHIN: Duration = Duration::from_secs(12);

/// Builds the program `urna` of the workspace in the current folder and runs it, and builds and starts it again when
/// its sources change. Needs the addresses of the servers in the environment: use `make dev`
#[derive(Clone, Debug, Parser)]
#[command(name = "urna-dev", version)]
pub struct Settings {
    /// Where cargo puts what it builds
    #[arg(long, env = "CARGO_TARGET_DIR", default_value = "target")]
    pub target_dir: PathBuf,

    /// The folder whose pages/ and static/ the process reads by itself
    #[arg(long, default_value = "templates")]
    pub templates: PathBuf,
}

impl Settings {
    fn built(&self, file: &str) -> PathBuf {
        self.target_dir.join("debug").join(file)
    }

    /// What the program is built from, but for what the running process reads by itself.
    fn sources(&self) -> anyhow::Result<BTreeSet<PathBuf>> {
        let workspace = PathBuf::from(".").canonicalize().context("failed to find the current folder")?;
        let templates = workspace.join(&self.templates);
        let read_by_itself = ["pages", "static"].map(|folder| templates.join(folder));
        let mut files = files_of(&self.built("urna.d"), &workspace);
        files.retain(|file| read_by_itself.iter().all(|folder| !file.starts_with(folder)));
        Ok(files)
    }
}

/// Builds and runs Urna until this process is told to stop.
///
/// # Errors
/// When cargo or a program that it has built cannot be started.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut running = Running { settings, program: None, urna: None };
    let outcome = tokio::select! {
        outcome = running.follow_sources() => outcome.map(|never| match never {}),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    running.stop().await;
    outcome
}

/// The process, if there is one.
struct Running<'a> {
    settings: &'a Settings,
    /// When the program that was started last was built.
    program: Option<SystemTime>,
    urna: Option<Child>,
}

impl Running<'_> {
    async fn follow_sources(&mut self) -> anyhow::Result<Infallible> {
        loop {
            let before = Sources::now(self.settings.sources()?);
            let began = now();
            if self.build().await? {
                self.restart().await?;
            }
            let built = Sources::now(self.settings.sources()?).before(&before, began);
            self.until_changed(&built).await?;
        }
    }

    /// Whether there is a program now that is built from the sources.
    async fn build(&self) -> anyhow::Result<bool> {
        let began = Instant::now();
        let is_built = cargo::build(&self.settings.target_dir).await?;
        let goes_on = if self.urna.is_some() { "the process from before goes on" } else { "nothing runs" };
        match is_built {
            true => say(&format!("built in {:.1} s", began.elapsed().as_secs_f64())),
            false => say(&format!("the build failed, and {goes_on}; the next change is built again")),
        }
        Ok(is_built)
    }

    /// Starts the program, unless it is the one that runs.
    async fn restart(&mut self) -> anyhow::Result<()> {
        let path = self.settings.built("urna");
        let program = path.metadata().and_then(|metadata| metadata.modified());
        let program = program.with_context(|| format!("failed to find {}", path.display()))?;
        if self.urna.is_some() && self.program == Some(program) {
            return Ok(());
        }
        self.stop().await;
        let mut command = Command::new(&path);
        command.env("URNA_DEV_TEMPLATES", &self.settings.templates).stdin(Stdio::null()).kill_on_drop(true);
        let started = command.spawn().with_context(|| format!("failed to start {}", path.display()))?;
        (self.program, self.urna) = (Some(program), Some(started));
        Ok(())
    }

    async fn until_changed(&mut self, built: &Sources) -> anyhow::Result<()> {
        while !built.have_changed() {
            tokio::time::sleep(LOOK_EVERY).await;
            self.notice_end()?;
        }
        Ok(())
    }

    /// Says so when the process has ended by itself.
    fn notice_end(&mut self) -> anyhow::Result<()> {
        let Some(urna) = &mut self.urna else { return Ok(()) };
        if let Some(status) = urna.try_wait().context("failed to look at the process")? {
            say(&format!("urna has ended ({status}); it starts again after the next change"));
            self.urna = None;
        }
        Ok(())
    }

    /// Asks the process to stop, waits until it has, and kills it when that takes too long.
    async fn stop(&mut self) {
        let Some(mut urna) = self.urna.take() else { return };
        let Some(process) = urna.id().and_then(|id| i32::try_from(id).ok()) else { return };
        // It may have ended by itself, or have got the terminal's Ctrl-C as we did.
        let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
        if tokio::time::timeout(STOPS_WITHIN, urna.wait()).await.is_err() {
            say("urna does not stop: killing it");
            let _ = urna.kill().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it is compared with the times of files")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Tells the developer, beside what cargo and Urna write.
pub(crate) fn say(words: &str) {
    eprintln!("dev: {words}");
}
