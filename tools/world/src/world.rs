//! A world of one test's own: a nats-server, a PostgreSQL, a Redis, and the processes it starts.
//!
//! The servers are shared with the other tests of the binary, and a world has a part of each to itself. A test that
//! harms a server, by killing, pausing, filling or configuring it, declares so and gets one of its own.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tempfile::TempDir;
use urna_servers::{CONNECTIONS, Durability, Programs, Server, Tls};

use crate::place::{Own, Place};
use crate::processes::read;
use crate::programs::programs;
use crate::running::Running;
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

/// Servers and processes of one test's own.
pub struct World {
    /// The nats-server; in a cluster, its first node.
    pub(crate) nats: Place,
    /// The other nodes of a cluster.
    pub(crate) peers: Vec<Server>,
    pub(crate) postgres: Place,
    pub(crate) redis: Place,
    /// What servers of its own show, if they require TLS.
    pub(crate) tls: Option<Tls>,
    /// Who may connect to its nats-server.
    pub(crate) users: Users,
    pub(crate) database: Database,
    /// The number of its database in Redis.
    pub(crate) number: u32,
    pub(crate) processes: HashMap<String, Running>,
    is_closed: bool,
    /// Removed last, when nobody writes there any more.
    folder: TempDir,
}

/// Whether servers of a world's own require TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    Plain,
    OverTls,
}

/// What a nats-server of a world's own is started with.
pub(crate) struct NatsPlan<'a> {
    pub programs: &'a Programs,
    pub folder: &'a Path,
    /// Its users and certificates.
    pub configuration: String,
    pub tls: Option<&'a Tls>,
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
        Self::on(own, Connections::Plain, one_nats_server).await
    }

    /// Servers of its own, which all require TLS.
    pub async fn over_tls() -> Self {
        Self::on(&Own::ALL, Connections::OverTls, one_nats_server).await
    }

    /// The same, with nats-servers of the caller's choice if it owns them.
    pub(crate) async fn on(
        own: &[Own],
        connections: Connections,
        nats: impl FnOnce(&NatsPlan<'_>) -> anyhow::Result<(Server, Vec<Server>)>,
    ) -> Self {
        let folder = passable_folder();
        let tls = (connections == Connections::OverTls)
            .then(|| Tls::new(&folder.path().join("tls")).expect("certificates can be made"));
        let owns = |which| own.contains(&which);
        let shared = if Own::ALL.into_iter().all(owns) { None } else { Some(Shared::get().await) };
        let tenant = match shared {
            Some(shared) => shared.tenant().await,
            None => Tenant::alone(),
        };
        let Tenant { number, nats: shared_nats, users } = tenant;
        let (programs, of_all) = (programs(), || shared.expect("a world that owns not all shares some"));
        let (nats, peers) = if owns(Own::Nats) {
            let plan = NatsPlan::of(&programs, folder.path(), &users, tls.as_ref());
            let (nats, peers) = nats(&plan).expect("nats-server can be started");
            (Place::of_its_own(nats), peers)
        } else {
            (
                Place::Shared(shared_nats.expect("a world that shares a nats-server has accounts there")),
                Vec::new(),
            )
        };
        let (postgres, database) = if owns(Own::Postgres) {
            (own_postgres(&programs, folder.path(), tls.as_ref()), Database::whole())
        } else {
            let database =
                of_all().make_database(&format!("w{number}")).await.expect("a database can be made");
            (Place::Shared(&of_all().postgres), database)
        };
        let (redis, number) = if owns(Own::Redis) {
            let redis = Server::redis(&programs, folder.path(), &of_redis(), tls.as_ref());
            (Place::of_its_own(redis.expect("redis can be started")), 0)
        } else {
            (Place::Shared(&of_all().redis), number)
        };
        let (processes, is_closed) = (HashMap::new(), false);
        let world =
            Self { nats, peers, postgres, redis, tls, users, database, number, processes, is_closed, folder };
        world.users.write_to(&world.credentials()).expect("a folder of credentials can be written");
        world.servers_answer().await;
        world.deploy().await;
        world
    }

    /// The usual world: the whole of Urna, with the demonstration round open.
    pub async fn with_urna() -> Self {
        Self::with_urna_owning(&[]).await
    }

    /// The same for a test that harms these servers.
    pub async fn with_urna_owning(own: &[Own]) -> Self {
        let mut world = Self::owning(own).await;
        world.start("urna").await;
        world
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
            for name in self.processes.keys().flat_map(|name| self.part_names(name)) {
                eprintln!("---- the end of {name}'s log ----\n{}", last_lines(&read(&self.log_of(&name))));
            }
        } else {
            assert!(self.is_closed, "a scenario ends with close(): the recount was not made");
        }
    }
}

fn one_nats_server(plan: &NatsPlan<'_>) -> anyhow::Result<(Server, Vec<Server>)> {
    let folder = plan.folder.join("nats");
    Ok((Server::nats(plan.programs, &folder, Durability::Synced, &plan.configuration)?, Vec::new()))
}

fn own_postgres(programs: &Programs, folder: &Path, tls: Option<&Tls>) -> Place {
    let ready = ready_cluster(programs).expect("a cluster can be made");
    let own = tls.map(|tls| &tls.own);
    let postgres = Server::postgres_from(ready, programs, folder, CONNECTIONS, own);
    Place::of_its_own(postgres.expect("postgres can be started"))
}

/// A folder through which the user postgres can pass.
fn passable_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let passable = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), passable).expect("a folder's mode can be set");
    folder
}

impl<'a> NatsPlan<'a> {
    fn of(programs: &'a Programs, folder: &'a Path, users: &Users, tls: Option<&'a Tls>) -> Self {
        let users = configuration(std::slice::from_ref(users));
        let configuration = users + &tls.map(Tls::of_clients).unwrap_or_default();
        Self { programs, folder, configuration, tls }
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(60).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
