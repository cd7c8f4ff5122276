//! Where the servers are.

use std::path::PathBuf;

use clap::Args;
use nats::{BusSettings, Clock};
use secrecy::SecretString;

use super::bus::Nats;
use super::secret::given;

/// Where NATS, Postgres and Redis are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Postgres and Redis")]
pub struct Servers {
    /// How to connect to NATS.
    #[command(flatten)]
    pub nats: Nats,

    /// A folder with the credentials of each actor and command: nats/NAME.password (or .nk, .creds),
    /// postgres/NAME.password, redis/NAME.password
    #[arg(long, env = "URNA_CREDENTIALS", help_heading = "Credentials")]
    credentials: Option<PathBuf>,

    /// Where Postgres is. May hold a password: prefer the file
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "postgres://urna@127.0.0.1:5432/urna",
        hide_env_values = true
    )]
    database_url: SecretString,

    /// A file that holds the address of Postgres
    #[arg(long, env = "DATABASE_URL_FILE")]
    database_url_file: Option<PathBuf>,

    /// Where Redis is. May hold a password: prefer the file
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:6379/", hide_env_values = true)]
    redis_url: SecretString,

    /// A file that holds the address of Redis
    #[arg(long, env = "REDIS_URL_FILE")]
    redis_url_file: Option<PathBuf>,
}

impl Servers {
    /// How an actor or a command connects to NATS under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn bus(&self, name: &str, clock: &Clock) -> anyhow::Result<BusSettings> {
        self.nats.bus(name, self.credentials.as_deref(), clock)
    }

    /// The address of Postgres.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn database_url(&self) -> anyhow::Result<SecretString> {
        let by_file = given(self.database_url_file.as_deref(), None)?;
        Ok(by_file.unwrap_or_else(|| self.database_url.clone()))
    }

    /// The address of Redis.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn redis_url(&self) -> anyhow::Result<SecretString> {
        let by_file = given(self.redis_url_file.as_deref(), None)?;
        Ok(by_file.unwrap_or_else(|| self.redis_url.clone()))
    }
}
