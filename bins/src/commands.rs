//! What an operator can ask for: `urna recount`, `urna close`, `urna admin`.

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nats::{Bus, Clock, Latest};
use recount::{Recount, Recounting};
use round::NotChanged;
use round::rules::Refusal;
use serde_json::json;
use subjects::{Email, Ledger, RoundChanged, RoundId, RoundState, Stream, Timestamp};
use tally::rules::Scoreboard;
use tally::store::Store;
use tokio_util::sync::CancellationToken;

use crate::greeting::tell_password;
use crate::process::{bus_settings, postgres_pool};
use crate::settings::{Command, Format, RecountArgs, Settings};

/// The name of a command, as `nats server report connections` shows it.
const NAME: &str = "urna-command";
/// How long NATS may take to answer.
const BUS_WITHIN: Duration = Duration::from_secs(10);
/// How long the tally may take to count what the log holds before that is a difference.
const TALLY_WITHIN: Duration = Duration::from_secs(5);
/// The pause between two looks at the scoreboard.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a person is told how far it has come.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// The log of one round beside its scoreboard, at the same sequence.
struct Comparison {
    round: RoundId,
    title: String,
    log: Scoreboard,
    scoreboard: Scoreboard,
    /// When the last message of the log that was counted was stored.
    stored_at: Option<Timestamp>,
    faults: Vec<String>,
    fault_count: u64,
    took: Duration,
    is_repaired: bool,
}

/// Runs a command to its end.
pub fn run(settings: &Settings, command: Command) -> anyhow::Result<ExitCode> {
    let io = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let connected = || connect(settings);
    match command {
        Command::Recount(args) => io.block_on(async { recount(settings, &connected().await?, &args).await }),
        Command::Close { round } => io.block_on(async { close(&connected().await?, &round).await }),
        Command::Admin { email } => io.block_on(admin(settings, email)),
    }
}

async fn connect(settings: &Settings) -> anyhow::Result<Bus> {
    let bus = Bus::connect(&bus_settings(settings, NAME)?).await?;
    let answered = tokio::time::timeout(BUS_WITHIN, async {
        while bus.last_sequence(&Stream::rounds().name).await.is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    let url = &settings.servers.nats_url;
    let away = || format!("no rounds at {url} within {BUS_WITHIN:?}; NATS_URL says where they are");
    answered.await.with_context(away)?;
    // The streams are there: whoever made the rounds has declared them.
    bus.declare_standing(&[], &[]).await;
    Ok(bus)
}

async fn close(bus: &Bus, round: &RoundId) -> anyhow::Result<ExitCode> {
    let told = match round::close(bus, &Clock::system(), round).await {
        Ok(()) => "is closed. Its result is final as soon as every ballot before the seal is counted.",
        Err(NotChanged::Refused(Refusal::Closed)) => "was closed before.",
        Err(fault) => return Err(fault.into()),
    };
    println!("{round} {told}");
    Ok(ExitCode::SUCCESS)
}

/// Whoever is signed in with the old password is signed out when a `login` process says so, at the latest when NATS and
/// one of them are back: so NATS need not be there.
async fn admin(settings: &Settings, email: Option<Email>) -> anyhow::Result<ExitCode> {
    let bus = Bus::connect(&bus_settings(settings, NAME)?).await?;
    let email = email.unwrap_or_else(|| settings.accounts.admin_email.clone());
    let (pool, clock) = (postgres_pool(settings)?, Clock::system());
    let reset = login::reset_admin(pool, &bus, &clock, email.clone()).await;
    let password = reset.context("failed to make an admin")?;
    tell_password(&email, &password);
    Ok(ExitCode::SUCCESS)
}

async fn recount(settings: &Settings, bus: &Bus, args: &RecountArgs) -> anyhow::Result<ExitCode> {
    let store = Store::new(postgres_pool(settings)?);
    let mut comparisons = Vec::new();
    for changed in rounds(bus, args.round.as_ref()).await? {
        let mut comparison = compare(bus, &store, &changed).await?;
        if args.repair && comparison.log != comparison.scoreboard {
            let in_place = Scoreboard { stored_at: comparison.stored_at, ..comparison.log.clone() };
            store.replace(&comparison.round, &in_place).await?;
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
    // Whoever does not read on, does not want to know.
    let _ = std::io::stdout().write_all(printed.as_bytes());
    let agree = comparisons.iter().all(Comparison::agrees);
    Ok(if agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rounds that have a log.
async fn rounds(bus: &Bus, only: Option<&RoundId>) -> anyhow::Result<Vec<RoundChanged>> {
    let rounds: Latest<RoundChanged> = Latest::follow(bus, &Stream::rounds(), CancellationToken::new());
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

/// Recounts to the end of the log, and reads the scoreboard there: or, as votes go on, a little further.
async fn compare(bus: &Bus, store: &Store, changed: &RoundChanged) -> anyhow::Result<Comparison> {
    let begin = Instant::now();
    let round = changed.round.id.clone();
    let end = bus.last_sequence(&Stream::votes(&round).name).await?;
    let mut recounting = Recounting::begin(bus.clone(), &round);
    let mut progress = Progress::new(&round, end);
    recounting.count_to(end, |recount| progress.show(recount)).await;
    let took = begin.elapsed();
    let scoreboard = counted_to(store, &round, end).await?;
    // A scoreboard may know of more than the log holds: an older copy of the log was restored.
    let end = bus.last_sequence(&Stream::votes(&round).name).await?;
    recounting.count_to(scoreboard.sequence.min(end), |recount| progress.show(recount)).await;
    progress.end();
    let recount = &recounting.recount;
    Ok(Comparison {
        round,
        title: changed.round.title.clone(),
        log: scoreboard_of(recount),
        scoreboard: comparable(scoreboard),
        stored_at: recounting.stored_at,
        faults: recount.faults.iter().map(ToString::to_string).collect(),
        fault_count: recount.fault_count,
        took,
        is_repaired: false,
    })
}

/// The scoreboard once it has come to `end`, or as far as it has come when the tally does not move.
async fn counted_to(store: &Store, round: &RoundId, end: u64) -> anyhow::Result<Scoreboard> {
    let begin = Instant::now();
    loop {
        let scoreboard = store.read(round).await?;
        if scoreboard.sequence >= end || begin.elapsed() > TALLY_WITHIN {
            return Ok(scoreboard);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn scoreboard_of(recount: &Recount) -> Scoreboard {
    let Recount { sequence, accepted, replaced, unreadable, .. } = *recount;
    let ledger = Ledger { accepted, counted: recount.counted(), replaced, unreadable };
    let is_final = recount.sealed_at.is_some();
    let votes = recount.votes();
    comparable(Scoreboard { sequence, votes, ledger, is_final, ..Scoreboard::default() })
}

/// What can be compared. An option that nobody chose any more may be there with zero or not at all.
fn comparable(mut scoreboard: Scoreboard) -> Scoreboard {
    scoreboard.votes.retain(|_, votes| *votes != 0);
    Scoreboard { stored_at: None, generation: 0, ..scoreboard }
}

impl Comparison {
    fn agrees(&self) -> bool {
        self.fault_count == 0 && (self.is_repaired || self.log == self.scoreboard)
    }

    /// The rows: what is compared, in the log, on the scoreboard.
    fn rows(&self) -> Vec<(String, i64, i64)> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let mut options: Vec<_> = self.log.votes.keys().chain(self.scoreboard.votes.keys()).collect();
        options.sort();
        options.dedup();
        let votes = |scoreboard: &Scoreboard, option| scoreboard.votes.get(option).copied().unwrap_or(0);
        let mut rows: Vec<_> = options
            .into_iter()
            .map(|option| (option.to_string(), votes(&self.log, option), votes(&self.scoreboard, option)))
            .collect();
        let (log, board) = (&self.log.ledger, &self.scoreboard.ledger);
        rows.extend([
            ("= accepted".to_owned(), signed(log.accepted), signed(board.accepted)),
            ("= counted".to_owned(), signed(log.counted), signed(board.counted)),
            ("= replaced".to_owned(), signed(log.replaced), signed(board.replaced)),
            ("= unreadable".to_owned(), signed(log.unreadable), signed(board.unreadable)),
            ("= counted to".to_owned(), signed(self.log.sequence), signed(self.scoreboard.sequence)),
            ("= final".to_owned(), i64::from(self.log.is_final), i64::from(self.scoreboard.is_final)),
        ]);
        rows
    }

    fn verdict(&self) -> &'static str {
        match (self.fault_count, self.is_repaired, self.log == self.scoreboard) {
            (0, _, true) => "the log and the scoreboard agree",
            (0, true, false) => "THEY DIFFERED; the scoreboard now says what the log says",
            (0, false, false) => "THEY DIFFER; --repair puts the log's counts in place",
            _ => "THE LOG CONTRADICTS ITSELF",
        }
    }

    fn table(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{} · {}\n", self.round, self.title);
        let mut line = |name: &str, log: &str, board: &str, difference: &str| {
            let _ = writeln!(text, "  {name:<32} {log:>14} {board:>14} {difference:>12}");
        };
        line("", "log", "scoreboard", "difference");
        for (name, log, board) in self.rows() {
            line(&name, &log.to_string(), &board.to_string(), &(board - log).to_string());
        }
        for fault in &self.faults {
            let _ = writeln!(text, "  {fault}");
        }
        let seconds = self.took.as_secs_f64();
        let _ =
            writeln!(text, "  {} ballots in {seconds:.2} s: {}\n", self.log.ledger.accepted, self.verdict());
        text
    }

    fn json(&self) -> serde_json::Value {
        let side = |it: &Scoreboard| {
            json!({
                "sequence": it.sequence, "votes": it.votes, "ledger": it.ledger, "final": it.is_final,
            })
        };
        json!({
            "round": self.round,
            "title": self.title,
            "log": side(&self.log),
            "scoreboard": side(&self.scoreboard),
            "faults": self.faults,
            "fault_count": self.fault_count,
            "repaired": self.is_repaired,
            "agree": self.agrees(),
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// Tells a person at a terminal how far a recount has come.
struct Progress {
    round: RoundId,
    end: u64,
    shown_at: Option<Instant>,
}

impl Progress {
    fn new(round: &RoundId, end: u64) -> Self {
        Self { round: round.clone(), end, shown_at: None }
    }

    fn show(&mut self, recount: &Recount) {
        let is_due = self.shown_at.is_none_or(|moment| moment.elapsed() > PROGRESS_EVERY);
        if is_due && stderr().is_terminal() {
            self.shown_at = Some(Instant::now());
            let percent = recount.sequence * 100 / self.end.max(recount.sequence).max(1);
            eprint!("\r{}: {percent} %, {} ballots", self.round, recount.accepted);
        }
    }

    fn end(&self) {
        if self.shown_at.is_some() {
            eprint!("\r\u{1b}[K");
        }
    }
}
