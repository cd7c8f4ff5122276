//! Servers and an Urna of one's own, in a temporary folder and on free ports of loopback; gone when dropped.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use subjects::RoundId;
use tempfile::TempDir;
use tokio::time::sleep;
use urna_servers::{Durability, Process, Server, Tls, free_port};

use crate::args::{Programs, Setting, Target};
use crate::{http, users};

/// The secret of an Urna that lives for some minutes on loopback.
const SECRET: &str = "only-for-the-benchmark-only-for-the-benchmark";
/// The limits that are lifted: the load is one address of the network, which may cast 6,000 ballots a minute, and what
/// is to be measured is Urna.
const LIFTED: [(&str, &str); 2] = [("URNA_LIMIT_VOTES_BY_ADDRESS", "0"), ("URNA_LIMIT_VOTES_BY_VOTER", "0")];
/// How long servers and Urna may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long Urna may take to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a log is shown when something fails.
const LINES: usize = 20;

/// A running system.
pub struct System {
    urna: Option<Process>,
    nats: Server,
    tls: Option<Tls>,
    postgres: Server,
    redis: Server,
    port: u16,
    program: PathBuf,
    settings: Vec<Setting>,
    /// Gone last, when nobody writes there any more.
    folder: TempDir,
}

/// A second Urna, beside the first.
pub struct Second {
    urna: Process,
    /// Where it answers.
    pub target: Target,
}

/// What `urna recount` says of one round.
#[derive(Deserialize)]
struct Recounted {
    agrees: bool,
}

impl System {
    /// Starts all of it, and waits until it is ready.
    ///
    /// # Errors
    /// When a part cannot be started.
    pub async fn start(
        programs: &Programs,
        durability: Durability,
        settings: &[Setting],
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a temporary folder")?;
        // The user postgres must be able to pass through.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        let tls = programs.tls.then(|| Tls::new(&folder.path().join("tls"))).transpose()?;
        let block = tls.as_ref().map(Tls::of_clients).unwrap_or_default();
        let configuration = format!("{}\n{block}\n", users::configuration());
        let mut system = Self {
            urna: None,
            nats: Server::nats(&programs.servers, &folder.path().join("nats"), durability, &configuration)?,
            tls,
            postgres: Server::postgres(&programs.servers, folder.path(), Durability::Synced)?,
            redis: Server::redis(&programs.servers, folder.path(), &users::of_redis(), None)?,
            port: free_port(),
            program: programs.urna.clone(),
            settings: settings.to_vec(),
            folder,
        };
        users::write_credentials(&system.credentials())?;
        system.deploy().await?;
        system.launch()?;
        let (target, log) = (system.target()?, system.log());
        if let Some(urna) = &mut system.urna {
            ready(&target, urna, &log).await?;
        }
        Ok(system)
    }

    /// Creates what the servers must have before Urna starts.
    async fn deploy(&self) -> anyhow::Result<()> {
        let mut command = tokio::process::Command::from(self.command());
        // The benchmark's own role owns the server.
        command.env("DATABASE_URL", self.database_url());
        let deployed = command.arg("deploy").output().await.context("failed to start `urna deploy`")?;
        let why = || format!("`urna deploy` failed: {}", String::from_utf8_lossy(&deployed.stderr));
        deployed.status.success().then_some(()).with_context(why)
    }

    fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    /// Starts Urna, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self) -> anyhow::Result<()> {
        self.urna = Some(Process::start(self.urna(self.port), "urna", &self.log())?);
        Ok(())
    }

    /// Starts an Urna beside the first one, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn second(&self) -> anyhow::Result<Second> {
        let (port, log) = (free_port(), self.folder.path().join("second.log"));
        let mut urna = Process::start(self.urna(port), "urna", &log)?;
        let target: Target = format!("http://127.0.0.1:{port}").parse()?;
        ready(&target, &mut urna, &log).await?;
        Ok(Second { urna, target })
    }

    /// Stops Urna.
    ///
    /// # Errors
    /// When it does not stop by itself.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut urna) = self.urna.take() {
            urna.stop(STOPS_WITHIN).await?;
        }
        Ok(())
    }

    /// Where Urna answers.
    ///
    /// # Errors
    /// Never: loopback has an address.
    pub fn target(&self) -> anyhow::Result<Target> {
        format!("http://127.0.0.1:{}", self.port).parse()
    }

    /// Where NATS is.
    pub fn nats_url(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        format!("{scheme}://127.0.0.1:{}", self.nats.port)
    }

    /// How the benchmark itself connects to NATS.
    pub fn nats_options(&self) -> async_nats::ConnectOptions {
        match &self.tls {
            Some(tls) => users::bench().add_root_certificates(tls.authority.clone()),
            None => users::bench(),
        }
    }

    /// Where PostgreSQL is.
    pub fn database_url(&self) -> String {
        format!("postgres://urna@127.0.0.1:{}/postgres", self.postgres.port)
    }

    /// Where all data lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The memory of Urna, in MiB.
    pub fn memory(&self) -> Option<f64> {
        let bytes = self.urna.as_ref()?.memory()?;
        Some(bytes as f64 / (1024.0 * 1024.0))
    }

    /// Counts a round again from its log alone. Returns how long that took, and whether log and scoreboard agree.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn recount(&self, round: &RoundId) -> anyhow::Result<(Duration, bool)> {
        let mut command = tokio::process::Command::from(self.command());
        command.args(["recount", "--format", "json", "--round", round.as_str()]);
        let begin = Instant::now();
        let told = command.output().await.context("failed to start a recount")?;
        let took = begin.elapsed();
        let recounted: Vec<Recounted> = serde_json::from_slice(&told.stdout)
            .with_context(|| format!("failed to recount: {}", String::from_utf8_lossy(&told.stderr)))?;
        Ok((took, recounted.iter().all(|round| round.agrees)))
    }

    /// Urna, with the addresses of the servers and nothing else of this process's environment.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("NATS_URL", self.nats_url())
            .env("URNA_CREDENTIALS", self.credentials())
            .env("DATABASE_URL", format!("postgres://127.0.0.1:{}/postgres", self.postgres.port))
            .env("REDIS_URL", format!("redis://127.0.0.1:{}/", self.redis.port));
        command.envs(self.tls.iter().map(|tls| ("NATS_CA", &tls.authority)));
        command
    }

    /// An Urna that answers at this port.
    fn urna(&self, port: u16) -> Command {
        let mut command = self.command();
        command.env("URNA_HTTP_ADDR", format!("127.0.0.1:{port}")).env("URNA_SECRET", SECRET);
        command.envs(LIFTED).envs(self.settings.iter().map(|setting| (&setting.name, &setting.value)));
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("urna.log")
    }
}

impl Second {
    /// Stops it.
    ///
    /// # Errors
    /// When it does not stop by itself.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.urna.stop(STOPS_WITHIN).await.map(|_| ())
    }
}

async fn ready(target: &Target, urna: &mut Process, log: &Path) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        if http::get_once(target, "/health").await.is_ok_and(|(status, _)| status == 200) {
            return Ok(());
        }
        if !urna.is_running() || begin.elapsed() > READY_WITHIN {
            bail!("urna did not become ready. The end of its log:\n{}", last_words(log));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn last_words(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
