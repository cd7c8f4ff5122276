//! Where the servers are, and as whom to connect.

use std::path::PathBuf;

use clap::Args;
use nats::{BusSettings, Clock};
use sqlx::postgres::PgConnectOptions;
use web::RedisSettings;

use super::bus::Nats;
use super::postgres::{Postgres, PostgresDeployment};
use super::redis::Redis;

/// How to connect to NATS, Postgres and Redis.
#[derive(Clone, Debug, Args)]
pub struct Servers {
    /// How to connect to NATS.
    #[command(flatten)]
    pub nats: Nats,

    /// How to connect to Postgres.
    #[command(flatten)]
    postgres: Postgres,

    /// How to connect to Redis.
    #[command(flatten)]
    redis: Redis,

    /// A folder with the credentials of each actor and command: nats/NAME.password (or .nk, .creds),
    /// postgres/NAME.password, redis/NAME.password. A server without a folder in it is connected to as its own settings
    /// say
    #[arg(long, env = "URNA_CREDENTIALS", help_heading = "Credentials")]
    credentials: Option<PathBuf>,
}

impl Servers {
    /// How an actor or a command connects to NATS under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn bus(&self, name: &str, clock: &Clock) -> anyhow::Result<BusSettings> {
        self.nats.bus(name, self.credentials.as_deref(), clock)
    }

    /// How an actor or a command connects to Postgres under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn postgres(&self, role: &str) -> anyhow::Result<PgConnectOptions> {
        self.postgres.options(self.credentials.as_deref(), role)
    }

    /// What to deploy to Postgres; `None` when all share one role.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn postgres_deployment(&self) -> anyhow::Result<Option<PostgresDeployment>> {
        self.postgres.deployment(self.credentials.as_deref())
    }

    /// The content of Redis's ACL file.
    ///
    /// # Errors
    /// When the passwords of the users cannot be read.
    pub fn redis_acl_file(&self) -> anyhow::Result<String> {
        Redis::acl_file(self.credentials.as_deref())
    }

    /// How an actor connects to Redis under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn redis(&self, user: &str) -> anyhow::Result<RedisSettings> {
        self.redis.connection(self.credentials.as_deref(), user)
    }
}
