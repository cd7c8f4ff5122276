//! The folder of credentials: for each of NATS, Postgres and Redis the password of each user, in a file of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use secrecy::{ExposeSecret, SecretString};

use super::secret::given;

/// As whom to connect to Postgres.
#[derive(Clone, Debug)]
pub struct PostgresCredentials {
    /// The role.
    pub role: String,
    /// Its password.
    pub password: SecretString,
}

/// The password of a role of Postgres: `postgres/<role>.password` in the folder.
///
/// # Errors
/// When the file cannot be read, or holds nothing.
pub fn postgres_credentials_of(folder: &Path, role: &str) -> anyhow::Result<PostgresCredentials> {
    let password = password_in(&file_of(folder, "postgres", role))?;
    Ok(PostgresCredentials { role: role.to_owned(), password })
}

/// The password of a user of Redis: `redis/<user>.password` in the folder.
///
/// # Errors
/// When the file cannot be read, or holds nothing.
pub fn redis_credentials_of(folder: &Path, user: &str) -> anyhow::Result<web::RedisCredentials> {
    let password = password_in(&file_of(folder, "redis", user))?;
    Ok(web::RedisCredentials { user: Some(user.to_owned()), password })
}

fn file_of(folder: &Path, server: &str, user: &str) -> PathBuf {
    folder.join(server).join(format!("{user}.password"))
}

/// The password that a file holds.
pub fn password_in(file: &Path) -> anyhow::Result<SecretString> {
    let password = given(Some(file), None)?.with_context(|| format!("failed to read {}", file.display()))?;
    ensure!(!password.expose_secret().is_empty(), "{} holds no password", file.display());
    Ok(password)
}

/// The password that was given, as it is or in a file. One of the two would be ignored if both were.
pub fn password(
    file: Option<&Path>,
    password: Option<&SecretString>,
    name: &str,
) -> anyhow::Result<Option<SecretString>> {
    ensure!(file.is_none() || password.is_none(), "both {name} and {name}_FILE are set: set one of them");
    match file {
        Some(file) => password_in(file).map(Some),
        None => Ok(password.cloned()),
    }
}
