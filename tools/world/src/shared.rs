//! The servers that every scenario of a test binary shares, unless it declares that it harms them.
//!
//! A scenario has accounts of a nats-server, a database of PostgreSQL (a copy of a template that was migrated once) and
//! a numbered database of Redis to itself. The servers refuse what would reach beyond that.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};
use urna_servers::{Durability, Leash, Programs, SHARED_DATABASES, Server, initdb};

use crate::house::house;
use crate::programs::programs;
use crate::users::{Users, configuration, of_redis, roles};
use crate::world::eventually;

/// How many scenarios share one nats-server.
const TENANTS: usize = 40;
/// How many connections all of them together may have to PostgreSQL.
const CONNECTIONS: u16 = 500;
/// The database that every tenant's is a copy of.
const TEMPLATE: &str = "template_urna";
/// Whose every tenant's database is: it cannot configure or stop the server.
const ROLE: &str = "tenant";

static SHARED: OnceCell<Shared> = OnceCell::const_new();
static READY: OnceLock<PathBuf> = OnceLock::new();

/// The servers.
pub(crate) struct Shared {
    pub postgres: Server,
    pub redis: Server,
    nats: Mutex<NatsServers>,
    next: AtomicU32,
    /// PostgreSQL copies one database at a time.
    copying: Mutex<()>,
}

/// The nats-servers: one more is started when all that are there have as many scenarios as they can have.
struct NatsServers {
    folder: PathBuf,
    newest: &'static Server,
    /// Those of the newest server that no scenario has taken.
    free: Vec<Users>,
    started: usize,
    /// What stops every server when the tests end. A value that lives as long as the process is never dropped.
    leash: Leash,
}

/// What a scenario has to itself of the shared servers.
pub(crate) struct Tenant {
    /// The number of its database in Redis.
    pub number: u32,
    /// The nats-server on which it has accounts.
    pub nats: Option<&'static Server>,
    /// Who may connect there.
    pub users: Users,
}

/// A scenario's database of PostgreSQL.
pub(crate) struct Database {
    /// Whose it is.
    pub role: String,
    /// Its name.
    pub name: String,
}

impl Tenant {
    /// That of a scenario which shares nothing.
    pub fn alone() -> Self {
        Self { number: 0, nats: None, users: Users::new("") }
    }
}

impl Database {
    /// All of a server of a scenario's own.
    pub fn whole() -> Self {
        Self { role: "urna".to_owned(), name: "postgres".to_owned() }
    }
}

impl Shared {
    /// The servers, started by the first scenario that needs them.
    pub async fn get() -> &'static Self {
        SHARED.get_or_init(|| async { Self::start().await.expect("shared servers can be started") }).await
    }

    async fn start() -> anyhow::Result<Self> {
        let (programs, folder) = (programs(), shared_folder()?);
        let mut leash = Leash::on(&folder)?;
        // PostgreSQL's own sync protects from power cuts, which no test causes.
        let ready = ready_cluster(&programs)?;
        let postgres = Server::postgres_from(ready, &programs, &folder, CONNECTIONS, None)?;
        let redis = Server::shared_redis(&programs, &folder, &of_redis())?;
        for server in [&postgres, &redis] {
            leash.hold(server.id().context("a server has ended at its start")?)?;
        }
        let (next, copying) = (AtomicU32::new(0), Mutex::new(()));
        let nats = Mutex::new(NatsServers::start(folder, leash)?);
        let shared = Self { postgres, redis, nats, next, copying };
        shared.make_template().await?;
        Ok(shared)
    }

    /// Accounts, and the number of a database, that no other scenario has.
    pub async fn tenant(&self) -> Tenant {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(number < SHARED_DATABASES, "the shared Redis has a database for each scenario");
        let mut servers = self.nats.lock().await;
        let users = servers.take().expect("a nats-server can be started");
        Tenant { number, nats: Some(servers.newest), users }
    }

    /// Makes a scenario's database.
    pub async fn make_database(&self, name: &str) -> anyhow::Result<Database> {
        let _turn = self.copying.lock().await;
        self.run(format!("create database {name} template {TEMPLATE} owner {ROLE}")).await?;
        Ok(Database { role: ROLE.to_owned(), name: name.to_owned() })
    }

    /// Removes a scenario's database, and ends connections to it.
    pub async fn drop_database(&self, database: &Database) -> anyhow::Result<()> {
        self.run(format!("drop database {} with (force)", database.name)).await
    }

    async fn make_template(&self) -> anyhow::Result<()> {
        eventually("postgres answers", || async {
            PgConnection::connect(&self.url("urna", "postgres")).await.ok()
        })
        .await;
        self.run(format!("create role {ROLE} login")).await?;
        self.run(format!("create database {TEMPLATE} owner {ROLE}")).await?;
        schema::deploy::deploy(&self.url("urna", TEMPLATE).parse()?, &roles()).await?;
        // What tests do by themselves they may do in every schema.
        self.run(format!("grant login, round, tally to {ROLE}")).await?;
        for actor in std::fs::read_dir(house().join("actors"))? {
            let actor = actor?;
            let (name, migrations) = (actor.file_name(), actor.path().join("migrations"));
            if migrations.is_dir() {
                let name: &'static str = name.to_str().context("an actor's name is text")?.to_owned().leak();
                let pool = PgPoolOptions::new().connect(&self.url(name, TEMPLATE)).await?;
                schema::Schema::new(name, Migrator::new(migrations).await?, pool.clone()).pool().await?;
                pool.close().await;
            }
        }
        Ok(())
    }

    async fn run(&self, statement: String) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.url("urna", "postgres")).await?;
        let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await;
        connection.close().await?;
        done.map(|_| ()).context("PostgreSQL has refused a statement about a scenario's database")
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.postgres.port)
    }
}

impl NatsServers {
    fn start(folder: PathBuf, mut leash: Leash) -> anyhow::Result<Self> {
        let (newest, free) = start_nats(&folder, 0, &mut leash)?;
        Ok(Self { folder, newest, free, started: 1, leash })
    }

    /// Users of the newest server, which is started when there are none left.
    fn take(&mut self) -> anyhow::Result<Users> {
        if self.free.is_empty() {
            (self.newest, self.free) = start_nats(&self.folder, self.started, &mut self.leash)?;
            self.started += 1;
        }
        self.free.pop().context("a nats-server has users")
    }
}

fn start_nats(
    folder: &Path,
    number: usize,
    leash: &mut Leash,
) -> anyhow::Result<(&'static Server, Vec<Users>)> {
    let free: Vec<Users> = (0..TENANTS).map(|tenant| Users::new(&format!("w{tenant}-"))).collect();
    let folder = folder.join(format!("nats-{number}"));
    let server = Server::nats(&programs(), &folder, Durability::Synced, &configuration(&free))?;
    leash.hold(server.id().context("a server has ended at its start")?)?;
    Ok((Box::leak(Box::new(server)), free))
}

/// A folder that lasts as long as this process.
fn shared_folder() -> anyhow::Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("urna-shared-").tempdir()?;
    // The user postgres must be able to pass through.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    Ok(TempDir::keep(folder))
}

/// The folder of a PostgreSQL cluster with nothing in it, to be copied.
pub(crate) fn ready_cluster(programs: &Programs) -> anyhow::Result<&'static Path> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().map_err(|_| anyhow::anyhow!("no cluster could be made before"))?;
    if let Some(ready) = READY.get() {
        return Ok(ready);
    }
    let folder = shared_folder()?;
    // Nothing runs there: only the folder has to go when the process ends.
    static LEASH: OnceLock<Leash> = OnceLock::new();
    ensure!(LEASH.set(Leash::on(&folder)?).is_ok(), "one cluster is enough");
    let cluster = folder.join("ready");
    std::fs::create_dir(&cluster)?;
    initdb(programs, &cluster)?;
    Ok(READY.get_or_init(|| cluster))
}
