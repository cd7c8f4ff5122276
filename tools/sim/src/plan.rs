//! What an election is like, and what goes wrong in it: decided by its seed.

use crate::agenda::{MILLI, Moment, SECOND};
use crate::random::Random;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process dies and comes back after a while.
    Kill(usize, Moment),
    /// A process is stopped, and goes on after a while as if nothing had been.
    Pause(usize, Moment),
    /// A process loses its connections for a while.
    Cut(usize, Moment),
    /// A process's wall clock jumps by this many milliseconds.
    ClockJumps(usize, i64),
    /// The server, or every leader, is gone for a while.
    ServerDown(Moment),
    /// A leader that was cut off answers questions from the past, for a while. Its log lacks this many messages.
    StaleLeader(Moment, u64),
    /// The disk is full for a while.
    Full(Moment),
    /// An operator restores a copy of the log that lacks this many messages.
    RollBack(u64),
    /// The same, as soon as a block was acknowledged: the copy lacks this block.
    RollBackAcknowledged,
    /// An operator, or a bug, deletes the tally's consumer.
    DeleteConsumer,
    /// The server delivers messages of the tally's consumer again, or forgets some.
    Redeliver(u64),
    /// The scoreboard is gone for a while.
    ScoreboardDown(Moment),
    /// The scoreboard comes back from a copy without this many commits.
    ScoreboardRollBack(u64),
    /// An operator recounts the log and replaces the counts.
    Repair,
    /// Something stores a message that cannot be decoded.
    Garbage,
}

/// How often messages go wrong, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noise {
    /// A request never arrives.
    pub loses_request: u64,
    /// An answer never arrives.
    pub loses_answer: u64,
    /// A request arrives very late.
    pub delays_request: u64,
    /// A request arrives twice.
    pub doubles_request: u64,
    /// A delivery never arrives.
    pub loses_delivery: u64,
    /// A delivery takes long.
    pub slows_delivery: u64,
    /// The scoreboard does what it is asked and does not answer.
    pub loses_commit: u64,
}

/// What an election is like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By what everything is decided.
    pub seed: u64,
    /// How many vote processes there are.
    pub votes: usize,
    /// How many tally processes.
    pub tallies: usize,
    /// How many round processes.
    pub rounds: usize,
    /// How many result processes.
    pub results: usize,
    /// How many voters.
    pub voters: usize,
    /// Whether three servers keep the streams, or one.
    pub is_cluster: bool,
    /// Whether a ballot may be changed.
    pub allow_changes: bool,
    /// Whether a ballot may name several options.
    pub is_approval: bool,
    /// Whether the round closes at its time, or by hand.
    pub closes_by_clock: bool,
    /// By how much the clocks of processes differ at first, in milliseconds.
    pub clocks_differ_by: u64,
    /// How many ballots may wait in a box.
    pub waiting_max: usize,
    /// How long a message is on its way, from and to, in microseconds.
    pub latency: [u64; 2],
    /// How long a voter thinks, from and to, in microseconds.
    pub pauses: [u64; 2],
    /// When voters come together as a crowd, if they do.
    pub crowd_at: Option<Moment>,
    /// When the round opens.
    pub opens_at: Moment,
    /// When the round closes.
    pub closes_at: Moment,
    /// When everything that goes wrong has gone wrong.
    pub calm_at: Moment,
    /// How often messages go wrong until then.
    pub noise: Noise,
    /// What goes wrong, in the order of its moments.
    pub faults: Vec<(Moment, Fault)>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed).fork(0);
        let closes_at = random.between(4, 12) * SECOND;
        let calm_at = closes_at + random.between(0, 6) * SECOND;
        let slow = random.chance(200);
        let mut plan = Self {
            seed,
            votes: random.index(3) + 1,
            tallies: random.index(2) + 1,
            rounds: random.index(2) + 1,
            results: 1,
            voters: random.index(10) + 5,
            is_cluster: random.chance(500),
            allow_changes: random.chance(700),
            closes_by_clock: random.chance(500),
            is_approval: random.chance(300),
            clocks_differ_by: if random.chance(500) { 0 } else { random.between(1, 3_000) },
            waiting_max: if random.chance(200) { 4 } else { 50_000 },
            latency: if slow { [MILLI, 40 * MILLI] } else { [100, 2 * MILLI] },
            pauses: if random.chance(300) { [MILLI, 100 * MILLI] } else { [10 * MILLI, 250 * MILLI] },
            crowd_at: random.chance(250).then(|| random.between(0, closes_at)),
            opens_at: random.between(MILLI, 200 * MILLI),
            closes_at,
            calm_at,
            noise: Noise::default(),
            faults: Vec::new(),
        };
        plan.noise = plan.some_noise(&mut random);
        plan.faults = plan.some_faults(&mut random);
        plan
    }

    /// How many processes there are.
    pub fn processes(&self) -> usize {
        self.votes + self.tallies + self.rounds + self.results
    }

    /// Each kind of noise in some elections, so that it is not drowned by the others.
    fn some_noise(&self, random: &mut Random) -> Noise {
        let mut some = |most: u64| if random.chance(350) { random.between(1, most) } else { 0 };
        Noise {
            loses_request: some(60),
            loses_answer: some(100),
            delays_request: some(60),
            doubles_request: some(40),
            loses_delivery: some(60),
            slows_delivery: some(200),
            loses_commit: some(100),
        }
    }

    /// Some kinds of faults, each some times.
    fn some_faults(&self, random: &mut Random) -> Vec<(Moment, Fault)> {
        let mut faults = Vec::new();
        for kind in 0..KINDS {
            if !random.chance(if kind == ROLL_BACK { 150 } else { 300 }) {
                continue;
            }
            let times = if kind == ROLL_BACK { 1 } else { random.between(1, 4) };
            for _ in 0..times {
                let moment = random.below(self.calm_at);
                faults.push((moment, self.fault(kind, random)));
                if kind == ROLL_BACK && random.chance(300) {
                    // One of the servers does not know of it yet.
                    let stale = Fault::StaleLeader(random.between(SECOND, 10 * SECOND), random.between(1, 4));
                    faults.push((moment + random.below(3 * SECOND), stale));
                }
            }
        }
        faults.sort_by_key(|(moment, _)| *moment);
        faults
    }

    fn fault(&self, kind: u64, random: &mut Random) -> Fault {
        let mut of = random.fork(kind);
        let process = random.index(self.processes());
        let vote = random.index(self.votes);
        let is_acknowledged = of.chance(400);
        let mut span = |most: u64| of.between(10 * MILLI, most);
        match kind {
            0 => Fault::Kill(process, span(4 * SECOND)),
            1 => Fault::Kill(vote, span(SECOND)),
            2 => Fault::Pause(process, span(8 * SECOND)),
            3 => Fault::Pause(vote, span(8 * SECOND)),
            4 => Fault::Cut(process, span(4 * SECOND)),
            5 => Fault::ClockJumps(process, i64::try_from(of.below(600_000)).unwrap_or(0) - 300_000),
            6 => Fault::ServerDown(span(3 * SECOND)),
            7 => Fault::StaleLeader(span(10 * SECOND), of.between(1, 4)),
            8 => Fault::Full(span(3 * SECOND)),
            ROLL_BACK if is_acknowledged => Fault::RollBackAcknowledged,
            ROLL_BACK => Fault::RollBack(of.between(1, 6)),
            10 => Fault::DeleteConsumer,
            11 => Fault::Redeliver(of.between(1, 8)),
            12 => Fault::ScoreboardDown(span(6 * SECOND)),
            13 => Fault::ScoreboardRollBack(of.between(1, 4)),
            14 => Fault::Repair,
            _ => Fault::Garbage,
        }
    }
}

/// How many kinds of faults there are, and the number of the one after which ballots may be lost.
const KINDS: u64 = 16;
const ROLL_BACK: u64 = 9;
