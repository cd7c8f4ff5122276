//! A world's servers: where they are, what they say, and how they come back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_nats::jetstream;
use async_nats::{ConnectOptions, ServerAddr};
use futures_util::TryStreamExt;
use nats::{Bus, BusSettings, Clock, Credentials};
use redis::aio::MultiplexedConnection;
use secrecy::SecretString;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};
use subjects::{Bucket, Stream};
use urna_servers::{Account, Server};

use crate::place::{Own, Place};
use crate::shared::{Database, Shared};
use crate::world::{WITHIN, World, eventually};

/// How long an answer to a test's own question may take, before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

impl World {
    /// Waits until every server answers.
    pub async fn servers_answer(&self) {
        if let Some(Account { password, .. }) = &self.account {
            std::fs::write(self.password_file(), password).expect("a file can be written");
        }
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
        let addresses: Vec<String> = self.nodes().map(|node| node_url(node.port)).collect();
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
        format!("postgres://{role}@127.0.0.1:{}/{name}", self.postgres_port())
    }

    /// Where Redis is.
    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}/{}", self.redis.server().port, self.number)
    }

    /// Where all servers are, as the settings of a process or a command.
    pub fn addresses(&self) -> Vec<(&'static str, String)> {
        let mut addresses = vec![
            ("NATS_URL", self.nats_url()),
            ("URNA_NATS_REPLICAS", self.nodes().count().to_string()),
            ("DATABASE_URL", self.database_url()),
            ("REDIS_URL", self.redis_url()),
        ];
        if let Some(Account { name, .. }) = &self.account {
            addresses.push(("NATS_USER", name.clone()));
            addresses.push(("NATS_PASSWORD_FILE", self.password_file().display().to_string()));
        }
        addresses
    }

    fn password_file(&self) -> PathBuf {
        self.folder().join("nats-password")
    }

    /// A connection to the nats-server.
    pub async fn nats_client(&self) -> async_nats::Client {
        let connected = self.nats_options().connect(self.nats_url()).await;
        connected.expect("the nats-server answers")
    }

    fn nats_options(&self) -> ConnectOptions {
        match &self.account {
            Some(Account { name, password }) => {
                ConnectOptions::with_user_and_password(name.clone(), password.clone())
            }
            None => ConnectOptions::new(),
        }
    }

    /// Empties what the world had of shared servers, which must be as they were before.
    pub(crate) async fn give_back(&self) -> anyhow::Result<()> {
        if let Place::Shared(nats) = &self.nats {
            ensure!(nats.is_there(), "the shared nats-server has ended");
            let jetstream = self.jetstream().await?;
            let names: Vec<String> = jetstream.stream_names().try_collect().await?;
            for name in names {
                jetstream.delete_stream(name).await?;
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

    /// A bus of this name, with the streams and the buckets that everything else needs.
    pub async fn bus(&self, name: &str) -> Bus {
        let credentials = self.account.as_ref().map(|Account { name, password }| Credentials {
            user: name.clone(),
            password: SecretString::from(password.clone()),
        });
        let (name, clock) = (name.to_owned(), Clock::system());
        let settings = BusSettings { url: self.nats_url(), credentials, name, replicas: 1, clock };
        let bus = Bus::connect(&settings).await.expect("an address");
        bus.declare_standing(&Stream::standing(), &Bucket::standing()).await;
        bus
    }

    /// A look at JetStream that shares nothing with Urna's own.
    pub async fn jetstream(&self) -> anyhow::Result<jetstream::Context> {
        let up = self.nodes().filter(|node| node.is_up());
        let addresses: Result<Vec<ServerAddr>, _> = up.map(|node| node_url(node.port).parse()).collect();
        // A node that is paused takes connections, and says nothing on them.
        let options = self.nats_options().connection_timeout(ANSWER_WITHIN).ignore_discovered_servers();
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
        let client = redis::Client::open(self.redis_url()).expect("an address of redis");
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

fn node_url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}
