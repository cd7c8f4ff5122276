//! Where the servers are.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use nats::Credentials;
use secrecy::SecretString;

use super::secret::given;

/// Where NATS, Postgres and Redis are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Servers")]
pub struct Servers {
    /// Where NATS is: one address, or several of one cluster separated by commas
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    pub nats_url: String,

    /// The user of NATS, where its server asks for one
    #[arg(long, env = "NATS_USER")]
    nats_user: Option<String>,

    /// The password of that user: prefer the file
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true)]
    nats_password: Option<SecretString>,

    /// A file that holds the password of that user
    #[arg(long, env = "NATS_PASSWORD_FILE")]
    nats_password_file: Option<PathBuf>,

    /// How many NATS servers keep a copy of each stream: 1 on a single server, 3 in a cluster
    #[arg(long, env = "URNA_NATS_REPLICAS", default_value_t = 1)]
    pub nats_replicas: usize,

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
    /// As whom to connect to NATS.
    ///
    /// # Errors
    /// When the password's file cannot be read, and when one of the two is missing.
    pub fn nats_credentials(&self) -> anyhow::Result<Option<Credentials>> {
        let password = given(self.nats_password_file.as_deref(), self.nats_password.as_ref())?;
        match (self.nats_user.clone(), password) {
            (Some(user), Some(password)) => Ok(Some(Credentials { user, password })),
            (None, None) => Ok(None),
            (Some(_), None) => bail!("NATS_USER is set and there is no password: set NATS_PASSWORD_FILE"),
            (None, Some(_)) => bail!("NATS has a password and no user: set NATS_USER"),
        }
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
