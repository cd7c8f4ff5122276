//! Where pages are served, what is signed for them, and which proxies are believed.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use secrecy::SecretString;

use super::secret::{given, strong};

/// Everything about HTTP.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct Http {
    /// The address that pages, API, /live, /health and /metrics are served on [default: 127.0.0.1 and a port of the
    /// process's own: urna 8080, round 8081, vote 8082, tally 8083, result 8084, login 8085, session 8086]
    #[arg(long, env = "URNA_HTTP_ADDR")]
    pub http_addr: Option<SocketAddr>,

    /// The address by which browsers come, such as https://vote.example [default: what each request says]
    #[arg(long, env = "URNA_PUBLIC_URL", value_parser = public_url)]
    public_url: Option<String>,

    /// The proxies in front, whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses or networks such as
    /// 10.0.0.0/8, separated by commas [default: none]
    #[arg(long, env = "URNA_TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<String>,

    /// Signs cookies, tokens, invites and forms: 32 characters or more, the same for all processes. Prefer the file
    #[arg(long, env = "URNA_SECRET", hide_env_values = true)]
    secret: Option<SecretString>,

    /// A file that holds the secret
    #[arg(long, env = "URNA_SECRET_FILE")]
    secret_file: Option<PathBuf>,

    /// The secret of before: what it has signed is still good. Prefer the file
    #[arg(long, env = "URNA_SECRET_PREVIOUS", hide_env_values = true)]
    secret_previous: Option<SecretString>,

    /// A file that holds the secret of before
    #[arg(long, env = "URNA_SECRET_PREVIOUS_FILE")]
    secret_previous_file: Option<PathBuf>,

    /// Send cookies over TLS only. Set it wherever browsers come by https
    #[arg(
        long,
        env = "URNA_SECURE_COOKIES",
        value_parser = BoolishValueParser::new(),
        action = ArgAction::Set,
        default_value_t = false,
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub secure_cookies: bool,
}

impl Http {
    /// What signs, and what has signed before.
    ///
    /// # Errors
    /// When there is no secret, or one that could be guessed.
    pub fn keys(&self) -> anyhow::Result<web::Keys> {
        let Some(current) = given(self.secret_file.as_deref(), self.secret.as_ref())? else {
            bail!(
                "no secret: write one to a file (openssl rand -hex 32 > secret) and name it in URNA_SECRET_FILE"
            );
        };
        let previous = given(self.secret_previous_file.as_deref(), self.secret_previous.as_ref())?;
        let previous = previous.map(|previous| strong("the secret of before", previous)).transpose()?;
        Ok(web::Keys::new(strong("the secret", current)?, previous))
    }

    /// Whom to believe where a request came from.
    ///
    /// # Errors
    /// When a proxy is neither an address nor a network.
    pub fn proxies(&self) -> anyhow::Result<web::Proxies> {
        let mut trusted = Vec::new();
        for network in self.trusted_proxies.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let parsed = web::parse_network(network);
            trusted.push(parsed.with_context(|| format!("failed to understand the proxy {network}"))?);
        }
        Ok(web::Proxies::new(trusted, self.public_url.clone()))
    }
}

fn public_url(text: &str) -> Result<String, &'static str> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("must begin with https:// or http:// and name a host"),
    }
}
