//! Voters, many at once, who remember what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::random::Random;
use crate::story::{Story, Told, Try};
use urna_world::Voter;

/// A voter of a load begins no sooner than this after the one before.
const PACE: Duration = Duration::from_millis(100);
/// How long a voter waits for an answer before asking again: less than a pause of a part may last.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause before a ballot is sent again, in milliseconds.
const AGAIN_AFTER: [usize; 2] = [50, 250];
/// How often a ballot is sent at the most.
const TRIES_MAX: usize = 60;
/// The options of the demonstration round.
const OPTIONS: [&str; 2] = ["cats", "dogs"];

/// In a hundred voters, so many are people with browsers; the others are programs.
const BROWSERS: usize = 25;
/// … change their ballot.
const CHANGES: usize = 30;
/// … send their first ballot once more, after everything.
const REPEATS: usize = 10;
/// … send a ballot to two processes at the same moment.
const DOUBLES: usize = 8;
/// … use the name of an accepted ballot for another choice, which must be refused.
const REUSES: usize = 3;
/// In a hundred failed tries, so many are the voter's last with this ballot.
const GIVES_UP: usize = 4;

/// Voters that vote, one after another on each of some connections, until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    /// What is told, while it goes on.
    pub seen: Arc<Seen>,
    connections: JoinSet<Vec<Story>>,
}

/// How often something was told.
#[derive(Debug, Default)]
pub struct Seen {
    accepted: AtomicU64,
    unaccepted: AtomicU64,
}

/// One connection's voters.
struct Connection {
    name: String,
    random: Random,
    addresses: Vec<String>,
    program: Voter,
    seen: Arc<Seen>,
}

/// The voter whose turn it is.
struct Turn {
    voter: Voter,
    story: Story,
}

impl Load {
    /// Begins, on so many connections at once, at these vote processes.
    pub fn begin(addresses: &[String], connections: usize, seed: u64) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let mut set = JoinSet::new();
        for number in 0..connections {
            let connection = Connection {
                name: format!("drill-{number}"),
                random: Random::new(seed).fork(number),
                addresses: addresses.to_vec(),
                program: Voter::browser(&addresses[0]).patient_for(PATIENCE),
                seen: Arc::clone(&seen),
            };
            set.spawn(connection.vote_until(Arc::clone(&stop)));
        }
        Self { stop, seen, connections: set }
    }

    /// Ends, when every voter has the answer they wait for or has given up.
    pub async fn end(self) -> Vec<Story> {
        self.stop.store(true, Ordering::Relaxed);
        self.connections.join_all().await.into_iter().flatten().collect()
    }
}

impl Seen {
    /// Answers that a ballot is accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Tries that were turned away or not answered.
    pub fn unaccepted(&self) -> u64 {
        self.unaccepted.load(Ordering::Relaxed)
    }
}

impl Connection {
    async fn vote_until(mut self, stop: Arc<AtomicBool>) -> Vec<Story> {
        let mut stories = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let next = Instant::now() + PACE;
            let name = format!("{}-{}", self.name, stories.len());
            stories.extend(self.one_voter(name).await);
            tokio::time::sleep_until(next).await;
        }
        stories
    }

    /// A voter from their first ballot to their last. `None` when they could not even open the page.
    async fn one_voter(&mut self, name: String) -> Option<Story> {
        let is_program = !self.random.chance(BROWSERS);
        let voter = if is_program { self.program.named(&name) } else { self.person().await? };
        let mut turn = Turn { voter, story: Story::of(name, is_program) };
        let (first, choice) = (self.random.uuid(), self.random.below(OPTIONS.len()));
        self.cast(&mut turn, &first, OPTIONS[choice]).await;
        if self.random.chance(CHANGES) {
            let second = self.random.uuid();
            self.cast(&mut turn, &second, OPTIONS[1 - choice]).await;
        }
        if self.random.chance(DOUBLES) {
            let third = self.random.uuid();
            self.cast_twice(&mut turn, &third, OPTIONS[choice]).await;
        }
        if self.random.chance(REPEATS) {
            self.cast(&mut turn, &first, OPTIONS[choice]).await;
        }
        if self.random.chance(REUSES) && turn.story.was_accepted(&first) {
            self.cast(&mut turn, &first, OPTIONS[1 - choice]).await;
        }
        Some(turn.story)
    }

    /// A person with a fresh browser, who opens the page first and so has a cookie.
    async fn person(&mut self) -> Option<Voter> {
        let voter = Voter::browser(&self.addresses[0]).patient_for(PATIENCE);
        for number in 0..TRIES_MAX {
            let here = voter.at(&self.addresses[number % self.addresses.len()]);
            if here.try_opens("/vote/demo").await.is_ok_and(|status| status == 200) {
                return Some(here);
            }
            tokio::time::sleep(self.random.between(AGAIN_AFTER)).await;
        }
        None
    }

    /// Sends a ballot, again and again with the same id, until there is an answer that says what became of it.
    async fn cast(&mut self, turn: &mut Turn, ballot: &str, choice: &'static str) {
        let mut at = self.random.below(self.addresses.len());
        for _ in 0..TRIES_MAX {
            let told = self.send(&turn.voter, at, ballot, choice).await;
            let is_settled = told.is_settled();
            turn.story.tries.push(Try { ballot: ballot.to_owned(), choice, told });
            if is_settled || self.random.chance(GIVES_UP) {
                return;
            }
            tokio::time::sleep(self.random.between(AGAIN_AFTER)).await;
            at = self.random.below(self.addresses.len());
        }
    }

    /// Sends a ballot to two processes at the same moment, and then until it is settled.
    async fn cast_twice(&mut self, turn: &mut Turn, ballot: &str, choice: &'static str) {
        let (here, there) = (0, self.addresses.len() - 1);
        let both = tokio::join!(
            self.send(&turn.voter, here, ballot, choice),
            self.send(&turn.voter, there, ballot, choice)
        );
        for told in <[Told; 2]>::from(both) {
            turn.story.tries.push(Try { ballot: ballot.to_owned(), choice, told });
        }
        self.cast(turn, ballot, choice).await;
    }

    async fn send(&self, voter: &Voter, at: usize, ballot: &str, choice: &str) -> Told {
        let told = ask(&voter.at(&self.addresses[at]), ballot, choice).await;
        let counter = match &told {
            Told::Accepted { .. } => &self.seen.accepted,
            _ => &self.seen.unaccepted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        told
    }
}

/// Sends a ballot once.
pub async fn ask(voter: &Voter, ballot: &str, choice: &str) -> Told {
    match voter.try_votes(choice, Some(ballot)).await {
        Ok(answer) => Told::of(&answer, ballot),
        Err(_) => Told::Nothing,
    }
}
