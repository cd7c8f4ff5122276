//! Who may sign in, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use login::rules::check_password;
use secrecy::SecretString;
use subjects::Email;

use super::secret::given;

/// The first admin, and how long people stay signed in.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Accounts")]
pub struct Accounts {
    /// The e-mail address of the first admin, who is made when there is none
    #[arg(long, env = "URNA_ADMIN_EMAIL", default_value = "admin@localhost")]
    pub admin_email: Email,

    /// The first admin's password. Without it a random one is made, and printed once [default: a random one]
    #[arg(long, env = "URNA_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<SecretString>,

    /// A file that holds the first admin's password
    #[arg(long, env = "URNA_ADMIN_PASSWORD_FILE")]
    admin_password_file: Option<PathBuf>,

    /// How long an access token is good for, such as 90s or 15m. A browser gets the next one by itself
    #[arg(long, env = "URNA_ACCESS_TOKEN_TTL", default_value = "15m", value_parser = span)]
    pub access_token_ttl: Duration,

    /// After how long without use a session ends, such as 12h or 7d
    #[arg(long, env = "URNA_SESSION_IDLE_TIMEOUT", default_value = "7d", value_parser = span)]
    pub session_idle_timeout: Duration,

    /// After how long a session ends, however much it is used
    #[arg(long, env = "URNA_SESSION_MAX_AGE", default_value = "30d", value_parser = span)]
    pub session_max_age: Duration,
}

impl Accounts {
    /// The first admin's password, if one was given.
    ///
    /// # Errors
    /// When its file cannot be read, or nobody could register with it.
    pub fn admin_password(&self) -> anyhow::Result<Option<SecretString>> {
        let password = given(self.admin_password_file.as_deref(), self.admin_password.as_ref())?;
        if let Some(password) = &password {
            let checked = check_password(password, "", self.admin_email.as_str());
            checked.map_err(|why| anyhow!("the first admin's password {why}"))?;
        }
        Ok(password)
    }
}

/// A span of time as people write it. Tokens and sessions are counted in seconds.
fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|why| why.to_string())?;
    if span < Duration::from_secs(1) {
        return Err("must be a second or more".to_owned());
    }
    Ok(span)
}
