//! A world's servers: where they are, what they say, and how they come back.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::{ConnectOptions, ServerAddr};
use nats::{Bus, BusSettings, Clock};
use redis::aio::MultiplexedConnection;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};
use subjects::{Bucket, Stream};
use urna_servers::Server;

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

    /// Where Redis is.
    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.redis.port)
    }

    /// A bus of this name, with the streams and the buckets that everything else needs.
    pub async fn bus(&self, name: &str) -> Bus {
        let (name, clock) = (name.to_owned(), Clock::system());
        let settings = BusSettings { url: self.nats_url(), name, replicas: 1, clock };
        let bus = Bus::connect(&settings).await.expect("an address");
        bus.declare_standing(&Stream::standing(), &Bucket::standing()).await;
        bus
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
        self.redis.start();
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
            self.postgres.start();
            tokio::time::sleep(Duration::from_millis(300)).await;
            if self.postgres.is_running() {
                break;
            }
            assert!(begin.elapsed() < WITHIN, "postgres does not start again");
        }
    }
}

fn node_url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}
