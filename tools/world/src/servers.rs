//! A world's servers: where they are, what they say, and how they come back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_nats::jetstream;
use async_nats::{ConnectOptions, ServerAddr};
use futures_util::TryStreamExt;
use nats::{Authentication, Bus, BusSettings, Clock, NkeySeed, ServerUrls, Tls};
use redis::TlsCertificates;
use redis::aio::MultiplexedConnection;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};
use subjects::Account;
use urna_access::{ServerAccount, User};
use urna_servers::Server;

use crate::place::{Own, Place};
use crate::shared::{Database, Shared};
use crate::users::roles;
use crate::world::{WITHIN, World, eventually};

/// How long an answer to a test's own question may take, before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

impl World {
    /// Waits until every server answers.
    pub async fn servers_answer(&self) {
        eventually("the nats-server answers", || async {
            self.jetstream().await.ok()?.query_account().await.ok()
        })
        .await;
        let url = self.database_url();
        eventually("postgres answers", || async { PgConnection::connect(&url).await.ok() }).await;
        self.redis_answers().await;
    }

    /// Where NATS is: one address, or those of a cluster separated by commas.
    pub fn nats_url(&self) -> String {
        let addresses: Vec<String> = self.nodes().map(|node| self.node_url(node.port)).collect();
        addresses.join(",")
    }

    /// Every nats-server.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(self.nats.server()).chain(&self.peers)
    }

    /// The port of the nats-server.
    pub fn nats_port(&self) -> u16 {
        self.nats.server().port
    }

    /// The port of Postgres.
    pub fn postgres_port(&self) -> u16 {
        self.postgres.server().port
    }

    /// The nats-server, to harm it.
    ///
    /// # Panics
    /// When it is shared, as with the others.
    pub fn nats(&mut self) -> &mut Server {
        self.nats.own(Own::Nats)
    }

    /// Postgres, to harm it.
    pub fn postgres(&mut self) -> &mut Server {
        self.postgres.own(Own::Postgres)
    }

    /// Redis, to harm it.
    pub fn redis_server(&mut self) -> &mut Server {
        self.redis.own(Own::Redis)
    }

    /// Where Postgres is.
    pub fn database_url(&self) -> String {
        let Database { role, name } = &self.database;
        let verifies = self.authority_of(&self.postgres);
        let verifies = verifies.map(|file| format!("?sslmode=verify-full&sslrootcert={}", file.display()));
        let verifies = verifies.unwrap_or_default();
        format!("postgres://{role}@127.0.0.1:{}/{name}{verifies}", self.postgres_port())
    }

    /// Where Postgres is, for processes, each of which has a role of its own.
    pub fn database_url_of_processes(&self) -> String {
        format!("postgres://127.0.0.1:{}/{}", self.postgres_port(), self.database.name)
    }

    /// Takes all counts away, as if nothing had been counted.
    pub async fn forget_counts(&self) {
        let forget = "drop table tally.count, tally.cursor, tally._sqlx_migrations";
        sqlx::query(forget).execute(&self.database().await).await.expect("postgres answers");
    }

    /// Where Redis is.
    pub fn redis_url(&self) -> String {
        let scheme = if self.authority_of(&self.redis).is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/{}", self.redis.server().port, self.number)
    }

    /// The authority that has signed the certificate of a server, if the server requires TLS: none does that is shared.
    fn authority_of(&self, place: &Place) -> Option<&Path> {
        let tls = self.tls.as_ref().filter(|_| matches!(place, Place::Own(_)));
        tls.map(|tls| tls.authority.as_path())
    }

    /// Where all servers are, as the settings of a process or a command.
    pub fn addresses(&self) -> Vec<(&'static str, String)> {
        let mut addresses = vec![
            ("NATS_URL", self.nats_url()),
            ("URNA_NATS_REPLICAS", self.nodes().count().to_string()),
            ("URNA_CREDENTIALS", self.credentials().display().to_string()),
            ("DATABASE_URL", self.database_url_of_processes()),
            ("REDIS_URL", self.redis_url()),
        ];
        let places = [("NATS_CA", &self.nats), ("DATABASE_CA", &self.postgres), ("REDIS_CA", &self.redis)];
        for (name, place) in places {
            addresses.extend(self.authority_of(place).map(|file| (name, file.display().to_string())));
        }
        addresses
    }

    /// The folder with the credentials of every process and command.
    pub fn credentials(&self) -> PathBuf {
        self.folder().join("credentials")
    }

    /// A folder with the credentials of one actor alone.
    pub(crate) fn credentials_of(&self, actor: &str) -> std::io::Result<PathBuf> {
        let folder = self.folder().join(format!("credentials-of-{actor}"));
        for kind in std::fs::read_dir(self.credentials())? {
            let kind = kind?;
            let own = folder.join(kind.file_name());
            std::fs::create_dir_all(&own)?;
            for file in std::fs::read_dir(kind.path())? {
                let file = file?.path();
                if file.file_stem().is_some_and(|stem| stem == actor) {
                    std::fs::copy(&file, own.join(file.file_name().unwrap_or_default()))?;
                }
            }
        }
        Ok(folder)
    }

    /// Everything that a nats-server of the world's own has logged.
    pub fn nats_log(&self) -> String {
        std::fs::read_to_string(self.folder().join("nats.log")).unwrap_or_default()
    }

    /// A connection to the nats-server that may do anything with elections.
    pub async fn nats_client(&self) -> async_nats::Client {
        self.connected(self.trusting(self.users.everything_in(ServerAccount::Elections))).await
    }

    /// A connection to the nats-server that may do anything with accounts of people and their sessions.
    pub async fn people_client(&self) -> async_nats::Client {
        self.connected(self.trusting(self.users.everything_in(ServerAccount::People))).await
    }

    /// A connection to the nats-server as one of its users.
    pub async fn client_as(&self, user: User) -> async_nats::Client {
        self.connected(self.options_of(user)).await
    }

    /// How one of the users of the nats-server connects.
    pub fn options_of(&self, user: User) -> ConnectOptions {
        self.trusting(self.users.user(user))
    }

    /// With the authority that has signed the certificates of the nats-servers, if they require TLS.
    fn trusting(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.tls {
            Some(tls) => options.add_root_certificates(tls.authority.clone()),
            None => options,
        }
    }

    pub(crate) fn node_url(&self, port: u16) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        format!("{scheme}://127.0.0.1:{port}")
    }

    async fn connected(&self, options: ConnectOptions) -> async_nats::Client {
        options.connect(self.nats_url()).await.expect("the nats-server answers")
    }

    /// Creates the standing streams, the roles and the schemas, as `urna deploy` does.
    pub(crate) async fn deploy(&self) {
        if let Place::Own(_) = &self.postgres {
            let administrator = self.database_url().parse().expect("an address");
            schema::deploy::deploy(&administrator, &roles()).await.expect("postgres answers");
        }
        for account in Account::ALL {
            let bus = self.bus_in(account, "deploy").await;
            eventually("the standing streams are there", || async {
                bus.deploy_standing(account).await.ok()
            })
            .await;
        }
    }

    /// Empties what the world had of shared servers, which must be as they were before.
    pub(crate) async fn give_back(&self) -> anyhow::Result<()> {
        if let Place::Shared(nats) = &self.nats {
            ensure!(nats.is_there(), "the shared nats-server has ended");
            for account in Account::ALL {
                let jetstream = self.jetstream_of(account).await?;
                let names: Vec<String> = jetstream.stream_names().try_collect().await?;
                for name in names {
                    jetstream.delete_stream(name).await?;
                }
            }
        }
        if let Place::Shared(redis) = &self.redis {
            ensure!(redis.is_there(), "the shared Redis has ended");
            redis::cmd("FLUSHDB").exec_async(&mut self.redis_answers().await).await?;
        }
        if let Place::Shared(postgres) = &self.postgres {
            ensure!(postgres.is_there(), "the shared PostgreSQL has ended");
            Shared::get().await.drop_database(&self.database).await?;
        }
        Ok(())
    }

    /// A bus of this name that may do anything with elections.
    pub async fn bus(&self, name: &str) -> Bus {
        let bus = self.bus_in(Account::Elections, name).await;
        bus.check_deployed(&Account::Elections.streams(), &Account::Elections.buckets()).await;
        bus
    }

    async fn bus_in(&self, account: Account, name: &str) -> Bus {
        let url = ServerUrls::parse(&self.nats_url()).expect("addresses");
        let seed = NkeySeed::parse(&self.users.seed_of_everything_in(account.into())).expect("a seed");
        let tls = match &self.tls {
            Some(tls) => Tls::default().with_authorities(&tls.authority).expect("a certificate"),
            None => Tls::default(),
        };
        let settings = BusSettings {
            tls,
            authentication: Some(Authentication::NkeySeed(seed)),
            replicas: self.nodes().count(),
            ..BusSettings::new(url, name, &Clock::system())
        };
        Bus::connect(&settings).await.expect("an address")
    }

    /// A look at the streams of elections that shares nothing with Urna's own.
    pub async fn jetstream(&self) -> anyhow::Result<jetstream::Context> {
        self.jetstream_of(Account::Elections).await
    }

    /// The same for the streams of an account.
    pub async fn jetstream_of(&self, account: Account) -> anyhow::Result<jetstream::Context> {
        let up = self.nodes().filter(|node| node.is_up());
        let addresses: Result<Vec<ServerAddr>, _> = up.map(|node| self.node_url(node.port).parse()).collect();
        // A node that is paused takes connections, and says nothing on them.
        let options = self.trusting(self.users.everything_in(account.into()));
        let options = options.connection_timeout(ANSWER_WITHIN).ignore_discovered_servers();
        let client = options.request_timeout(Some(ANSWER_WITHIN)).connect(addresses?).await?;
        Ok(jetstream::new(client))
    }

    /// A look at Postgres.
    pub async fn database(&self) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(2).connect(&self.database_url()).await;
        pool.expect("postgres answers")
    }

    /// A look at Redis.
    pub async fn redis(&self) -> MultiplexedConnection {
        self.redis_answers().await
    }

    async fn redis_answers(&self) -> MultiplexedConnection {
        let client = match self.authority_of(&self.redis) {
            Some(file) => {
                let root_cert = Some(std::fs::read(file).expect("a certificate can be read"));
                redis::Client::build_with_tls(
                    self.redis_url(),
                    TlsCertificates { client_tls: None, root_cert },
                )
            }
            None => redis::Client::open(self.redis_url()),
        };
        let client = client.expect("an address of redis");
        eventually("redis answers", || async {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            // While it still reads what it had, it takes connections and nothing else.
            redis::cmd("PING").exec_async(&mut connection).await.ok()?;
            Some(connection)
        })
        .await
    }

    /// Starts Redis again with the data it had, and waits until it answers.
    pub async fn restart_redis(&mut self) {
        self.redis_server().start();
        self.redis_answers().await;
    }

    /// Starts Postgres again, and waits until every server answers.
    pub async fn restart_postgres(&mut self) {
        self.start_postgres().await;
        self.servers_answer().await;
    }

    /// Starts Postgres again after it was killed.
    pub async fn start_postgres(&mut self) {
        // What a killed postmaster leaves behind keeps the next one out for a moment.
        let begin = Instant::now();
        loop {
            self.postgres().start();
            tokio::time::sleep(Duration::from_millis(300)).await;
            if self.postgres().is_running() {
                break;
            }
            assert!(begin.elapsed() < WITHIN, "postgres does not start again");
        }
    }
}
