//! How many machines the busiest moment needs. Plain arithmetic: what comes, by what one can take.

use crate::args::Args;
use crate::{Constants, Mistake};

/// What is planned is busy for this part of its busiest second. The rest is for what nobody has foreseen.
pub(crate) const FULL: f64 = 0.7;
/// So many shards for each vote machine are tried at the most.
const MULTIPLES: u32 = 16;

/// The machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Ballots a second, in the busiest moment.
    pub peak: f64,
    /// Proxies that speak TLS. Not simulated.
    pub proxies: u32,
    /// Machines with a vote process.
    pub vote_machines: u32,
    /// Logs that the round is split into.
    pub shards: u32,
    /// NATS servers.
    pub servers: u32,
    /// Machines with a tally process. Its work is simulated, its cores are not.
    pub tally_machines: u32,
    /// Machines with a result process. Not simulated.
    pub result_machines: u32,
}

impl Plan {
    /// What was asked for, and as many of all else as it takes.
    ///
    /// # Errors
    /// [`Mistake`].
    pub fn new(args: &Args, constants: &Constants) -> Result<Self, Mistake> {
        if args.costs.sync() > args.costs.block() {
            return Err(Mistake::SyncLongerThanBlock);
        }
        let machines = &args.machines;
        let peak = peak(args);
        let processes = machines.vote_machines.unwrap_or_else(|| vote_machines(args, peak));
        let (shards, servers) = logs(args, constants, peak, processes);
        let vote_machines = if machines.vote_machines.is_some() { processes } else { processes.min(shards) };
        if vote_machines > shards {
            return Err(Mistake::TooFewShards);
        }
        if servers < machines.replicas {
            return Err(Mistake::TooFewServers);
        }
        let cores = f64::from(machines.cores);
        let proxies = machines_for(peak, cores * args.costs.handshakes_per_core.get());
        let events = args.crowd.watching() as f64 * events_per_watcher(constants);
        let result_machines = machines_for(events, cores * args.costs.events_per_core.get());
        let tally_machines = machines_for(peak, cores / args.costs.ballot());
        Ok(Self { peak, proxies, vote_machines, shards, servers, tally_machines, result_machines })
    }

    /// The vote machine whose boxes one shard belongs to.
    pub fn machine_of(&self, shard: usize) -> usize {
        shard % self.vote_machines as usize
    }

    /// How many shards the boxes of one vote machine hold, at the most.
    pub fn shards_of_a_machine(&self) -> u32 {
        self.shards.div_ceil(self.vote_machines)
    }
}

/// How long a log takes for a full block, in seconds, when all others append full blocks as well: the way there and
/// back, the disk's turn for each log that lies on it and for the announcements, and the thread's for each of its boxes.
pub(crate) fn full_block(args: &Args, constants: &Constants, plan: &Plan) -> f64 {
    let costs = &args.costs;
    let of_a_disk = (plan.shards * args.machines.replicas).div_ceil(plan.servers);
    let boxes = f64::from(plan.shards_of_a_machine()) * constants.block_max as f64 * costs.ballot();
    let disk = f64::from(of_a_disk) * synced(args, constants) + costs.sync();
    costs.block() - costs.sync() + disk + boxes
}

/// How long a disk is busy with a full block, in seconds.
pub(crate) fn synced(args: &Args, constants: &Constants) -> f64 {
    args.costs.sync() + (constants.block_max * constants.ballot_bytes) as f64 / args.costs.disk()
}

/// Events a second that each watcher is sent at the most.
pub(crate) fn events_per_watcher(constants: &Constants) -> f64 {
    1.0 / constants.event_every.as_secs_f64()
}

/// Connections vote as fast as they are answered: nothing is planned for them.
fn peak(args: &Args) -> f64 {
    if args.crowd.connections.is_some() {
        return 0.0;
    }
    args.crowd.shape.peak() * args.crowd.voters as f64 / args.crowd.length()
}

/// For their cores, and for the one thread of the boxes of each.
fn vote_machines(args: &Args, peak: f64) -> u32 {
    let requests = f64::from(args.machines.cores) * args.costs.per_core.get();
    let by_cores = machines_for(peak, requests / args.costs.requests_per_voter.get());
    by_cores.max(machines_for(peak, 1.0 / args.costs.ballot()))
}

/// Shards and servers: as many shards for each vote machine, and as few as do not need twice the servers whose disks
/// could write all full blocks.
fn logs(args: &Args, constants: &Constants, peak: f64, vote_machines: u32) -> (u32, u32) {
    let replicas = args.machines.replicas;
    let written = peak * f64::from(replicas) * synced(args, constants) / constants.block_max as f64;
    let fewest = machines_for(written, 1.0).max(replicas);
    let multiples = (1..=MULTIPLES).map(|multiple| multiple * vote_machines);
    let shards_tried = args.machines.shards.map_or_else(|| multiples.collect(), |shards| vec![shards]);
    for shards in shards_tried {
        let most = (2 * fewest).min(shards * replicas);
        let servers_tried = args.machines.servers.map_or(replicas..=most, |servers| servers..=servers);
        for servers in servers_tried {
            let plan = Plan { peak, vote_machines, shards, servers, ..Plan::default() };
            let ballots = peak / f64::from(shards) * full_block(args, constants, &plan);
            if ballots <= FULL * constants.block_max as f64 {
                return (shards, servers);
            }
        }
    }
    (args.machines.shards.unwrap_or(vote_machines), args.machines.servers.unwrap_or(fewest))
}

/// At least one.
fn machines_for(load: f64, of_one: f64) -> u32 {
    (load / (FULL * of_one)).ceil().max(1.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{args, constants};

    fn plan(line: &str) -> Plan {
        Plan::new(&args(line), &constants()).unwrap()
    }

    #[test]
    fn machines_are_what_comes_by_what_one_takes() {
        // 70,000 ballots a second, and 2 requests for each.
        let crowd = "--shape even --voters 70000 --seconds 1 --cores 10 --per-core 1000";
        assert_eq!(plan(crowd).peak, 70_000.0);
        // 5,000 ballots a second and machine, of which 3,500 are planned.
        assert_eq!(plan(crowd).vote_machines, 20);
        assert_eq!(plan(&format!("{crowd} --requests-per-voter 1")).vote_machines, 10);
        // 10 cores of 1,000 handshakes.
        assert_eq!(plan(&format!("{crowd} --handshakes-per-core 1000")).proxies, 10);
        // 10 cores that spend 100 µs on each: 100,000 a second, of which 70,000 are planned.
        assert_eq!(plan(&format!("{crowd} --ballot-us 100 --vote-machines 9 --shards 9")).tally_machines, 1);
        assert_eq!(plan(&format!("{crowd} --ballot-us 201 --vote-machines 9 --shards 9")).tally_machines, 3);
        // 7,000 watchers of 10 events, 10 cores of 1,000 events.
        assert_eq!(plan(&format!("{crowd} --events-per-core 1000")).result_machines, 10);
    }

    #[test]
    fn a_round_is_split_when_one_log_is_too_slow() {
        // A full block in 10 ms: 100,000 a second, of which 70,000 are planned.
        let costs = "--shape even --seconds 1 --vote-machines 1 --block-ms 10 --sync-ms 0.0001 \
                     --ballot-us 0.0001 --disk-mb 1e9";
        assert_eq!(plan(&format!("{costs} --voters 69000")).shards, 1);
        assert_eq!(plan(&format!("{costs} --voters 139000")).shards, 2);
        // Three machines with as many shards each.
        assert_eq!(plan(&format!("{costs} --voters 279000").replace("machines 1", "machines 3")).shards, 6);
    }

    #[test]
    fn a_disk_syncs_one_block_after_another() {
        // Two logs, each with half of the voters. On one disk a log has its turn after 3 ms: one for each log, and one
        // for the announcements. With a disk of its own, after 2 ms. 700 of 1,000 ballots are planned.
        let costs = "--shape even --seconds 1 --vote-machines 1 --shards 2 --block-ms 1 --sync-ms 1 \
                     --replicas 1 --ballot-us 0.0001 --disk-mb 1e9";
        assert_eq!(plan(&format!("{costs} --voters 466000")).servers, 1);
        assert_eq!(plan(&format!("{costs} --voters 467000")).servers, 2);
        assert_eq!(plan(&format!("{costs} --voters 467000").replace("replicas 1", "replicas 3")).servers, 6);
    }

    #[test]
    fn given_machines_are_taken_as_they_are() {
        let plan = plan("--vote-machines 5 --shards 7 --servers 9");
        assert_eq!((plan.vote_machines, plan.shards, plan.servers), (5, 7, 9));
        assert_eq!((plan.machine_of(6), plan.shards_of_a_machine()), (1, 2));
    }

    #[test]
    fn connections_have_one_of_each_when_nothing_is_said() {
        let plan = plan("--connections 256 --replicas 1");
        assert_eq!((plan.vote_machines, plan.shards, plan.servers, plan.result_machines), (1, 1, 1, 1));
    }
}
