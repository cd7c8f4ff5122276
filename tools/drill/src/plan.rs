//! What is done to which part, and when: the same again for the same seed.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::random::Random;

/// The pause between one harm and the next, in milliseconds.
const PAUSE: [usize; 2] = [400, 1_800];
/// How long a part that was killed stays away, in milliseconds.
const DEAD_FOR: [usize; 2] = [100, 2_500];
/// How long a part that was told to stop stays away at least, in milliseconds.
const STOPPED_FOR: [usize; 2] = [100, 1_000];
/// How long a part that was paused hangs, in milliseconds.
const HANGS_FOR: [usize; 2] = [500, 4_000];
/// When the first harm is done.
const BEGIN: Duration = Duration::from_secs(1);

/// A part of Urna that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A process of an actor, by its name.
    Actor(&'static str),
    /// The nats-server.
    Nats,
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is killed without warning (SIGKILL), and started again.
    Kill,
    /// It is told to stop (SIGTERM), and started again.
    Restart,
    /// It is paused (SIGSTOP), and goes on (SIGCONT).
    Pause,
}

/// One harm.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// When, from the beginning of the plan.
    pub at: Duration,
    /// To which part.
    pub part: Part,
    /// What.
    pub harm: Harm,
    /// After how long it is undone.
    pub lasts: Duration,
}

/// The processes of actors.
pub const ACTORS: [&str; 10] =
    ["round", "round-2", "vote", "vote-2", "tally", "tally-2", "result", "result-2", "login", "session"];

impl Part {
    /// Every part, in the order of a report.
    pub fn all() -> Vec<Self> {
        ACTORS.into_iter().map(Self::Actor).chain([Self::Nats, Self::Postgres, Self::Redis]).collect()
    }
}

/// A plan for so long. Every part comes once before any comes again, and all are well at the end.
pub fn plan(seed: u64, length: Duration) -> Vec<Step> {
    let mut random = Random::new(seed);
    let mut steps = Vec::new();
    let mut deck: Vec<Part> = Vec::new();
    let mut well_from: HashMap<Part, Duration> = HashMap::new();
    let mut at = BEGIN;
    while at < length {
        if deck.is_empty() {
            deck = Part::all();
            random.shuffle(&mut deck);
        }
        let is_well = |part: &Part| well_from.get(part).is_none_or(|from| *from < at);
        if let Some(card) = deck.iter().rposition(is_well) {
            let part = deck.remove(card);
            let (harm, lasts) = harm(&mut random, part);
            let lasts = lasts.min(length - at);
            well_from.insert(part, at + lasts);
            steps.push(Step { at, part, harm, lasts });
        }
        at += random.between(PAUSE);
    }
    steps
}

fn harm(random: &mut Random, part: Part) -> (Harm, Duration) {
    let harm = match random.below(5) {
        0 | 1 => Harm::Kill,
        2 | 3 => Harm::Pause,
        // How servers stop is their affair.
        _ if matches!(part, Part::Actor(_)) => Harm::Restart,
        _ => Harm::Kill,
    };
    let lasts = match harm {
        Harm::Kill => DEAD_FOR,
        Harm::Restart => STOPPED_FOR,
        Harm::Pause => HANGS_FOR,
    };
    (harm, random.between(lasts))
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Actor(name) => name,
            Self::Nats => "nats-server",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        })
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Pause => "pause",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:6.1} s  {:<8}{}, for {lasts:.1} s", self.harm, self.part)
    }
}
