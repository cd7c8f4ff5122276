//! Where Redis is, which user connects, and what TLS needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use web::{RedisClientCertificate, RedisCredentials, RedisSettings, RedisTls};

use super::credentials::{part_of, password, password_in, redis_credentials_of};
use super::secret::given;

/// The folder that holds the passwords of users, in that of all credentials.
const FOLDER: &str = "redis";

/// Everything about the connection to Redis.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Redis")]
pub struct Redis {
    /// Where Redis is: redis://host:port, with TLS rediss://host:port, or the Sentinels that know it,
    /// redis+sentinel://host:port,host:port/master (with TLS rediss+sentinel://). May hold a user and a password: prefer
    /// the file
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:6379/", hide_env_values = true)]
    redis_url: SecretString,

    /// A file that holds the address of Redis
    #[arg(long, env = "REDIS_URL_FILE")]
    redis_url_file: Option<PathBuf>,

    /// The ACL user, unless the address says it [default: Redis's user `default`]
    #[arg(long, env = "REDIS_USER")]
    redis_user: Option<String>,

    /// The password of that user. Refused on the command line; prefer the file
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true)]
    redis_password: Option<SecretString>,

    /// A file that holds the password of that user
    #[arg(long, env = "REDIS_PASSWORD_FILE")]
    redis_password_file: Option<PathBuf>,

    /// The user of the Sentinels, which have users of their own
    #[arg(long, env = "REDIS_SENTINEL_USER")]
    redis_sentinel_user: Option<String>,

    /// The password of the Sentinels. Refused on the command line; prefer the file
    #[arg(long, env = "REDIS_SENTINEL_PASSWORD", hide_env_values = true)]
    redis_sentinel_password: Option<SecretString>,

    /// A file that holds the password of the Sentinels
    #[arg(long, env = "REDIS_SENTINEL_PASSWORD_FILE")]
    redis_sentinel_password_file: Option<PathBuf>,

    /// A file with the certificates of the authorities that sign the server's, in PEM [default:
    /// Mozilla's, built into Urna]
    #[arg(long, env = "REDIS_CA")]
    redis_ca: Option<PathBuf>,

    /// A file with a client certificate, in PEM
    #[arg(long, env = "REDIS_CERT")]
    redis_cert: Option<PathBuf>,

    /// A file with the key of the client certificate, in PEM
    #[arg(long, env = "REDIS_KEY")]
    redis_key: Option<PathBuf>,
}

impl Redis {
    /// How to connect as `user`: with its password from the folder of credentials, if it has a part for Redis, and else
    /// as the other settings say.
    ///
    /// # Errors
    /// When a file cannot be read, or two settings say the same.
    pub fn connection(&self, folder: Option<&Path>, user: &str) -> anyhow::Result<RedisSettings> {
        let url = given(self.redis_url_file.as_deref(), None)?.unwrap_or_else(|| self.redis_url.clone());
        let (file, own) = (self.redis_password_file.as_deref(), self.redis_password.as_ref());
        let own = credentials(self.redis_user.as_ref(), password(file, own, "REDIS_PASSWORD")?, "REDIS")?;
        let as_whom = match (part_of(folder, FOLDER)?, own) {
            (Some(_), Some(_)) => {
                bail!("URNA_CREDENTIALS has the users of Redis, and REDIS_PASSWORD is set too")
            }
            (Some(part), None) => Some(redis_credentials_of(&part, user)?),
            (None, own) => own,
        };
        let (file, own) =
            (self.redis_sentinel_password_file.as_deref(), self.redis_sentinel_password.as_ref());
        let password = password(file, own, "REDIS_SENTINEL_PASSWORD")?;
        let sentinel = credentials(self.redis_sentinel_user.as_ref(), password, "REDIS_SENTINEL")?;
        Ok(RedisSettings { url, credentials: as_whom, sentinel, tls: self.tls()? })
    }

    /// The content of Redis's ACL file, with the hashes of the passwords in the folder of credentials. A user without a
    /// password there is off.
    ///
    /// # Errors
    /// When the folder has no part for Redis, and when a password cannot be read.
    pub fn acl_file(folder: Option<&Path>) -> anyhow::Result<String> {
        let part = part_of(folder, FOLDER)?.context(
            "URNA_CREDENTIALS must name a folder with the passwords of the users in redis/NAME.password",
        )?;
        let mut passwords = BTreeMap::new();
        for user in urna_access::redis::names() {
            let file = part.join(format!("{user}.password"));
            if file.try_exists()? {
                passwords.insert(user, password_in(&file)?);
            }
        }
        Ok(urna_access::redis::acl_file(|user| passwords.get(user).map(ExposeSecret::expose_secret)))
    }

    fn tls(&self) -> anyhow::Result<RedisTls> {
        let authorities = self.redis_ca.as_deref().map(read).transpose()?;
        let client = match (&self.redis_cert, &self.redis_key) {
            (Some(certificate), Some(key)) => {
                let key = given(Some(key), None)?.context("failed to read the key")?;
                Some(RedisClientCertificate { certificate: read(certificate)?, key })
            }
            (None, None) => None,
            _ => bail!("a client certificate has a key: set both REDIS_CERT and REDIS_KEY"),
        };
        Ok(RedisTls { authorities, client })
    }
}

fn credentials(
    user: Option<&String>,
    password: Option<SecretString>,
    name: &str,
) -> anyhow::Result<Option<RedisCredentials>> {
    ensure!(
        user.is_none() || password.is_some(),
        "{name}_USER is set and there is no password: set {name}_PASSWORD_FILE"
    );
    Ok(password.map(|password| RedisCredentials { user: user.cloned(), password }))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))
}
