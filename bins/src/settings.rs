//! Settings: one place, each with a default, a flag and an environment variable. `--help` is the documentation.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use subjects::{RoundId, Timestamp};

use crate::Process;

/// The shortest secret, in characters.
const SECRET_MIN: usize = 32;
/// The beginning of the names of our own environment variables.
const OURS: &str = "URNA_";

/// The settings of every process. Each process reads those it needs.
#[derive(Clone, Debug, clap::Parser)]
#[command(version)]
pub struct Settings {
    /// Where NATS is: one address, or several of one cluster separated by commas
    #[arg(
        long,
        env = "NATS_URL",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true,
        help_heading = "Servers"
    )]
    pub nats_url: String,

    /// How many NATS servers keep a copy of each stream: 1 on a single server, 3 in a cluster
    #[arg(long, env = "URNA_NATS_REPLICAS", default_value_t = 1, help_heading = "Servers")]
    pub nats_replicas: usize,

    #[command(flatten)]
    database: Database,

    /// The address that pages, API, /live, /health and /metrics are served on [default: 127.0.0.1 and a port of the
    /// process's own: urna 8080, round 8081, vote 8082, tally 8083, result 8084]
    #[arg(long, env = "URNA_HTTP_ADDR", help_heading = "HTTP")]
    http_addr: Option<SocketAddr>,

    #[command(flatten)]
    cookies: Cookies,

    /// How many ballots may wait in one box before further ones are told to come back
    #[arg(long, env = "URNA_WAITING_MAX", default_value_t = 50_000, help_heading = "Voting")]
    pub waiting_max: usize,

    /// The options of the demonstration round, separated by commas
    #[arg(
        long,
        env = "URNA_VOTE_OPTIONS",
        default_value = "Cats,Dogs",
        value_delimiter = ',',
        help_heading = "Demonstration round"
    )]
    pub vote_options: Vec<String>,

    /// The title of the demonstration round
    #[arg(
        long,
        env = "URNA_VOTE_TITLE",
        default_value = "Cats or dogs?",
        help_heading = "Demonstration round"
    )]
    pub vote_title: String,

    /// When the demonstration round closes by itself, such as 2026-11-21T20:00:00Z [default: by hand only]
    #[arg(long, env = "URNA_VOTE_CLOSES_AT", value_parser = Timestamp::parse, help_heading = "Demonstration round")]
    pub vote_closes_at: Option<Timestamp>,

    /// What is logged, in the form of tracing's filters, such as `info,vote=debug`
    #[arg(
        long,
        env = "URNA_LOG",
        default_value = "info,actix_http=off,actix_server=warn,async_nats=warn,sqlx=warn",
        help_heading = "Logging"
    )]
    pub log: String,

    /// How it is logged
    #[arg(long, env = "URNA_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, help_heading = "Logging")]
    pub log_format: LogFormat,
}

/// Where Postgres is.
#[derive(Clone, Debug, Args)]
struct Database {
    /// Where Postgres is. May hold a password: prefer the file
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "postgres://urna@127.0.0.1:5432/urna",
        hide_env_values = true,
        help_heading = "Servers"
    )]
    database_url: SecretString,

    /// A file that holds the address of Postgres
    #[arg(long, env = "DATABASE_URL_FILE", help_heading = "Servers")]
    database_url_file: Option<PathBuf>,
}

/// What voter cookies are made of.
#[derive(Clone, Debug, Args)]
struct Cookies {
    /// Signs voter cookies: 32 characters or more, the same for all processes. Prefer the file
    #[arg(long, env = "URNA_SECRET", hide_env_values = true, help_heading = "HTTP")]
    secret: Option<SecretString>,

    /// A file that holds the secret
    #[arg(long, env = "URNA_SECRET_FILE", help_heading = "HTTP")]
    secret_file: Option<PathBuf>,

    /// Send cookies over TLS only. Set it wherever browsers come by https
    #[arg(
        long,
        env = "URNA_SECURE_COOKIES",
        value_parser = BoolishValueParser::new(),
        action = ArgAction::Set,
        default_value_t = false,
        num_args = 0..=1,
        default_missing_value = "true",
        help_heading = "HTTP"
    )]
    secure_cookies: bool,
}

/// The settings of `urna`, which has commands beside.
#[derive(Clone, Debug, clap::Parser)]
#[command(version)]
struct WithCommands {
    #[command(flatten)]
    settings: Settings,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What an operator can ask for. Without a command, Urna runs.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Count again from the log alone, and compare with the scoreboard
    ///
    /// Exits with 0 when they agree and with 1 when they do not. Reads the rounds and their
    /// logs, and says nothing on the bus. Votes may go on meanwhile.
    Recount(RecountArgs),

    /// Close a round: it is sealed, and its result is final
    Close {
        /// The round's name, as in its address
        round: RoundId,
    },
}

/// What to recount, and how to tell.
#[derive(Clone, Debug, Args)]
pub struct RecountArgs {
    /// Recount this round only [default: all]
    #[arg(long)]
    pub round: Option<RoundId>,

    /// How to print the outcome
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Put the log's counts in place of the scoreboard's where they differ
    #[arg(long)]
    pub repair: bool,
}

/// How an outcome is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON, one object a line.
    Json,
}

impl Settings {
    /// Reads the settings of `process` from the command line and the environment. Ends the process on `--help`,
    /// `--version` and anything that clap refuses.
    ///
    /// # Errors
    /// When the environment holds a variable that begins with `URNA_` and is no setting.
    pub fn read(process: Process) -> anyhow::Result<(Self, Option<Command>)> {
        refuse_unknown(std::env::vars_os().map(|(name, _)| name))?;
        let named = |command: clap::Command| command.name(process.name()).about(process.about());
        let understood = "failed to read the settings";
        if process == Process::Urna {
            let matches = named(WithCommands::command()).get_matches();
            let read = WithCommands::from_arg_matches(&matches).context(understood)?;
            return Ok((read.settings, read.command));
        }
        let matches = named(Self::command()).get_matches();
        Ok((Self::from_arg_matches(&matches).context(understood)?, None))
    }

    /// The address to serve on.
    pub fn http_addr(&self, process: Process) -> SocketAddr {
        self.http_addr.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, process.port())))
    }

    /// The address of Postgres.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn database_url(&self) -> anyhow::Result<SecretString> {
        match &self.database.database_url_file {
            Some(file) => read_secret(file),
            None => Ok(self.database.database_url.clone()),
        }
    }

    /// Gives out and knows voter cookies.
    ///
    /// # Errors
    /// When there is no secret, or one that could be guessed.
    pub fn cookies(&self) -> anyhow::Result<web::VoterCookies> {
        let secret = match (&self.cookies.secret_file, &self.cookies.secret) {
            (Some(file), _) => read_secret(file)?,
            (None, Some(secret)) => secret.clone(),
            (None, None) => bail!(
                "no secret: write one to a file (openssl rand -hex 32 > secret) and name it in URNA_SECRET_FILE"
            ),
        };
        if secret.expose_secret().chars().count() < SECRET_MIN {
            bail!("the secret is too short: it must have at least {SECRET_MIN} characters");
        }
        Ok(web::VoterCookies::new(secret, self.cookies.secure_cookies))
    }
}

fn read_secret(file: &PathBuf) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    Ok(SecretString::from(text.trim()))
}

/// A misspelt setting must not pass for its default.
fn refuse_unknown(names: impl Iterator<Item = OsString>) -> anyhow::Result<()> {
    let command = Settings::command();
    let known: BTreeSet<_> = command.get_arguments().filter_map(|argument| argument.get_env()).collect();
    for name in names {
        if name.to_string_lossy().starts_with(OURS) && !known.contains(name.as_os_str()) {
            bail!("{} is no setting; --help lists those there are", name.to_string_lossy());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_well_formed() {
        Settings::command().debug_assert();
    }

    #[test]
    fn an_unknown_variable_of_ours_is_refused_by_name() {
        let refuse = |name: &str| refuse_unknown([OsString::from(name)].into_iter());
        assert!(refuse("URNA_HTTP_ADDR").is_ok());
        assert!(refuse("SOMETHING_ELSE").is_ok());
        assert_eq!(
            refuse("URNA_HTP_ADDR").unwrap_err().to_string(),
            "URNA_HTP_ADDR is no setting; --help lists those there are"
        );
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused() {
        let settings = |secret: &str| {
            let matches = Settings::command().get_matches_from(["urna", "--secret", secret]);
            Settings::from_arg_matches(&matches).unwrap()
        };
        assert!(settings("0123456789abcdef0123456789abcdef").cookies().is_ok());
        assert!(settings("short").cookies().is_err());
    }
}
