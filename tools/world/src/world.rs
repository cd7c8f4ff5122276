//! A world of one test's own: a nats-server, a PostgreSQL, a Redis, and the processes it starts.
//!
//! The servers are shared with the other tests of the binary, and a world has a part of each to itself. A test that
//! harms a server, by killing, pausing, filling or configuring it, declares so and gets one of its own.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use tempfile::TempDir;
use urna_servers::{CONNECTIONS, Durability, Process, Programs, Server, free_port};

use crate::place::{Own, Place};
use crate::programs::{binary, programs};
use crate::shared::{Database, Shared, Tenant, ready_cluster};
use crate::users::{Users, configuration, of_redis};
use crate::voter::Voter;

/// How long anything that must happen may take.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);
/// The secret of every process of a world.
pub const SECRET: &str = "only-for-tests-only-for-tests-only-for-tests";
/// The e-mail address of a world's first admin.
pub const ADMIN: &str = "admin@localhost";
/// Their password.
pub const ADMIN_PASSWORD: &str = "only for tests: the admin's";
/// So many of everything in a minute: limits are kept, and no test reaches them that does not want to.
const LIMIT: &str = "1000000";
/// The limits.
const LIMITS: [&str; 7] = [
    "URNA_LIMIT_LOGINS_BY_ADDRESS",
    "URNA_LIMIT_LOGINS_BY_ACCOUNT",
    "URNA_LIMIT_REGISTRATIONS_BY_ADDRESS",
    "URNA_LIMIT_REGISTRATIONS_BY_EMAIL",
    "URNA_LIMIT_VOTES_BY_ADDRESS",
    "URNA_LIMIT_VOTES_BY_VOTER",
    "URNA_LIMIT_RECEIPTS_BY_ADDRESS",
];

/// Servers and processes of one test's own.
pub struct World {
    /// The nats-server; in a cluster, its first node.
    pub(crate) nats: Place,
    /// The other nodes of a cluster.
    pub(crate) peers: Vec<Server>,
    pub(crate) postgres: Place,
    pub(crate) redis: Place,
    /// Who may connect to its nats-server.
    pub(crate) users: Users,
    pub(crate) database: Database,
    /// The number of its database in Redis.
    pub(crate) number: u32,
    processes: HashMap<String, Running>,
    is_closed: bool,
    /// Removed last, when nobody writes there any more.
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
    /// Shared servers that answer, and no process yet.
    pub async fn new() -> Self {
        Self::owning(&[]).await
    }

    /// The same for a test that harms these servers: it has them to itself.
    pub async fn owning(own: &[Own]) -> Self {
        Self::on(own, |programs, folder, users| {
            let nats = Server::nats(programs, &folder.join("nats"), Durability::Synced, users)?;
            Ok((nats, Vec::new()))
        })
        .await
    }

    /// The same, with nats-servers of the caller's choice if it owns them: it is given the configuration of the users.
    pub(crate) async fn on(
        own: &[Own],
        nats: impl FnOnce(&Programs, &Path, &str) -> anyhow::Result<(Server, Vec<Server>)>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // The user postgres must be able to pass through.
        let passable = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), passable).expect("a folder's mode can be set");
        let owns = |which| own.contains(&which);
        let shared = if Own::ALL.into_iter().all(owns) { None } else { Some(Shared::get().await) };
        let tenant = match shared {
            Some(shared) => shared.tenant().await,
            None => Tenant::alone(),
        };
        let Tenant { number, nats: shared_nats, users } = tenant;
        let (programs, of_all) = (programs(), || shared.expect("a world that owns not all shares some"));
        let (nats, peers) = if owns(Own::Nats) {
            let started = nats(&programs, folder.path(), &configuration(std::slice::from_ref(&users)));
            let (nats, peers) = started.expect("nats-server can be started");
            (Place::of_its_own(nats), peers)
        } else {
            (
                Place::Shared(shared_nats.expect("a world that shares a nats-server has accounts there")),
                Vec::new(),
            )
        };
        let (postgres, database) = if owns(Own::Postgres) {
            let ready = ready_cluster(&programs).expect("a cluster can be made");
            let postgres = Server::postgres_from(ready, &programs, folder.path(), CONNECTIONS);
            (Place::of_its_own(postgres.expect("postgres can be started")), Database::whole())
        } else {
            let database =
                of_all().make_database(&format!("w{number}")).await.expect("a database can be made");
            (Place::Shared(&of_all().postgres), database)
        };
        let (redis, number) = if owns(Own::Redis) {
            (
                Place::of_its_own(
                    Server::redis(&programs, folder.path(), &of_redis()).expect("redis can be started"),
                ),
                0,
            )
        } else {
            (Place::Shared(&of_all().redis), number)
        };
        let (processes, is_closed) = (HashMap::new(), false);
        let world =
            Self { nats, peers, postgres, redis, users, database, number, processes, is_closed, folder };
        world.users.write_to(&world.credentials()).expect("a folder of credentials can be written");
        world.servers_answer().await;
        world.deploy().await;
        world
    }

    /// The usual world: the whole of Urna in one process, with the demonstration round open.
    pub async fn with_urna() -> Self {
        Self::with_urna_owning(&[]).await
    }

    /// The same for a test that harms these servers.
    pub async fn with_urna_owning(own: &[Own]) -> Self {
        let mut world = Self::owning(own).await;
        world.start("urna").await;
        world
    }

    /// Starts a process by the name of its binary, and waits until it is ready.
    pub async fn start(&mut self, name: &str) {
        self.start_as(name, name, &[]).await;
    }

    /// Starts a process under another name, so that there can be two, with settings of its own. An empty one takes back
    /// what every process of a world is given.
    pub async fn start_as(&mut self, name: &str, program: &str, settings: &[(&str, &str)]) {
        self.launch(name, program, settings);
        self.ready(name).await;
    }

    /// Starts a process and does not wait.
    pub fn launch(&mut self, name: &str, program: &str, settings: &[(&str, &str)]) {
        let port = self.processes.get(name).map_or_else(free_port, |running| running.port);
        let mut command = Command::new(binary(program));
        command
            .envs(self.addresses())
            .env("URNA_SECRET", SECRET)
            .env("URNA_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .envs(LIMITS.map(|limit| (limit, LIMIT)))
            .env("URNA_HTTP_ADDR", format!("127.0.0.1:{port}"))
            .env("URNA_LOG", "debug,sqlx=warn,async_nats=warn")
            .envs(settings.iter().copied());
        for (without, _) in settings.iter().filter(|(_, value)| value.is_empty()) {
            command.env_remove(without);
        }
        let process = Process::start_telling(command, name, &self.log_of(name), &self.told_by(name));
        let process = process.expect("our own can be started");
        self.processes.insert(name.to_owned(), Running { process, port });
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn told_by(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.told"))
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

    /// The admin, signed in with a fresh browser at the process `urna`.
    pub async fn admin(&self) -> Voter {
        let admin = self.voter();
        let page = admin.signs_in(ADMIN, ADMIN_PASSWORD).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        admin
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

    /// Waits until a process has ended by itself.
    pub async fn ended(&mut self, name: &str) {
        eventually(&format!("{name} has ended"), || {
            let ended = !self.running(name).is_running();
            async move { ended.then_some(()) }
        })
        .await;
    }

    /// The process behind a name.
    pub fn running(&mut self, name: &str) -> &mut Process {
        &mut self.processes.get_mut(name).expect("the process was started").process
    }

    /// The resident memory of a process in bytes; `None` when it is gone.
    pub fn memory(&self, name: &str) -> Option<u64> {
        self.processes.get(name)?.process.memory()
    }

    /// Whether one of the processes that are there counts ballots.
    pub fn runs_a_tally(&self) -> bool {
        let counts = |name: &str| matches!(name.split('-').next(), Some("urna" | "tally"));
        self.processes.iter().any(|(name, running)| counts(name) && running.process.memory().is_some())
    }

    /// Everything that a process has logged.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_of(name)).unwrap_or_default()
    }

    /// Everything that a process has told people on its standard output.
    pub fn told(&self, name: &str) -> String {
        std::fs::read_to_string(self.told_by(name)).unwrap_or_default()
    }

    /// The folder of this world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The end of a scenario whose log was made to contradict itself, or was counted by nobody: no recount can agree.
    pub fn abandon(mut self) {
        self.is_closed = true;
    }

    /// The end of a scenario: everything comes to rest, and the independent recount of every round agrees with the
    /// scoreboard.
    pub async fn close(mut self) {
        self.quiet().await;
        for round in crate::rounds(&self).await.expect("the nats-server answers") {
            crate::audit_of(&self, &round).await.agrees(&self).await;
        }
        self.processes.clear();
        self.give_back().await.expect("shared servers are as they were before");
        self.is_closed = true;
    }

    /// The end of a scenario that has made its own recount. Keeps the folder, with every log, if it is to be looked at.
    pub fn leave(mut self, keep: bool) {
        self.folder.disable_cleanup(keep);
        self.is_closed = true;
    }
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
