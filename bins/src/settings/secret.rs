//! Secrets: given as they are, or in a file of which only this process's user can read.

use std::path::Path;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

/// The shortest secret that signs, in characters.
const SIGNING_MIN: usize = 32;

/// The secrets that are settings themselves, by the names of their arguments, and what to set instead on the command line.
/// Every user of a machine can read the command lines of its processes.
pub const SECRETS: [(&str, &str); 8] = [
    ("secret", "URNA_SECRET_FILE"),
    ("secret_previous", "URNA_SECRET_PREVIOUS_FILE"),
    ("admin_password", "URNA_ADMIN_PASSWORD_FILE"),
    ("nats_password", "NATS_PASSWORD_FILE"),
    ("nats_token", "NATS_TOKEN_FILE"),
    ("database_password", "DATABASE_PASSWORD_FILE"),
    ("redis_password", "REDIS_PASSWORD_FILE"),
    ("redis_sentinel_password", "REDIS_SENTINEL_PASSWORD_FILE"),
];

/// The secret that was given, by its file or as it is. The file wins.
pub fn given(file: Option<&Path>, secret: Option<&SecretString>) -> anyhow::Result<Option<SecretString>> {
    match file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("failed to read {}", file.display()))?;
            Ok(Some(SecretString::from(text.trim())))
        }
        None => Ok(secret.cloned()),
    }
}

/// Refuses a secret that could be guessed. `name` is what it is called.
pub fn strong(name: &str, secret: SecretString) -> anyhow::Result<SecretString> {
    if secret.expose_secret().chars().count() < SIGNING_MIN {
        bail!("{name} is too short: it must have at least {SIGNING_MIN} characters");
    }
    Ok(secret)
}
