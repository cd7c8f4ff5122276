//! What a crowd waits for: processes, disks, Postgres. Each takes one thing after another.

use std::collections::VecDeque;

use crate::args::{Args, Costs};
use crate::chance::Chance;

/// Ballots of one shard that came at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cohort {
    pub came_at: f64,
    pub shard: usize,
    pub ballots: u64,
}

/// How busy something is, in its busiest second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    second: u64,
    busy: f64,
    busiest: f64,
}

impl Meter {
    /// It works for so many seconds, at this moment.
    pub fn add(&mut self, now: f64, busy: f64) {
        let second = now as u64;
        if second != self.second {
            (self.second, self.busy) = (second, 0.0);
        }
        self.busy += busy;
        self.busiest = self.busiest.max(self.busy);
    }

    /// The part of its busiest second in which it worked.
    pub fn busiest(self) -> f64 {
        self.busiest.min(1.0)
    }
}

/// Something that does one thing after another, in the order in which it is asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    free_at: f64,
    pub meter: Meter,
}

impl Line {
    /// It is asked at a moment for something that takes so many seconds. Gives when that is done.
    pub fn serve(&mut self, at: f64, seconds: f64) -> f64 {
        let begin = self.free_at.max(at);
        self.free_at = begin + seconds;
        self.meter.add(begin, seconds);
        self.free_at
    }
}

/// A vote process: requests, in the order in which they came, and one thread for all its boxes.
#[derive(Clone, Debug)]
pub(crate) struct VoteProcess {
    requests: VecDeque<Cohort>,
    /// Ballots that it answers in a second.
    rate: f64,
    /// Ballots that it has time for by now.
    allowed: f64,
    pub cores: Meter,
    pub boxes: Line,
}

impl VoteProcess {
    pub fn new(args: &Args) -> Self {
        let requests = f64::from(args.machines.cores) * args.costs.per_core.get();
        let rate = requests / args.costs.requests_per_voter.get();
        Self {
            requests: VecDeque::new(),
            rate,
            allowed: 0.0,
            cores: Meter::default(),
            boxes: Line::default(),
        }
    }

    /// Voters ask.
    pub fn ask(&mut self, cohort: Cohort) {
        if cohort.ballots > 0 {
            self.requests.push_back(cohort);
        }
    }

    /// It works until `now`, for the length of a step. Time in which nobody asks is not kept for later.
    pub fn work(&mut self, now: f64, step: f64) {
        let room = (self.rate * step).max(1.0);
        self.allowed = if self.requests.is_empty() { room } else { self.allowed + self.rate * step };
        self.allowed = self.allowed.min(room + 1.0);
        self.cores.add(now, 0.0);
    }

    /// The next ballots that it has read, if it has time for more.
    pub fn read(&mut self, now: f64) -> Option<Cohort> {
        let can = self.allowed as u64;
        if can == 0 {
            return None;
        }
        let first = self.requests.front_mut()?;
        let read = Cohort { ballots: first.ballots.min(can), ..*first };
        first.ballots -= read.ballots;
        if first.ballots == 0 {
            self.requests.pop_front();
        }
        self.allowed -= read.ballots as f64;
        self.cores.add(now, read.ballots as f64 / self.rate);
        Some(read)
    }
}

/// The NATS servers: each with a disk that syncs one block after another.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub disks: Vec<Line>,
    replicas: usize,
    costs: Costs,
    ballot_bytes: f64,
}

impl Cluster {
    pub fn new(args: &Args, servers: u32, ballot_bytes: u64) -> Self {
        Self {
            disks: vec![Line::default(); servers as usize],
            replicas: args.machines.replicas as usize,
            costs: args.costs.clone(),
            ballot_bytes: ballot_bytes as f64,
        }
    }

    /// Appends a block to a log. Gives when most of its replicas have synced it and the answer is back.
    pub fn append(&mut self, log: usize, ballots: u64, at: f64, chance: &mut Chance) -> f64 {
        let way = (self.costs.block() - self.costs.sync()) / 2.0;
        let written = ballots as f64 * self.ballot_bytes / self.costs.disk();
        let spread = self.costs.sync_spread;
        let servers = self.disks.len();
        let mut synced: Vec<f64> = (0..self.replicas)
            .map(|replica| {
                let sync = self.costs.sync() * (1.0 - spread + spread * chance.wait());
                self.disks[(log + replica) % servers].serve(at + way, sync + written)
            })
            .collect();
        synced.sort_by(f64::total_cmp);
        synced[self.replicas / 2] + way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::args;

    #[test]
    fn what_is_asked_for_meanwhile_waits() {
        let mut line = Line::default();
        assert_eq!(line.serve(1.0, 0.5), 1.5);
        assert_eq!(line.serve(1.25, 0.5), 2.0);
        assert_eq!(line.serve(5.0, 0.5), 5.5);
    }

    #[test]
    fn the_busiest_second_is_told() {
        let mut meter = Meter::default();
        for (now, busy) in [(0.1, 0.2), (0.9, 0.2), (1.1, 0.3), (1.2, 0.4), (2.0, 0.1)] {
            meter.add(now, busy);
        }
        assert!((meter.busiest() - 0.7).abs() < 1e-9);
    }

    #[test]
    fn a_process_reads_as_many_as_it_has_time_for() {
        let mut process = VoteProcess::new(&args("--cores 2 --per-core 1000 --requests-per-voter 2"));
        process.ask(Cohort { came_at: 0.0, shard: 0, ballots: 50 });
        process.ask(Cohort { came_at: 0.0, shard: 1, ballots: 50 });
        // 1,000 ballots a second: 20 in 20 ms.
        let mut read = 0;
        for step in 0..20 {
            process.work(f64::from(step) * 0.001, 0.001);
            read += std::iter::from_fn(|| process.read(0.0)).map(|cohort| cohort.ballots).sum::<u64>();
        }
        assert_eq!(read, 20);
    }

    #[test]
    fn a_block_is_there_when_most_of_its_replicas_have_synced_it() {
        let args = args("--block-ms 3 --sync-ms 1 --sync-spread 0 --disk-mb 1000000");
        let (mut cluster, mut chance) = (Cluster::new(&args, 3, 0), Chance::new(1));
        let ms = |seconds: f64| (seconds * 1e3).round();
        assert_eq!(ms(cluster.append(0, 1, 0.0, &mut chance)), 3.0);
        // Another log on the same three disks waits for the first.
        assert_eq!(ms(cluster.append(1, 1, 0.0, &mut chance)), 4.0);
        let mut cluster = Cluster::new(&args, 4, 0);
        cluster.append(0, 1, 0.0, &mut chance);
        // Disks 1, 2 and 3, of which 1 and 2 are busy: most are two.
        assert_eq!(ms(cluster.append(1, 1, 0.0, &mut chance)), 4.0);
        // Disks 0, 1 and 2 have one, two and two syncs before.
        assert_eq!(ms(cluster.append(0, 1, 0.0, &mut chance)), 5.0);
    }
}
