//! The crowd on the machines, in steps much shorter than a block takes.
//!
//! Voters come to the vote process that holds the box of their shard. It has so many cores; requests wait for them in
//! the order in which they came. Read ballots wait at their box. A box that has no block under way takes all that
//! wait, as many as a block holds, and appends them: so blocks grow as the log gets slower, and nothing else is
//! needed. A tally for each shard takes the blocks, commits, and announces, which is an append too.

use std::collections::VecDeque;

use crate::args::Args;
use crate::arrivals::Arrivals;
use crate::chance::Chance;
use crate::outcome::{Busy, Outcome};
use crate::parts::{Cluster, Cohort, Line, VoteProcess};
use crate::shard::{Block, Run, Shard, Stored};
use crate::{Constants, Plan};

/// A step is this part of a block's time,
const STEPS_OF_A_BLOCK: f64 = 10.0;
/// but no shorter and no longer than this, in seconds.
const STEP: [f64; 2] = [5e-5, 5e-4];
/// How long after the last voter has come the simulation ends at the latest, in seconds.
const AFTERWARDS: f64 = 600.0;

struct World<'a> {
    args: &'a Args,
    constants: &'a Constants,
    plan: &'a Plan,
    step: f64,
    now: f64,
    chance: Chance,
    processes: Vec<VoteProcess>,
    shards: Vec<Shard>,
    cluster: Cluster,
    postgres: Line,
    /// When the last announcements are in their log.
    announced_at: f64,
    /// Those who were turned away, and when they come again. The first is the next.
    coming_again: VecDeque<(f64, Cohort)>,
    outcome: Outcome,
}

/// Lets the crowd come, until all are answered and counted.
pub fn simulate(args: &Args, constants: &Constants, plan: &Plan) -> Outcome {
    let mut world = World::new(args, constants, plan);
    let end = args.crowd.length() + AFTERWARDS;
    while !world.is_done() && world.now < end {
        world.advance();
    }
    world.outcome()
}

impl<'a> World<'a> {
    fn new(args: &'a Args, constants: &'a Constants, plan: &'a Plan) -> Self {
        let mut world = Self {
            args,
            constants,
            plan,
            step: (args.costs.block() / STEPS_OF_A_BLOCK).clamp(STEP[0], STEP[1]),
            now: 0.0,
            chance: Chance::new(args.seed),
            processes: vec![VoteProcess::new(args); plan.vote_machines as usize],
            shards: Vec::new(),
            cluster: Cluster::new(args, plan.servers, constants.ballot_bytes),
            postgres: Line::default(),
            announced_at: 0.0,
            coming_again: VecDeque::new(),
            outcome: Outcome::default(),
        };
        let mut left = if args.crowd.connections.is_some() { 0 } else { args.crowd.voters };
        for shard in 0..plan.shards {
            let voters = world.chance.of(left, 1.0 / f64::from(plan.shards - shard));
            left -= voters;
            world.shards.push(Shard::new(Arrivals::of(&args.crowd, voters)));
        }
        world.connect();
        world
    }

    /// Connections have their first voter at once, spread over the shards.
    fn connect(&mut self) {
        let connections = self.args.crowd.connections.unwrap_or(0);
        let shards = self.shards.len() as u64;
        for shard in 0..shards {
            let ballots = connections / shards + u64::from(shard < connections % shards);
            self.come(Cohort { came_at: 0.0, shard: shard as usize, ballots });
        }
    }

    fn is_done(&self) -> bool {
        let Outcome { came, counted, turned_away, .. } = &self.outcome;
        came - turned_away == *counted
            && self.coming_again.is_empty()
            && self.shards.iter().all(|shard| shard.arrivals.left() == 0)
    }

    fn advance(&mut self) {
        let before = self.now;
        self.now += self.step;
        for shard in 0..self.shards.len() {
            let arrivals = &mut self.shards[shard].arrivals;
            let ballots = arrivals.between(before, self.now, &mut self.chance);
            self.come(Cohort { came_at: before, shard, ballots });
        }
        while self.coming_again.front().is_some_and(|(at, _)| *at <= self.now) {
            if let Some((_, cohort)) = self.coming_again.pop_front() {
                self.come(cohort);
            }
        }
        for process in 0..self.processes.len() {
            self.read(process);
        }
        for shard in 0..self.shards.len() {
            self.settle(shard);
            self.judge(shard);
            self.settle_run(shard);
            self.count(shard);
            self.send(shard);
        }
        self.announce();
    }

    fn come(&mut self, cohort: Cohort) {
        self.outcome.came += cohort.ballots;
        self.processes[self.plan.machine_of(cohort.shard)].ask(cohort);
    }

    /// What a process has read waits at its box, or is turned away when too many do.
    fn read(&mut self, process: usize) {
        self.processes[process].work(self.now, self.step);
        while let Some(mut read) = self.processes[process].read(self.now) {
            let shard = &mut self.shards[read.shard];
            let refused = read.ballots.saturating_sub(self.constants.waiting_max.saturating_sub(shard.waits));
            if refused > 0 {
                let at = self.now + self.constants.come_again_after.as_secs_f64();
                self.coming_again.push_back((at, Cohort { ballots: refused, ..read }));
                self.outcome.turned_away += refused;
                read.ballots -= refused;
            }
            if read.ballots > 0 {
                shard.waits += read.ballots;
                shard.waiting.push_back(read);
                self.outcome.waiting_most = self.outcome.waiting_most.max(shard.waits);
            }
        }
    }

    /// Answers those whose block is in the log.
    fn settle(&mut self, shard: usize) {
        let it = &mut self.shards[shard];
        let done_at = it.under_way.as_ref().and_then(|block| block.done_at);
        let Some(done_at) = done_at.filter(|at| *at <= self.now) else { return };
        let Some(block) = it.under_way.take() else { return };
        it.free_at = done_at;
        it.uncounted.push_back(Stored { at: done_at, ballots: block.ballots });
        self.outcome.accepted += block.ballots;
        self.outcome.accepted_at = self.outcome.accepted_at.max(done_at);
        self.outcome.blocks.add(block.ballots as f64 / 1e3, 1);
        for cohort in &block.cohorts {
            self.outcome.answers.add(done_at - cohort.came_at, cohort.ballots);
        }
        let again = self.args.crowd.connections.is_some() && done_at < self.args.crowd.length();
        if again {
            self.come(Cohort { came_at: done_at, shard, ballots: block.ballots });
        }
    }

    /// Judges what waits, when no block is under way.
    fn judge(&mut self, shard: usize) {
        let it = &mut self.shards[shard];
        if it.under_way.is_some() || it.waits == 0 || it.paused_until > self.now {
            return;
        }
        let (cohorts, ballots) = it.take(self.constants.block_max);
        // It began when the last one was done or its pause was over, or when its first voter came: within this step.
        let begin = it.free_at.max(it.paused_until).max(self.now - self.step);
        let is_crowd = ballots >= self.constants.crowd;
        it.paused_until = if is_crowd { begin + self.constants.crowd_every.as_secs_f64() } else { begin };
        let boxes = &mut self.processes[self.plan.machine_of(shard)].boxes;
        let ready_at = boxes.serve(begin, ballots as f64 * self.args.costs.ballot());
        it.under_way = Some(Block { cohorts, ballots, ready_at, done_at: None });
    }

    /// Takes note of a run that is announced.
    fn settle_run(&mut self, shard: usize) {
        let it = &mut self.shards[shard];
        let is_done = |run: &mut Run| run.done_at.is_some_and(|at| at <= self.now);
        let Some(run) = it.run.take_if(is_done) else { return };
        for stored in &run.blocks {
            self.outcome.counted += stored.ballots;
            self.outcome.lag.add(run.committed_at - stored.at, 1);
        }
        self.outcome.counted_at = self.outcome.counted_at.max(run.committed_at);
    }

    /// Counts and commits a run of blocks, when the last one is announced.
    fn count(&mut self, shard: usize) {
        let it = &mut self.shards[shard];
        let is_due = self.now >= it.next_run_at;
        let is_full = it.uncounted.len() >= self.constants.run_max;
        if it.run.is_some() || it.uncounted.is_empty() || !(is_due || is_full) {
            return;
        }
        let blocks: Vec<Stored> =
            it.uncounted.drain(..it.uncounted.len().min(self.constants.run_max)).collect();
        let ballots: u64 = blocks.iter().map(|stored| stored.ballots).sum();
        let counted_at = self.now + ballots as f64 * self.args.costs.ballot();
        let turn = 1.0 / self.args.costs.commits.get();
        let committed_at = self.postgres.serve(counted_at, turn) - turn + self.args.costs.commit().max(turn);
        it.run = Some(Run { blocks, committed_at, done_at: None });
        let is_large = ballots * self.constants.ballot_bytes >= self.constants.large_run_bytes;
        let every = if is_large { self.constants.large_run_every } else { self.constants.run_every };
        it.next_run_at = self.now + every.as_secs_f64();
        self.outcome.commits += 1;
    }

    /// Sends a block that is ready by now to the servers.
    fn send(&mut self, shard: usize) {
        let it = &mut self.shards[shard];
        if let Some(block) = &mut it.under_way
            && block.done_at.is_none()
            && block.ready_at <= self.now
        {
            let done_at = self.cluster.append(shard, block.ballots, block.ready_at, &mut self.chance);
            block.done_at = Some(done_at);
        }
    }

    /// Announces all runs that are committed by now, together. Announcements of all shards lie in one log, which has
    /// one sync under way.
    fn announce(&mut self) {
        if self.announced_at > self.now {
            return;
        }
        let committed = |run: &&mut Run| run.done_at.is_none() && run.committed_at <= self.now;
        let runs = self.shards.iter_mut().filter_map(|shard| shard.run.as_mut()).filter(committed);
        let runs: Vec<&mut Run> = runs.collect();
        if runs.is_empty() {
            return;
        }
        self.announced_at = self.cluster.append(self.plan.shards as usize, 0, self.now, &mut self.chance);
        for run in runs {
            run.done_at = Some(self.announced_at);
        }
    }

    fn outcome(self) -> Outcome {
        let most = |parts: &mut dyn Iterator<Item = f64>| parts.fold(0.0, f64::max);
        let busy = Busy {
            vote: most(&mut self.processes.iter().map(|process| process.cores.busiest())),
            boxes: most(&mut self.processes.iter().map(|process| process.boxes.meter.busiest())),
            disks: most(&mut self.cluster.disks.iter().map(|disk| disk.meter.busiest())),
            postgres: self.postgres.meter.busiest(),
        };
        Outcome { busy, ..self.outcome }
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{args, constants, outcome_of};
    use crate::{Constants, Outcome, Plan, simulate};

    /// Costs that leave nothing but the time of a block: no cores, no bytes, no unevenness.
    const BLOCKS_ONLY: &str = "--per-core 1e9 --ballot-us 0.00001 --disk-mb 1e9 --sync-spread 0";

    /// With a box in which everybody may wait.
    fn blocks_only(line: &str) -> Outcome {
        let args = args(&format!("{BLOCKS_ONLY} {line}"));
        let constants = Constants { waiting_max: u64::MAX, ..constants() };
        let plan = Plan::new(&args, &constants).unwrap();
        simulate(&args, &constants, &plan)
    }

    /// Whether a figure is what was worked out by hand, but for the steps.
    fn assert_near(figure: f64, by_hand: f64) {
        assert!((figure / by_hand - 1.0).abs() < 0.06, "{figure} instead of {by_hand}");
    }

    #[test]
    fn one_log_takes_as_many_as_a_block_holds_each_time_that_a_block_takes() {
        // 1,000 ballots in 10 ms are 100,000 a second, and 200,000 come at once: they are through after 2 s.
        let line = "--shape even --seconds 1 --voters 200000 --block-ms 10 --sync-ms 1 --shards 1";
        let outcome = blocks_only(&format!("{line} --vote-machines 1 --replicas 1 --servers 1"));
        assert_near(outcome.accepted_at, 2.0);
        assert_near(outcome.blocks.within(0.5) * 1e3, 1_000.0);
        // Whoever came last, after 1 s, waited 1 s.
        assert_near(outcome.answers.longest(), 1.0);
    }

    #[test]
    fn two_logs_take_twice_as_much_unless_they_share_what_is_busy() {
        let line = "--shape even --seconds 1 --voters 400000 --block-ms 10 --vote-machines 1 --replicas 1";
        let through = |rest: &str| blocks_only(&format!("{line} {rest}")).accepted_at;
        assert_near(through("--shards 1 --servers 1 --sync-ms 1"), 4.0);
        assert_near(through("--shards 2 --servers 2 --sync-ms 1"), 2.0);
        // With one commit a second, announcements hardly use it.
        // One disk that syncs all the time writes 1,000 ballots in 10 ms, however many logs there are.
        assert_near(through("--shards 2 --servers 1 --sync-ms 10 --commits 1"), 4.0);
    }

    #[test]
    fn what_is_planned_is_enough() {
        for line in ["", "--block-ms 10 --sync-ms 5", "--shape even --cores 2", "--replicas 1"] {
            let (plan, outcome) = outcome_of(&format!("--voters 1000000 --seconds 6 {line}"));
            assert_eq!((outcome.accepted, outcome.turned_away), (1_000_000, 0), "{line}: {plan:?}");
            assert!(outcome.answers.within(0.99) < 0.1, "{line}: {} s", outcome.answers.within(0.99));
            assert!(outcome.busy.vote < 0.8, "{line}: {:?}", outcome.busy);
        }
    }

    #[test]
    fn a_lone_voter_waits_for_one_block() {
        let outcome = blocks_only("--voters 1 --seconds 1 --block-ms 4 --watchers 0");
        assert!((0.004..0.0052).contains(&outcome.answers.longest()), "{}", outcome.answers.longest());
    }

    #[test]
    fn behind_a_crowds_block_the_next_waits() {
        // 1,000 connections and appends of 1 ms: a block each 4 ms, with everybody in it.
        let line = "--connections 1000 --seconds 1 --block-ms 1 --shards 1 --vote-machines 1";
        let outcome = blocks_only(&format!("{line} --replicas 1 --servers 1"));
        assert_near(outcome.accepted as f64, 250_000.0);
    }

    #[test]
    fn cores_that_are_too_few_are_what_everyone_waits_for() {
        // 2 cores of 1,000 requests: 1,000 ballots a second with 2 requests each.
        let line =
            "--shape even --voters 5000 --seconds 1 --cores 2 --per-core 1000 --vote-machines 1 --shards 1";
        let (_, outcome) = outcome_of(line);
        assert_near(outcome.accepted_at, 5.0);
        assert_near(outcome.busy.vote, 1.0);
    }

    #[test]
    fn every_voter_is_accepted_and_counted_once_though_most_are_turned_away_before() {
        let args = args("--voters 50000 --seconds 1 --shards 2 --vote-machines 2 --block-ms 20");
        let constants = Constants { waiting_max: 1_000, ..constants() };
        let plan = Plan::new(&args, &constants).unwrap();
        let outcome = simulate(&args, &constants, &plan);
        assert!(outcome.turned_away > 10_000, "{}", outcome.turned_away);
        assert_eq!((outcome.accepted, outcome.counted), (50_000, 50_000));
        assert_eq!(outcome.answers.total(), 50_000);
        assert_eq!(outcome.waiting_most, 1_000);
    }

    #[test]
    fn a_tally_commits_often_for_few_and_less_often_for_a_crowd() {
        let line = "--shape even --seconds 2 --shards 1 --vote-machines 1";
        let (_, few) = outcome_of(&format!("{line} --voters 2000"));
        assert!((90..=105).contains(&few.commits), "{}", few.commits);
        assert!(few.lag.longest() < 0.03, "{}", few.lag.longest());
        let (_, crowd) = outcome_of(&format!("{line} --voters 100000"));
        assert!((36..=44).contains(&crowd.commits), "{}", crowd.commits);
        assert!(crowd.lag.longest() < 0.065, "{}", crowd.lag.longest());
    }

    #[test]
    fn a_slow_postgres_delays_nobodys_answer() {
        let line = "--shape even --voters 100000 --seconds 2 --shards 1 --vote-machines 1";
        let (_, quick) = outcome_of(line);
        let (_, slow) = outcome_of(&format!("{line} --commit-ms 500"));
        assert!(slow.commits <= 6, "{}", slow.commits);
        assert!(slow.lag.longest() > 0.5, "{}", slow.lag.longest());
        assert_near(slow.answers.within(0.5), quick.answers.within(0.5));
    }

    /// One machine of two cores that the load shares: 64 connections, a synced append of 0.55 ms, and cores that do
    /// 47,000 ballots a second in all. There a block held 22 ballots, p50 was 1.25 ms; and 256 connections had
    /// 43,000 to 48,000 a second.
    #[test]
    fn a_single_machine_does_what_was_measured_on_one() {
        let machine = "--cores 2 --per-core 23500 --requests-per-voter 1 --replicas 1 --servers 1 --shards 1 \
                       --block-ms 0.5 --sync-ms 0.4 --seconds 2";
        // The program that was measured made no pause for a crowd.
        let measured = |line: &str| {
            let args = args(&format!("{machine} {line}"));
            let constants = Constants { crowd: u64::MAX, ..constants() };
            simulate(&args, &constants, &Plan::new(&args, &constants).unwrap())
        };
        let few = measured("--connections 64");
        let block = few.blocks.within(0.5) * 1e3;
        assert!((18.0..30.0).contains(&block), "{block} ballots in a block");
        assert!((0.0010..0.0016).contains(&few.answers.within(0.5)), "{} s", few.answers.within(0.5));
        let many = measured("--connections 256");
        let rate = many.accepted as f64 / 2.0;
        assert!((43_000.0..53_000.0).contains(&rate), "{rate} ballots a second");
        let one = measured("--connections 1");
        assert!((0.0004..0.0030).contains(&one.answers.within(0.5)), "{} s", one.answers.within(0.5));
    }
}
