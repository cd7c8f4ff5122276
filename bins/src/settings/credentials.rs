//! The folder of credentials: for each of NATS, Postgres and Redis the password of each user, in a file of its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use secrecy::{ExposeSecret, SecretString};

use super::secret::given;

/// Which role connects to Postgres.
#[derive(Clone, Debug)]
pub struct PostgresCredentials {
    /// The role.
    pub role: String,
    /// Its password.
    pub password: SecretString,
}

/// The part of the folder that holds the users of a server, if there is one.
///
/// # Errors
/// When it cannot be told: a part that cannot be read must not pass for one that is missing.
pub fn part_of(folder: Option<&Path>, server: &str) -> anyhow::Result<Option<PathBuf>> {
    let Some(part) = folder.map(|folder| folder.join(server)) else { return Ok(None) };
    let unreadable = || format!("failed to read {}", part.display());
    match part.symlink_metadata() {
        Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault).with_context(unreadable),
        Ok(_) => {
            part.read_dir().with_context(unreadable)?;
            Ok(Some(part))
        }
    }
}

/// The credentials of a role of Postgres: by `<role>.password` in the part of the folder for Postgres.
///
/// # Errors
/// When the file cannot be read, or holds nothing.
pub fn postgres_credentials_of(part: &Path, role: &str) -> anyhow::Result<PostgresCredentials> {
    Ok(PostgresCredentials { role: role.to_owned(), password: password_of(part, role)? })
}

/// The credentials of a user of Redis: by `<user>.password` in the part of the folder for Redis.
///
/// # Errors
/// When the file cannot be read, or holds nothing.
pub fn redis_credentials_of(part: &Path, user: &str) -> anyhow::Result<web::RedisCredentials> {
    Ok(web::RedisCredentials { user: Some(user.to_owned()), password: password_of(part, user)? })
}

fn password_of(part: &Path, user: &str) -> anyhow::Result<SecretString> {
    password_in(&part.join(format!("{user}.password")))
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
