//! What an operator can ask for: `urna deploy`, `urna permissions`, `urna recount`, `urna close`, `urna admin`.

mod deploy;

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use nats::{Bus, Clock, Monotonic, Projection};
use recount::{Comparison, Counts, Progress};
use round::NotChanged;
use round::rules::Refusal;
use serde_json::json;
use subjects::{Email, Round, RoundChanged, RoundId, RoundState, Stream};
use tally::rules::Scoreboard;
use tally::store::Store;
use tokio_util::sync::CancellationToken;

use crate::greeting::tell_password;
use crate::process::{bus_settings, postgres_pool};
use crate::settings::{Command, Format, RecountArgs, Server, Settings};
use crate::telemetry;

/// How long NATS may take to answer.
const BUS_WITHIN: Duration = Duration::from_secs(10);
/// How often a person is told how far it has come.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Runs a command to its end.
pub fn run(settings: &Settings, command: Command) -> anyhow::Result<ExitCode> {
    telemetry::log(settings.logging.log_of_commands(), settings.logging.log_format)?;
    let io = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let clock = Clock::system();
    io.block_on(async {
        match command {
            Command::Deploy { dry_run } => deploy::deploy(settings, dry_run, &clock).await,
            Command::Permissions { server: Server::Nats } => {
                print!("{}", urna_access::nats::secure_conf());
                Ok(ExitCode::SUCCESS)
            }
            Command::Permissions { server: Server::Redis } => {
                print!("{}", settings.servers.redis_acl_file()?);
                Ok(ExitCode::SUCCESS)
            }
            Command::Recount(args) => {
                recount(settings, &rounds_of(settings, "recount", &clock).await?, &args, &clock).await
            }
            Command::Close { round } => {
                close(&rounds_of(settings, "close", &clock).await?, &round, &clock).await
            }
            Command::Admin { email } => admin(settings, email, &clock).await,
        }
    })
}

/// Connects as `user` and waits until the server answers.
async fn connect_as(settings: &Settings, user: &str, clock: &Clock) -> anyhow::Result<Bus> {
    let bus = Bus::connect(&bus_settings(settings, user, clock)?).await?;
    if tokio::time::timeout(BUS_WITHIN, bus.wait_until_connected()).await.is_err() {
        let url = settings.servers.nats.url()?;
        let because = bus.unavailable_because().map(|reason| format!(" ({reason})")).unwrap_or_default();
        bail!("NATS at {url} did not answer within {BUS_WITHIN:?}{because}; NATS_URL says where it is");
    }
    Ok(bus)
}

/// Connects as `user` to where the rounds are.
async fn rounds_of(settings: &Settings, user: &str, clock: &Clock) -> anyhow::Result<Bus> {
    let bus = connect_as(settings, user, clock).await?;
    let needed = [Stream::rounds()];
    let checked = tokio::time::timeout(BUS_WITHIN, bus.check_deployed(&needed, &[]));
    checked.await.context("there are no rounds on this NATS server: has `urna deploy` been run?")?;
    Ok(bus)
}

async fn close(bus: &Bus, round: &RoundId, clock: &Clock) -> anyhow::Result<ExitCode> {
    let told = match round::close(bus, clock, round).await {
        Ok(()) => "is closed. Its result is final as soon as every ballot before the seal is counted.",
        Err(NotChanged::Refused(Refusal::Closed)) => "was closed before.",
        Err(fault) => return Err(fault.into()),
    };
    println!("{round} {told}");
    Ok(ExitCode::SUCCESS)
}

/// Sessions opened with the old password end when the change is published: by this command, or if NATS is unavailable by a
/// `login` process later.
async fn admin(settings: &Settings, email: Option<Email>, clock: &Clock) -> anyhow::Result<ExitCode> {
    let bus = Bus::connect(&bus_settings(settings, "login", clock)?).await?;
    let email = email.unwrap_or_else(|| settings.accounts.admin_email.clone());
    let reset = login::reset_admin(postgres_pool(settings, "login")?, &bus, clock, email.clone()).await;
    let password = reset.context("failed to make an admin")?;
    tell_password(&email, &password);
    Ok(ExitCode::SUCCESS)
}

async fn recount(
    settings: &Settings,
    bus: &Bus,
    args: &RecountArgs,
    clock: &Clock,
) -> anyhow::Result<ExitCode> {
    // Only `--repair` needs a role that may write counts.
    let store = Store::new(postgres_pool(settings, if args.repair { "tally" } else { "recount" })?);
    let mut comparisons = Vec::new();
    for changed in rounds(bus, args.round.as_ref()).await? {
        let mut comparison = compare(bus, &store, &changed.round, clock).await?;
        if args.repair && comparison.differs() {
            store.replace(&comparison.round, &scoreboard_of(&comparison)).await?;
            comparison.is_repaired = true;
        }
        comparisons.push(comparison);
    }
    let printed = match args.format {
        Format::Table => comparisons.iter().map(Comparison::table).collect(),
        Format::Json => {
            json!(comparisons.iter().map(Comparison::json).collect::<Vec<_>>()).to_string() + "\n"
        }
    };
    // The reader of a pipe, such as `head`, may have closed it.
    let _ = std::io::stdout().write_all(printed.as_bytes());
    let agree = comparisons.iter().all(Comparison::agrees);
    Ok(if agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rounds that have a log.
async fn rounds(bus: &Bus, only: Option<&RoundId>) -> anyhow::Result<Vec<RoundChanged>> {
    let rounds: Projection<RoundId, RoundChanged> =
        Projection::follow(bus, &Stream::rounds(), CancellationToken::new());
    rounds.caught_up().await;
    let mut rounds: Vec<RoundChanged> = rounds.all().iter().map(|newest| newest.message.clone()).collect();
    rounds.retain(|changed| {
        changed.round.state != RoundState::Draft && only.is_none_or(|id| *id == changed.round.id)
    });
    rounds.sort_by(|one, other| one.round.id.cmp(&other.round.id));
    match only {
        Some(id) if rounds.is_empty() => bail!("there is no round {id} with a log"),
        _ => Ok(rounds),
    }
}

/// Compares the log of a round with its scoreboard, and shows on the way how far it has come.
async fn compare(bus: &Bus, store: &Store, round: &Round, clock: &Clock) -> anyhow::Result<Comparison> {
    let mut line = ProgressLine::new(&round.id, clock);
    let scoreboard = async || anyhow::Ok(counts_of(store.read(&round.id).await?));
    let comparison = recount::compare(bus, clock, round, scoreboard, |progress| line.show(progress)).await;
    line.end();
    comparison
}

/// What the tally says, for the recount.
fn counts_of(scoreboard: Scoreboard) -> Counts {
    let Scoreboard { sequence, votes, ledger, is_final, .. } = scoreboard;
    Counts { sequence, votes, ledger, is_final }
}

/// What the recount says, for the tally.
fn scoreboard_of(comparison: &Comparison) -> Scoreboard {
    let Counts { sequence, votes, ledger, is_final } = comparison.log.clone();
    let stored_at = comparison.stored_at;
    Scoreboard { sequence, stored_at, votes, ledger, is_final, generation: 0 }
}

/// Tells a person at a terminal how far a recount has come.
struct ProgressLine {
    round: RoundId,
    clock: Clock,
    shown_at: Option<Monotonic>,
}

impl ProgressLine {
    fn new(round: &RoundId, clock: &Clock) -> Self {
        Self { round: round.clone(), clock: clock.clone(), shown_at: None }
    }

    fn show(&mut self, progress: Progress) {
        let now = self.clock.monotonic();
        let is_due = self.shown_at.is_none_or(|moment| now.since(moment) > PROGRESS_EVERY);
        if is_due && stderr().is_terminal() {
            self.shown_at = Some(now);
            eprint!("\r{}: {} %, {} ballots", self.round, progress.percent(), progress.accepted);
        }
    }

    fn end(&self) {
        if self.shown_at.is_some() {
            eprint!("\r\u{1b}[K");
        }
    }
}
