//! The drill: parts die, hang and come back at random under load, and then the books are compared.
//!
//! - [`plan`] what is done to which part, and when
//! - [`Load`] voters who remember what they were told
//! - [`Watchers`] watchers who look at every event
//! - [`compare`] what voters were told against what lies in the log
//! - [`Verdict`] what came of it
//!
//! Promise: whatever dies, nothing is lost, doubled or answered wrongly.

mod load;
mod plan;
mod random;
mod rest;
mod story;
mod verdict;
mod watch;

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until};

use urna_world::World;

pub use load::{Load, Seen, ask};
pub use plan::{ACTORS, Harm, Part, Step, plan};
pub use random::Random;
pub use story::{Numbers, Story, Told, Try, compare, numbers};
pub use verdict::Verdict;
pub use watch::{Watched, Watchers};

/// How many voters vote at once.
const CONNECTIONS: usize = 24;
/// How often the drill says how it goes.
const SAY_EVERY: Duration = Duration::from_secs(3);
/// How often the drill looks after processes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a process may take to stop when told to.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Which drill.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Brings the same plan again.
    pub seed: u64,
    /// How long parts fail.
    pub length: Duration,
    /// Whether every log and all data are kept even when all is well.
    pub keep: bool,
}

/// A drill that is under way.
struct Drill {
    world: World,
    begin: Instant,
    said: Instant,
    down: Vec<Part>,
    /// Processes that were told to stop, are to be started again once they have, and until when they must have.
    stopping: Vec<(&'static str, Instant)>,
    verdict: Verdict,
}

/// The begin or the end of a harm.
struct Moment {
    at: Duration,
    step: Step,
    is_end: bool,
}

/// Runs a drill on servers and processes of its own, every user with credentials of its own and connections over TLS. It says on standard output how it goes.
pub async fn run(settings: Settings) -> Verdict {
    let Settings { seed, length, .. } = settings;
    let steps = plan(seed, length);
    println!("Drill of {} s with seed {seed}. The plan:", length.as_secs());
    steps.iter().for_each(|step| println!("  {step}"));
    let mut world = World::over_tls().await;
    for name in ACTORS {
        world.start_as(name, program_of(name), &[]).await;
    }
    let addresses = |names: [&str; 2]| names.map(|name| world.address(name));
    let watchers = Watchers::begin(&addresses(["result", "result-2"]));
    let load = Load::begin(&addresses(["vote", "vote-2"]), CONNECTIONS, seed);
    println!("Everything runs; voters come, and parts begin to fail.");
    let now = Instant::now();
    let verdict = Verdict::new(settings);
    let (down, stopping) = (Vec::new(), Vec::new());
    let mut drill = Drill { world, begin: now, said: now, down, stopping, verdict };
    drill.follow(&steps, &load.seen).await;
    drill.finish(load, watchers).await
}

/// The name of the binary that a process runs.
fn program_of(process: &str) -> &str {
    process.split('-').next().unwrap_or(process)
}

/// The begins and ends of all steps, in the order of time.
fn moments(steps: &[Step]) -> Vec<Moment> {
    let mut moments: Vec<Moment> = Vec::new();
    for &step in steps {
        moments.push(Moment { at: step.at, step, is_end: false });
        moments.push(Moment { at: step.at + step.lasts, step, is_end: true });
    }
    moments.sort_by_key(|moment| moment.at);
    moments
}

impl Drill {
    /// Does what the plan says. At the end every part is well again, or about to be.
    async fn follow(&mut self, steps: &[Step], seen: &Seen) {
        let mut left_out = Vec::new();
        for Moment { at, step, is_end } in moments(steps) {
            self.wait_until(self.begin + at, seen).await;
            if is_end {
                if !left_out.contains(&(step.at, step.part)) {
                    self.undo(step).await;
                }
            } else if self.down.contains(&step.part) {
                // It takes longer to stop than planned, and is harmed enough.
                left_out.push((step.at, step.part));
            } else {
                self.down.push(step.part);
                self.verdict.count(step);
                self.harm(step);
            }
        }
        self.wait_until(self.begin + self.verdict.settings.length, seen).await;
        while !self.stopping.is_empty() {
            self.wait_until(Instant::now() + LOOK_EVERY, seen).await;
        }
    }

    async fn wait_until(&mut self, moment: Instant, seen: &Seen) {
        loop {
            self.look_after();
            if self.said.elapsed() > SAY_EVERY {
                self.said += SAY_EVERY;
                self.say(seen);
            }
            if Instant::now() >= moment {
                return;
            }
            sleep_until(moment.min(Instant::now() + LOOK_EVERY)).await;
        }
    }

    fn say(&self, seen: &Seen) {
        let down: Vec<String> = self.down.iter().map(ToString::to_string).collect();
        println!(
            "{:4} s  {:6} accepted  {:5} turned away or unanswered  {:3} harms  down: {}",
            self.begin.elapsed().as_secs(),
            seen.accepted(),
            seen.unaccepted(),
            self.verdict.harms(),
            if down.is_empty() { "nothing".to_owned() } else { down.join(", ") },
        );
    }

    fn harm(&mut self, step: Step) {
        let Step { part, harm, .. } = step;
        match (part, harm) {
            (Part::Actor(name), Harm::Kill) => self.world.kill(name),
            (Part::Actor(name), Harm::Restart) => self.world.running(name).signal(Signal::SIGTERM),
            (Part::Actor(name), Harm::Pause) => self.world.pause(name),
            (Part::Nats, Harm::Pause) => self.world.nats().pause(),
            (Part::Nats, _) => self.world.nats().kill(),
            (Part::Postgres, Harm::Pause) => self.world.postgres().pause(),
            (Part::Postgres, _) => self.world.postgres().kill(),
            (Part::Redis, Harm::Pause) => self.world.redis_server().pause(),
            (Part::Redis, _) => self.world.redis_server().kill(),
        }
    }

    async fn undo(&mut self, step: Step) {
        let Step { part, harm, .. } = step;
        match (part, harm) {
            // It may still be busy stopping. Meanwhile the plan goes on.
            (Part::Actor(name), Harm::Restart) => {
                return self.stopping.push((name, Instant::now() + STOP_WITHIN - step.lasts));
            }
            (Part::Actor(name), Harm::Kill) => self.world.launch(name, program_of(name), &[]),
            (Part::Actor(name), Harm::Pause) => self.world.resume(name),
            (Part::Nats, Harm::Pause) => self.world.nats().resume(),
            (Part::Nats, _) => self.world.nats().start(),
            (Part::Postgres, Harm::Pause) => self.world.postgres().resume(),
            (Part::Postgres, _) => self.world.start_postgres().await,
            (Part::Redis, Harm::Pause) => self.world.redis_server().resume(),
            (Part::Redis, _) => self.world.redis_server().start(),
        }
        self.down.retain(|down| *down != part);
    }

    /// Starts processes again that have ended, as whoever runs Urna would. Those that have done so without being told
    /// to, or not in time, are noted.
    fn look_after(&mut self) {
        for (name, until) in std::mem::take(&mut self.stopping) {
            match self.world.running(name).ended() {
                Some(status) if status.success() => {}
                Some(status) => self.verdict.differs(format!("{name} was told to stop: {status}")),
                None if Instant::now() < until => {
                    self.stopping.push((name, until));
                    continue;
                }
                None => self.verdict.differs(format!("{name} did not stop within {STOP_WITHIN:?}")),
            }
            self.world.launch(name, program_of(name), &[]);
            self.down.retain(|down| *down != Part::Actor(name));
        }
        for name in ACTORS {
            if self.down.contains(&Part::Actor(name)) {
                continue;
            }
            if let Some(status) = self.world.running(name).ended() {
                let at = self.begin.elapsed().as_secs_f64();
                self.verdict.differs(format!("{name} has ended by itself at {at:.1} s: {status}"));
                self.world.launch(name, program_of(name), &[]);
            }
        }
    }
}
