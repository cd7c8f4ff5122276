//! The processes: settings, telemetry, connect, serve, stop. Decides nothing.

mod actors;
mod api;
mod commands;
mod edge;
mod greeting;
mod process;
mod settings;
mod telemetry;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use subjects::{Bucket, Stream};

use crate::settings::Settings;

/// Every ballot allocates some dozens of times, on one thread, and is freed on another.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Which process this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// All of them in one.
    Urna,
    /// What is being voted on, and when.
    Round,
    /// Accepts or refuses ballots.
    Vote,
    /// Counts.
    Tally,
    /// Tells everyone who watches.
    Result,
    /// Proves who a person is.
    Login,
    /// Opens, finds and ends sessions.
    Session,
}

impl Process {
    /// Its name, also as a service.
    pub fn name(self) -> &'static str {
        match self {
            Self::Urna => "urna",
            Self::Round => "round",
            Self::Vote => "vote",
            Self::Tally => "tally",
            Self::Result => "result",
            Self::Login => "login",
            Self::Session => "session",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Urna => "Urna, a ballot box: every process in one",
            Self::Round => "Urna's rounds: what is being voted on, and when",
            Self::Vote => "Urna's vote: accepts or refuses ballots",
            Self::Tally => "Urna's tally: counts ballots",
            Self::Result => "Urna's result: tells everyone who watches",
            Self::Login => "Urna's login: proves who a person is",
            Self::Session => "Urna's session: opens, finds and ends sessions",
        }
    }

    /// The port it serves on when not told otherwise.
    fn port(self) -> u16 {
        match self {
            Self::Urna => 8080,
            Self::Round => 8081,
            Self::Vote => 8082,
            Self::Tally => 8083,
            Self::Result => 8084,
            Self::Login => 8085,
            Self::Session => 8086,
        }
    }

    /// The actors that run in this process, by the processes that run each of them alone.
    fn actors(self) -> &'static [Self] {
        match self {
            Self::Urna => &[Self::Tally, Self::Round, Self::Vote, Self::Result, Self::Login, Self::Session],
            Self::Round => &[Self::Round],
            Self::Vote => &[Self::Vote],
            Self::Tally => &[Self::Tally],
            Self::Result => &[Self::Result],
            Self::Login => &[Self::Login],
            Self::Session => &[Self::Session],
        }
    }

    /// Whether an actor runs in this process.
    fn runs(self, actor: Self) -> bool {
        self.actors().contains(&actor)
    }

    /// The streams and buckets that an actor needs before it begins.
    fn needs(self) -> (Vec<Stream>, Vec<Bucket>) {
        let streams = match self {
            Self::Urna => Vec::new(),
            Self::Round => vec![Stream::rounds(), Stream::keys(), Stream::tallies(), Stream::dead_letters()],
            Self::Vote => vec![Stream::rounds(), Stream::keys(), Stream::tallies()],
            Self::Tally => vec![Stream::rounds(), Stream::tallies(), Stream::dead_letters()],
            Self::Result => vec![Stream::rounds(), Stream::tallies()],
            Self::Login => vec![Stream::accounts(), Stream::sessions()],
            Self::Session => vec![Stream::accounts(), Stream::sessions(), Stream::dead_letters()],
        };
        (streams, if self == Self::Round { vec![Bucket::pictures()] } else { Vec::new() })
    }
}

/// Runs a process until it is told to stop, or a command until it is done. The status is 2 when it could not.
pub fn main(process: Process) -> ExitCode {
    let run = Settings::read(process).and_then(|(settings, command)| match command {
        Some(command) => commands::run(&settings, command),
        None => process::run(process, &settings).map(|()| ExitCode::SUCCESS),
    });
    match run {
        Ok(status) => status,
        Err(fault) => {
            eprintln!("{}: {fault:#}", process.name());
            // 1 is what a recount says that found a difference.
            ExitCode::from(2)
        }
    }
}
