//! A world of one test's own: a nats-server, a PostgreSQL, a Redis, and the processes it starts.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer};
use async_nats::{ConnectOptions, ServerAddr};
use futures_util::TryStreamExt;
use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};
use tempfile::TempDir;

use crate::processes::{Process, Server, binary, free_port};
use crate::voter::Voter;

/// How long anything that must happen may take.
const WITHIN: Duration = Duration::from_secs(30);
/// How long an answer to a test's own question may take, before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The secret of every process of a world.
const SECRET: &str = "only-for-tests-only-for-tests-only-for-tests";

/// Servers and processes of one test's own.
pub struct World {
    /// The nats-server; in a cluster, its first node.
    pub nats: Server,
    /// The other nodes of a cluster.
    pub(crate) peers: Vec<Server>,
    /// The PostgreSQL.
    pub postgres: Server,
    /// The Redis.
    pub redis: Server,
    processes: HashMap<String, Running>,
    is_closed: bool,
    /// Gone last, when nobody writes there any more.
    folder: TempDir,
}

struct Running {
    process: Process,
    port: u16,
}

/// Asks until the answer is `Some`, and panics with `what` when it never is.
pub async fn eventually<T, A: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> A) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begin.elapsed() < WITHIN, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl World {
    /// Servers that answer, and no process yet.
    pub async fn new() -> Self {
        Self::on(|folder| (Server::nats(folder), Vec::new())).await
    }

    /// The same on nats-servers of the caller's choice.
    pub(crate) async fn on(nats: impl FnOnce(&Path) -> (Server, Vec<Server>)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // The user postgres must be able to pass through.
        let passable = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), passable).expect("a folder's mode can be set");
        let (nats, peers) = nats(folder.path());
        let mut postgres = Server::postgres(folder.path());
        postgres.start();
        let redis = Server::redis(folder.path());
        let processes = HashMap::new();
        let world = Self { nats, peers, postgres, redis, processes, is_closed: false, folder };
        world.servers_answer().await;
        world
    }

    /// The usual world: the whole of Urna in one process, with the demonstration round open.
    pub async fn with_urna() -> Self {
        let mut world = Self::new().await;
        world.start("urna").await;
        world
    }

    /// Waits until both servers answer.
    pub async fn servers_answer(&self) {
        eventually("the nats-server answers", || async {
            self.jetstream().await.ok()?.query_account().await.ok()
        })
        .await;
        let url = self.database_url();
        eventually("postgres answers", || async { PgConnection::connect(&url).await.ok() }).await;
    }

    /// Where NATS is: one address, or those of a cluster separated by commas.
    pub fn nats_url(&self) -> String {
        let addresses: Vec<String> = self.nodes().map(|node| node_url(node.port)).collect();
        addresses.join(",")
    }

    /// Every nats-server.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.nats).chain(&self.peers)
    }

    /// Where Postgres is.
    pub fn database_url(&self) -> String {
        format!("postgres://urna@127.0.0.1:{}/postgres", self.postgres.port)
    }

    /// A look at JetStream that shares nothing with Urna's own.
    pub async fn jetstream(&self) -> anyhow::Result<jetstream::Context> {
        let up = self.nodes().filter(|node| node.is_up());
        let addresses: Result<Vec<ServerAddr>, _> = up.map(|node| node_url(node.port).parse()).collect();
        // A node that is paused takes connections, and says nothing on them.
        let options = ConnectOptions::new().connection_timeout(ANSWER_WITHIN).ignore_discovered_servers();
        let client = options.request_timeout(Some(ANSWER_WITHIN)).connect(addresses?).await?;
        Ok(jetstream::new(client))
    }

    /// A look at Postgres.
    pub async fn database(&self) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(2).connect(&self.database_url()).await;
        pool.expect("postgres answers")
    }

    /// Starts a process by the name of its binary, and waits until it is ready.
    pub async fn start(&mut self, name: &str) {
        self.start_as(name, name, &[]).await;
    }

    /// Starts a process under another name, so that there can be two, with settings of its own.
    pub async fn start_as(&mut self, name: &str, program: &str, settings: &[(&str, &str)]) {
        self.launch(name, program, settings);
        self.ready(name).await;
    }

    /// Starts a process and does not wait.
    pub fn launch(&mut self, name: &str, program: &str, settings: &[(&str, &str)]) {
        let port = self.processes.get(name).map_or_else(free_port, |running| running.port);
        let mut command = Command::new(binary(program));
        command
            .env("NATS_URL", self.nats_url())
            .env("URNA_NATS_REPLICAS", self.nodes().count().to_string())
            .env("DATABASE_URL", self.database_url())
            .env("URNA_SECRET", SECRET)
            .env("URNA_HTTP_ADDR", format!("127.0.0.1:{port}"))
            .env("URNA_LOG", "debug,sqlx=warn,async_nats=warn")
            .envs(settings.iter().copied());
        let process = Process::start(command, name, &self.log_of(name));
        self.processes.insert(name.to_owned(), Running { process, port });
    }

    fn log_of(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// Waits until a process can do its work: whoever serves the demonstration round has heard of it.
    pub async fn ready(&self, name: &str) {
        let page = match name.split('-').next() {
            Some("urna" | "vote") => "/vote/demo",
            Some("result") => "/result/demo",
            _ => "/live",
        };
        let page = format!("{}{page}", self.address(name));
        eventually(&format!("{name} knows the round"), || async {
            (reqwest::get(&page).await.ok()?.status() == 200).then_some(())
        })
        .await;
        let health = format!("{}/health", self.address(name));
        eventually(&format!("{name} is ready"), || async {
            let answer = reqwest::get(&health).await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
    }

    /// Where a process is.
    pub fn address(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.processes[name].port)
    }

    /// A person with a fresh browser, at the process `urna`.
    pub fn voter(&self) -> Voter {
        Voter::browser(&self.address("urna"))
    }

    /// A program that votes for `id`, at a process.
    pub fn voter_at(&self, name: &str, id: &str) -> Voter {
        Voter::program(&self.address(name), id)
    }

    /// Kills a process without warning; it keeps its port.
    pub fn kill(&mut self, name: &str) {
        self.running(name).kill();
    }

    /// Pauses a process.
    pub fn pause(&mut self, name: &str) {
        self.running(name).signal(Signal::SIGSTOP);
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self, name: &str) {
        self.running(name).signal(Signal::SIGCONT);
    }

    /// The process behind a name.
    pub fn running(&mut self, name: &str) -> &mut Process {
        &mut self.processes.get_mut(name).expect("the process was started").process
    }

    /// The resident memory of a process in bytes; `None` when it is gone.
    pub fn memory(&self, name: &str) -> Option<u64> {
        self.processes.get(name)?.process.memory()
    }

    /// Everything that a process has logged.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_of(name)).unwrap_or_default()
    }

    /// The folder of this world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts Postgres again, and waits until both servers answer.
    pub async fn restart_postgres(&mut self) {
        self.start_postgres().await;
        self.servers_answer().await;
    }

    /// Starts Postgres again after it was killed.
    pub(crate) async fn start_postgres(&mut self) {
        // What a killed postmaster leaves behind keeps the next one out for a moment.
        let begin = Instant::now();
        loop {
            self.postgres.start();
            tokio::time::sleep(Duration::from_millis(300)).await;
            if self.postgres.is_running() {
                break;
            }
            assert!(begin.elapsed() < WITHIN, "postgres does not start again");
        }
    }

    /// Waits until no durable holds a message that is not acknowledged, or has one before it.
    pub async fn quiet(&self) {
        let jetstream = self.jetstream().await.expect("the nats-server answers");
        eventually("every durable has read and acknowledged everything", || async {
            unfinished(&jetstream).await.ok()?.is_empty().then_some(())
        })
        .await;
    }

    /// The end of a scenario whose log was made to contradict itself: no recount can agree.
    pub fn abandon(mut self) {
        self.is_closed = true;
    }

    /// The end of a scenario: everything comes to rest, and the independent recount agrees with the scoreboard.
    pub async fn close(mut self) {
        self.quiet().await;
        crate::audit(&self).await.agrees(&self).await;
        self.is_closed = true;
    }

    /// The end of a scenario that has made its own recount. Keeps the folder, with every log, if it is to be looked at.
    pub(crate) fn leave(mut self, keep: bool) {
        self.folder.disable_cleanup(keep);
        self.is_closed = true;
    }
}

fn node_url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

/// The durables that hold a message that is not acknowledged, or have one before them, in words.
pub(crate) async fn unfinished(jetstream: &jetstream::Context) -> anyhow::Result<Vec<String>> {
    let mut unfinished = Vec::new();
    let mut streams = jetstream.streams();
    while let Some(info) = streams.try_next().await? {
        let stream = jetstream.get_stream(&info.config.name).await?;
        let mut consumers = stream.consumers();
        while let Some(consumer) = consumers.try_next().await? {
            if !is_done(&consumer) {
                let (name, stream) = (&consumer.name, &consumer.stream_name);
                let (before, held) = (consumer.num_pending, consumer.num_ack_pending);
                unfinished.push(format!(
                    "the durable {name} of {stream} has {before} messages before it and holds {held}"
                ));
            }
        }
    }
    Ok(unfinished)
}

fn is_done(consumer: &consumer::Info) -> bool {
    consumer.config.durable_name.is_none() || (consumer.num_pending == 0 && consumer.num_ack_pending == 0)
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in self.processes.keys() {
                eprintln!("---- the end of {name}'s log ----\n{}", last_lines(&self.log(name)));
            }
        } else {
            assert!(self.is_closed, "a scenario ends with close(): the recount was not made");
        }
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(60).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
