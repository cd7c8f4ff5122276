//! What can be asked.

use std::str::FromStr;

use clap::ValueEnum;

/// Who comes, on what machines, and what each thing costs there. Everything has a default.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Who comes.
    #[command(flatten)]
    pub crowd: Crowd,

    /// On what machines.
    #[command(flatten)]
    pub machines: Machines,

    /// What each thing costs there.
    #[command(flatten)]
    pub costs: Costs,

    /// Begins the random numbers: the same seed brings the same outcome
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// Who comes, and when.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The crowd")]
pub struct Crowd {
    /// How many vote, in one round
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub voters: u64,

    /// Within how many seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,

    /// How they come
    #[arg(long, value_enum, default_value_t = Shape::Spike)]
    pub shape: Shape,

    /// Instead of the voters: so many connections, each of which votes again as soon as it has an answer, as a
    /// benchmark does
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub connections: Option<u64>,

    /// How many watch the result meanwhile [default: a tenth of the voters, none with --connections]
    #[arg(long)]
    pub watchers: Option<u64>,
}

/// The machines. Those that are not given are as many as the busiest moment needs.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The machines [default: as many as it takes]")]
pub struct Machines {
    /// Machines with a vote process
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub vote_machines: Option<u32>,

    /// Logs that the round is split into, by voter. 1: it is not split
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub shards: Option<u32>,

    /// NATS servers, each on a machine and a disk of its own
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub servers: Option<u32>,

    /// On how many of them a log lies
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub replicas: u32,

    /// Cores of every machine
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub cores: u32,
}

/// What each thing costs. docs/scale.md says where the defaults come from, and how to measure one's own.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The costs")]
pub struct Costs {
    /// Requests that a core of a vote process answers in a second
    #[arg(long, value_name = "N", default_value = "20000")]
    pub per_core: Positive,

    /// Requests that each voter makes of a vote process: the page, and the ballot
    #[arg(long, value_name = "N", default_value = "2")]
    pub requests_per_voter: Positive,

    /// From sending a small block to its acknowledgement, when nothing else is under way
    #[arg(long, value_name = "MS", default_value = "2")]
    pub block_ms: Positive,

    /// The part of it during which the disk can sync nothing else
    #[arg(long, value_name = "MS", default_value = "0.5")]
    pub sync_ms: Positive,

    /// What the one thread of a process's boxes spends on a ballot, and the tally too
    #[arg(long, value_name = "US", default_value = "3")]
    pub ballot_us: Positive,

    /// Events that a core of a result process sends in a second
    #[arg(long, value_name = "N", default_value = "50000")]
    pub events_per_core: Positive,

    /// How uneven syncs are: 0, all alike, to 1, as uneven as chance. The mean stays
    #[arg(long, value_name = "PART", default_value = "0.5", value_parser = part)]
    pub sync_spread: f64,

    /// What a disk writes in a second, in MB
    #[arg(long, value_name = "MB", default_value = "400")]
    pub disk_mb: Positive,

    /// One transaction of the tally, when nothing else is under way
    #[arg(long, value_name = "MS", default_value = "2")]
    pub commit_ms: Positive,

    /// Such transactions that Postgres takes in a second
    #[arg(long, value_name = "N", default_value = "2000")]
    pub commits: Positive,

    /// TLS connections that a core of a proxy opens in a second
    #[arg(long, value_name = "N", default_value = "2000")]
    pub handshakes_per_core: Positive,
}

/// How a crowd comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// As many in every second
    Even,
    /// Most of them soon after the start: 3.7 times the mean after a tenth of the time, then ever fewer
    Spike,
}

/// A number above 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Positive(f64);

impl Positive {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Positive {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            Ok(number) if number > 0.0 && number < 1e12 => Ok(Self(number)),
            _ => Err("must be a number above 0"),
        }
    }
}

fn part(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|part| (0.0..=1.0).contains(part)).ok_or("must be a number from 0 to 1")
}

impl Crowd {
    /// How many watch.
    pub fn watching(&self) -> u64 {
        let usual = if self.connections.is_some() { 0 } else { self.voters / 10 };
        self.watchers.unwrap_or(usual)
    }

    /// The length in seconds, as a number to reckon with.
    pub fn length(&self) -> f64 {
        self.seconds as f64
    }
}

impl Costs {
    /// Seconds from sending a small block to its acknowledgement.
    pub fn block(&self) -> f64 {
        self.block_ms.get() / 1e3
    }

    /// Seconds during which a disk is busy with a small block.
    pub fn sync(&self) -> f64 {
        self.sync_ms.get() / 1e3
    }

    /// Seconds that a box or a tally spends on a ballot.
    pub fn ballot(&self) -> f64 {
        self.ballot_us.get() / 1e6
    }

    /// Bytes that a disk writes in a second.
    pub fn disk(&self) -> f64 {
        self.disk_mb.get() * 1e6
    }

    /// Seconds of a transaction.
    pub fn commit(&self) -> f64 {
        self.commit_ms.get() / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::args;

    #[test]
    fn a_cost_is_above_nothing() {
        assert_eq!("0.5".parse(), Ok(Positive(0.5)));
        for wrong in ["0", "-1", "nan", "inf", "much"] {
            assert!(wrong.parse::<Positive>().is_err(), "{wrong}");
        }
        assert!(part("1").is_ok() && part("1.1").is_err() && part("nan").is_err());
    }

    #[test]
    fn a_tenth_of_the_voters_watches_when_nothing_is_said() {
        assert_eq!(args("").crowd.watching(), 1_000_000);
        assert_eq!(args("--watchers 5").crowd.watching(), 5);
    }
}
