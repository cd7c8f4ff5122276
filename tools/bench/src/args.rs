//! What can be asked of a benchmark, and what follows from it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use subjects::RoundId;

/// The crowd of the targets, in connections.
const CROWD: usize = 256;
/// So many ballots are recounted, and folded after a restart, for the targets.
pub const MILLION: u64 = 1_000_000;

/// What is measured when nothing else is asked for.
struct Defaults {
    runs: u64,
    seconds: u64,
    connections: &'static [u64],
    watchers: usize,
    ballots: u64,
}

const USUAL: Defaults =
    Defaults { runs: 3, seconds: 5, connections: &[1, 64, 256, 1_024], watchers: 10_000, ballots: MILLION };
const QUICK: Defaults =
    Defaults { runs: 1, seconds: 1, connections: &[1, 64, 256], watchers: 200, ballots: 0 };

/// What to measure. Everything has a default.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Drive a system that already runs, such as http://127.0.0.1:8080, and measure what can be seen from outside.
    /// It takes X-Voter-Id, does not limit votes (URNA_LIMIT_VOTES_BY_ADDRESS=0, URNA_LIMIT_VOTES_BY_VOTER=0), and nobody
    /// else votes there meanwhile. Only http
    #[arg(long, value_name = "URL")]
    pub target: Option<Target>,

    /// The round to vote in
    #[arg(long, default_value = "demo")]
    pub round: RoundId,

    /// How people vote
    #[arg(long, value_enum, default_value_t = Shape::Steady)]
    pub shape: Shape,

    /// How often everything is measured [default: 3; with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100))]
    runs: Option<u64>,

    /// How long each load lasts [default: 5; with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: Option<u64>,

    /// How many connections vote at once, one load for each [default: 1,64,256,1024; with --quick 1,64,256]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=60_000))]
    connections: Option<Vec<u64>>,

    /// How many watch at once, as far as the limit of open files lets them [default: 10000; with --quick 200]
    #[arg(long)]
    watchers: Option<usize>,

    /// How many ballots the log holds, at the least, when it is recounted and when Urna is started again [default:
    /// 1000000; with --quick none but those of the loads]
    #[arg(long)]
    ballots: Option<u64>,

    /// Only look whether everything works: a few seconds, whose figures mean little
    #[arg(long)]
    quick: bool,

    /// Exit with 1 also when a target is missed
    #[arg(long)]
    pub strict: bool,

    /// Write every figure to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Draw throughput and latency into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// A setting of the measured Urna, such as URNA_BALLOT_QUEUE_MAX=1000. May be given again
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<Setting>,

    /// Connect Urna to NATS over TLS
    #[arg(long)]
    tls: bool,

    #[command(flatten)]
    programs: ProgramPaths,
}

/// The programs of a system.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The Urna that is measured.
    pub urna: PathBuf,
    /// The servers' programs.
    pub servers: urna_servers::Programs,
    /// Whether Urna connects to NATS over TLS.
    pub tls: bool,
}

/// Where the programs are. `make bench` finds those of the servers.
#[derive(Clone, Debug, clap::Args)]
struct ProgramPaths {
    /// The Urna to measure [default: the program urna beside this one]
    #[arg(long)]
    urna: Option<PathBuf>,

    /// The program nats-server
    #[arg(long, env = "NATS_SERVER", default_value = "nats-server")]
    nats_server: PathBuf,

    /// The folder of PostgreSQL's programs [default: those on the PATH]
    #[arg(long, env = "POSTGRES_BIN")]
    postgres_bin: Option<PathBuf>,

    /// The program redis-server
    #[arg(long, env = "REDIS_SERVER", default_value = "redis-server")]
    redis_server: PathBuf,
}

/// How people vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Everyone votes once, at full speed from the first to the last second
    Steady,
    /// The same in crowds: everyone at once at the begin of each second, then silence
    Spike,
    /// Everyone changes their ballot once
    Revote,
    /// Everyone sends their ballot twice, on two connections at about the same time
    DoubleVoters,
}

/// Where a system answers.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host and port, as in the address.
    pub host: String,
    /// Where to connect.
    pub address: SocketAddr,
}

/// A setting by name.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What will be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often everything is measured.
    pub runs: u64,
    /// How long each load lasts.
    pub length: Duration,
    /// How many connections each load has.
    pub connections: Vec<usize>,
    /// The load that the targets are about.
    pub crowd: usize,
    /// How many watch.
    pub watchers: usize,
    /// How many ballots the log holds in the end.
    pub ballots: u64,
    /// Which round.
    pub round: RoundId,
    /// How people vote.
    pub shape: Shape,
}

impl Args {
    /// What will be measured.
    pub fn plan(&self) -> Plan {
        let usual = if self.quick { QUICK } else { USUAL };
        let connections = self.connections.as_deref().unwrap_or(usual.connections);
        let connections: Vec<usize> =
            connections.iter().filter_map(|number| usize::try_from(*number).ok()).collect();
        let largest = connections.iter().copied().max().unwrap_or(CROWD);
        Plan {
            runs: self.runs.unwrap_or(usual.runs),
            length: Duration::from_secs(self.seconds.unwrap_or(usual.seconds)),
            crowd: if connections.contains(&CROWD) { CROWD } else { largest },
            connections,
            watchers: self.watchers.unwrap_or(usual.watchers),
            ballots: self.ballots.unwrap_or(usual.ballots),
            round: self.round.clone(),
            shape: self.shape,
        }
    }

    /// Where the programs are.
    ///
    /// # Errors
    /// When the directory of this program is unknown and `--urna` was not given.
    pub fn programs(&self) -> anyhow::Result<Programs> {
        let ProgramPaths { urna, nats_server, postgres_bin, redis_server } = self.programs.clone();
        let urna = match urna {
            Some(urna) => urna,
            None => std::env::current_exe().context("failed to find this program")?.with_file_name("urna"),
        };
        ensure!(
            urna.is_file(),
            "there is no program {}: build it, or name another with --urna",
            urna.display()
        );
        let postgres = postgres_bin.unwrap_or_default();
        let servers = urna_servers::Programs { nats: nats_server, postgres, redis: redis_server };
        Ok(Programs { urna, servers, tls: self.tls })
    }
}

impl Plan {
    /// What it measures, in a line.
    pub fn in_words(&self, cores: usize) -> String {
        let runs = if self.runs == 1 { "1 run".to_owned() } else { format!("{} runs", self.runs) };
        let (seconds, shape) = (self.length.as_secs(), self.shape.name());
        format!("Urna on {cores} cores, shared with the load: {runs}, {shape} loads of {seconds} s")
    }
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        let host = url.strip_prefix("http://").context("must begin with http://")?;
        let host = host.strip_suffix('/').unwrap_or(host);
        ensure!(!host.contains(['/', '?', '#', '@']), "must be a host and a port, and nothing behind");
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:80") };
        let mut found = host.to_socket_addrs().with_context(|| format!("failed to find {host}"))?;
        let address = found.next().with_context(|| format!("{host} has no address"))?;
        Ok(Self { host, address })
    }
}

impl FromStr for Setting {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, value) = text.split_once('=').context("must be NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl Shape {
    /// Its name, as it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Spike => "spike",
            Self::Revote => "revote",
            Self::DoubleVoters => "double-voters",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// The plan that follows from arguments.
    pub fn plan(arguments: &[&str]) -> Plan {
        Command::parse_from([&["bench"], arguments].concat()).args.plan()
    }

    #[test]
    fn a_quick_plan_is_small_but_for_what_is_asked_for() {
        let quick = plan(&["--quick", "--seconds", "7"]);
        assert_eq!((quick.runs, quick.length.as_secs(), quick.ballots), (1, 7, 0));
        assert_eq!(plan(&[]).runs, 3);
    }

    #[test]
    fn the_crowd_is_256_or_the_largest_there_is() {
        assert_eq!(plan(&[]).crowd, 256);
        assert_eq!(plan(&["--connections", "2,8"]).crowd, 8);
    }

    #[test]
    fn a_target_is_a_host_and_a_port() {
        let target: Target = "http://127.0.0.1:8080/".parse().unwrap();
        assert_eq!((target.host.as_str(), target.address.port()), ("127.0.0.1:8080", 8080));
        assert_eq!("http://127.0.0.1".parse::<Target>().unwrap().address.port(), 80);
        for wrong in ["127.0.0.1:8080", "https://127.0.0.1", "http://127.0.0.1/vote"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
