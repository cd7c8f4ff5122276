//! Settings: one place, each with a default, a flag and an environment variable. `--help` is the documentation.
//!
//! - [`servers`] where the servers are, and as which users to connect: [`bus`], [`postgres`], [`redis`]
//! - [`credentials`] the folder that holds the password of each user
//! - [`http`] where pages are served, what signs, which proxies are believed
//! - [`accounts`] the first admin, and how long people stay signed in
//! - [`limits`] how much is let through in a minute
//! - [`commands`] the commands of `urna`
//! - `dev` in debug builds, what makes working on Urna easier

mod accounts;
mod bus;
mod commands;
mod credentials;
#[cfg(debug_assertions)]
mod dev;
mod http;
mod limits;
mod postgres;
mod redis;
mod secret;
mod servers;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, ValueEnum};
use subjects::Timestamp;

use crate::Process;

pub use accounts::Accounts;
pub use commands::{Command, Format, RecountArgs, Server};
pub use http::Http;
pub use limits::Limits;
pub use postgres::PostgresDeployment;
pub use servers::Servers;

/// The beginning of the names of our own environment variables.
const OURS: &str = "URNA_";

/// What is logged, unless it is set.
const LOG: &str = "info,actix_http=off,actix_server=warn,async_nats=warn,async_nats::connector=off,sqlx=warn";
/// The same of a command, which prints what it does.
const LOG_OF_COMMANDS: &str = "warn,async_nats::connector=off";

/// The settings of every process. Each process reads those it needs.
#[derive(Clone, Debug, clap::Parser)]
#[command(version)]
pub struct Settings {
    /// Where the servers are.
    #[command(flatten)]
    pub servers: Servers,

    /// Where pages are served, and what signs.
    #[command(flatten)]
    pub http: Http,

    /// Who may sign in.
    #[command(flatten)]
    pub accounts: Accounts,

    /// How much is let through.
    #[command(flatten)]
    pub limits: Limits,

    /// How many ballots may wait in one box before further ones are told to come back
    #[arg(long, env = "URNA_BALLOT_QUEUE_MAX", default_value_t = vote::WAITING_MAX, help_heading = "Voting")]
    pub ballot_queue_max: usize,

    /// How watchers are told.
    #[command(flatten)]
    pub watching: Watching,

    /// The demonstration round.
    #[command(flatten)]
    pub demonstration: Demonstration,

    /// How it is logged.
    #[command(flatten)]
    pub logging: Logging,

    /// What makes working on Urna easier.
    #[cfg(debug_assertions)]
    #[command(flatten)]
    pub dev: dev::Dev,
}

/// How watchers are told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Watching")]
pub struct Watching {
    /// At most how many events a second each watcher of a round receives: 1 to 20. With half as many, one machine serves
    /// twice as many watchers
    #[arg(
        long,
        env = "URNA_EVENTS_PER_SECOND",
        default_value_t = result::EVENTS_PER_SECOND,
        value_parser = clap::value_parser!(u32).range(1..=20)
    )]
    events_per_second: u32,
}

impl Watching {
    /// The time between two events of one round, when there is always something to tell.
    pub fn event_every(&self) -> Duration {
        Duration::from_secs(1) / self.events_per_second
    }
}

/// The round that is there from the first start on.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Demonstration round")]
pub struct Demonstration {
    /// The options of the demonstration round, separated by commas
    #[arg(long, env = "URNA_DEMO_OPTIONS", default_value = "Cats,Dogs", value_delimiter = ',')]
    pub demo_options: Vec<String>,

    /// The title of the demonstration round
    #[arg(long, env = "URNA_DEMO_TITLE", default_value = "Cats or dogs?")]
    pub demo_title: String,

    /// When the demonstration round closes by itself, such as 2026-11-21T20:00:00Z [default: by hand only]
    #[arg(long, env = "URNA_DEMO_CLOSES_AT", value_parser = Timestamp::parse)]
    pub demo_closes_at: Option<Timestamp>,
}

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub struct Logging {
    /// What is logged, in the form of tracing's filters, such as `info,vote=debug`
    #[arg(
        long,
        env = "URNA_LOG",
        default_value = LOG
    )]
    pub log: String,

    /// How it is logged
    #[arg(long, env = "URNA_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl Logging {
    /// What a command logs.
    pub fn log_of_commands(&self) -> &str {
        if self.log == LOG { LOG_OF_COMMANDS } else { &self.log }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON, one object a line.
    Json,
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

impl Settings {
    /// Reads the settings of `process` from the command line and the environment. Ends the process on `--help`,
    /// `--version` and anything that clap refuses.
    ///
    /// # Errors
    /// When the environment holds a variable that begins with `URNA_` and is not a setting, and when the command line holds
    /// a secret that belongs in a file.
    pub fn read(process: Process) -> anyhow::Result<(Self, Option<Command>)> {
        refuse_unknown(std::env::vars_os().map(|(name, _)| name))?;
        let named = |command: clap::Command| command.name(process.name()).about(process.about());
        let understood = "failed to read the settings";
        if process == Process::Urna {
            let matches = named(WithCommands::command()).get_matches();
            refuse_secrets(&matches)?;
            let read = WithCommands::from_arg_matches(&matches).context(understood)?;
            return Ok((read.settings, read.command));
        }
        let matches = named(Self::command()).get_matches();
        refuse_secrets(&matches)?;
        Ok((Self::from_arg_matches(&matches).context(understood)?, None))
    }

    /// The address to serve on.
    pub fn http_addr(&self, process: Process) -> SocketAddr {
        self.http.http_addr.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, process.port())))
    }
}

/// A misspelt setting must not pass for its default.
fn refuse_unknown(names: impl Iterator<Item = OsString>) -> anyhow::Result<()> {
    let command = Settings::command();
    let known: BTreeSet<_> = command.get_arguments().filter_map(|argument| argument.get_env()).collect();
    for name in names {
        if name.to_string_lossy().starts_with(OURS) && !known.contains(name.as_os_str()) {
            bail!("{} is not a setting; --help lists all settings", name.to_string_lossy());
        }
    }
    Ok(())
}

/// Every user of a machine can read the command lines of its processes.
fn refuse_secrets(matches: &ArgMatches) -> anyhow::Result<()> {
    for (name, instead) in secret::SECRETS {
        if matches.value_source(name) == Some(ValueSource::CommandLine) {
            let flag = name.replace('_', "-");
            bail!("every user of this machine can read --{flag}: set {instead} instead");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn settings(flags: &[&str]) -> Settings {
        let matches = Settings::command().get_matches_from([&["urna"], flags].concat());
        Settings::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_settings_are_well_formed() {
        WithCommands::command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_heading_and_a_variable() {
        for argument in Settings::command().get_arguments() {
            assert!(argument.get_help_heading().is_some(), "{argument} has no heading");
            assert!(argument.get_env().is_some(), "{argument} has no variable");
        }
    }

    #[test]
    fn an_unknown_variable_of_ours_is_refused_by_name() {
        let refuse = |name: &str| refuse_unknown([OsString::from(name)].into_iter());
        assert!(refuse("URNA_HTTP_ADDR").is_ok());
        assert!(refuse("URNA_LIMIT_VOTES_BY_VOTER").is_ok());
        assert!(refuse("SOMETHING_ELSE").is_ok());
        assert_eq!(
            refuse("URNA_HTP_ADDR").unwrap_err().to_string(),
            "URNA_HTP_ADDR is not a setting; --help lists all settings"
        );
    }

    #[test]
    fn only_debug_builds_have_settings_of_development() {
        let known = refuse_unknown([OsString::from("URNA_DEV_TEMPLATES")].into_iter()).is_ok();
        assert_eq!(known, cfg!(debug_assertions));
    }

    #[cfg(debug_assertions)]
    #[test]
    fn templates_are_read_only_from_a_folder_that_holds_them() {
        let templates = |folder: &str| settings(&["--dev-templates", folder]).dev.templates();
        let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates");
        assert_eq!(templates(ours).unwrap(), Some(ours.into()));
        assert_eq!(
            templates("/nonexistent").unwrap_err().to_string(),
            "/nonexistent is not a folder with pages/ and static/ in it"
        );
        assert_eq!(settings(&[]).dev.templates().unwrap(), None);
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused() {
        assert!(settings(&["--secret", SECRET]).http.keys().is_ok());
        assert!(settings(&["--secret", SECRET, "--secret-previous", SECRET]).http.keys().is_ok());
        let refused = |flags: &[&str]| settings(flags).http.keys().unwrap_err().to_string();
        assert!(refused(&[]).starts_with("no secret"));
        assert!(refused(&["--secret", "short"]).starts_with("the secret is too short"));
        let refused = refused(&["--secret", SECRET, "--secret-previous", "short"]);
        assert!(refused.starts_with("the secret of before is too short"));
    }

    #[test]
    fn a_secrets_file_wins_over_the_secret_itself() {
        let file = std::env::temp_dir().join(format!("urna-settings-{}", std::process::id()));
        std::fs::write(&file, "redis://elsewhere/\n").unwrap();
        let path = file.to_str().unwrap();
        let settings = settings(&["--redis-url", "redis://here/", "--redis-url-file", path]);
        let read = settings.servers.redis("vote");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read.unwrap().url.expose_secret(), "redis://elsewhere/");
        assert!(settings.servers.redis("vote").is_err(), "the file is gone");
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_echoed() {
        let refused = |flags: &[&str]| {
            let matches = Settings::command().get_matches_from([&["urna"], flags].concat());
            refuse_secrets(&matches).err().map(|error| error.to_string())
        };
        assert_eq!(refused(&["--nats-password-file", "file", "--nats-user", "ann"]), None);
        assert_eq!(
            refused(&["--nats-password", "s3cret"]).unwrap(),
            "every user of this machine can read --nats-password: set NATS_PASSWORD_FILE instead"
        );
        assert_eq!(
            refused(&["--nats-token", "s3cret"]).unwrap(),
            "every user of this machine can read --nats-token: set NATS_TOKEN_FILE instead"
        );
        assert_eq!(
            refused(&["--redis-sentinel-password", "s3cret"]).unwrap(),
            "every user of this machine can read --redis-sentinel-password: set REDIS_SENTINEL_PASSWORD_FILE instead"
        );
        assert!(
            refused(&["--database-password", "s3cret"])
                .unwrap()
                .ends_with("set DATABASE_PASSWORD_FILE instead")
        );
        assert!(
            refused(&["--redis-password", "s3cret"]).unwrap().ends_with("set REDIS_PASSWORD_FILE instead")
        );
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let proxies = |given: &str| settings(&["--trusted-proxies", given]).http.proxies();
        assert!(proxies("10.0.0.0/8, 192.0.2.7,::1").is_ok());
        assert!(proxies("").is_ok(), "none");
        let refused = proxies("10.0.0.0/8,proxy.example").unwrap_err().to_string();
        assert_eq!(refused, "failed to understand the proxy proxy.example");
    }

    #[test]
    fn the_public_address_is_one_of_a_site() {
        let given = |url| Settings::command().try_get_matches_from(["urna", "--public-url", url]).is_ok();
        assert!(given("https://vote.example") && given("http://localhost:8080/"));
        assert!(!given("vote.example") && !given("https://") && !given(""));
    }

    #[test]
    fn the_first_admins_password_is_one_with_which_anybody_could_register() {
        let given = |password| settings(&["--admin-password", password]).accounts.admin_password();
        assert!(given("a good long one").is_ok());
        assert!(settings(&[]).accounts.admin_password().unwrap().is_none());
        for wrong in ["", "short", "Admin@localhost"] {
            assert!(given(wrong).unwrap_err().to_string().starts_with("the first admin's password must"));
        }
    }

    #[test]
    fn watchers_are_told_as_often_as_is_of_use() {
        let every = |flags: &[&str]| settings(flags).watching.event_every();
        assert_eq!(every(&[]), Duration::from_millis(100));
        assert_eq!(every(&["--events-per-second", "20"]), Duration::from_millis(50));
        for wrong in ["0", "21", "-1", "0.5"] {
            let flag = format!("--events-per-second={wrong}");
            assert!(Settings::command().try_get_matches_from(["urna", &flag]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_of_time_are_written_as_people_write_them() {
        let accounts = settings(&["--access-token-ttl", "90s", "--session-max-age", "1d 12h"]).accounts;
        assert_eq!(accounts.access_token_ttl, Duration::from_secs(90));
        assert_eq!(accounts.session_max_age, Duration::from_secs(36 * 60 * 60));
        assert_eq!(accounts.session_idle_timeout, Duration::from_secs(7 * 24 * 60 * 60), "the default");
        let refused =
            |span| Settings::command().try_get_matches_from(["urna", "--access-token-ttl", span]).is_err();
        assert!(refused("15") && refused("999ms") && refused("-1s") && refused(""));
    }
}
