//! Counting: the tally's adding up of blocks that are decoded, and the recount of blocks as they lie in the log.

use criterion::{BatchSize, Criterion, Throughput};
use nats::intake::InOrder;
use recount::Recount;
use subjects::ballot::BLOCK_MAX;
use subjects::{Said, VoteMessage};
use tally::rules::{Scoreboard, Totals};

/// How many blocks are counted at one go.
const BLOCKS: usize = 10;

/// A run of blocks into an empty scoreboard.
pub fn tally(criterion: &mut Criterion) {
    let blocks: Vec<VoteMessage> = crate::blocks(BLOCKS).into_iter().map(VoteMessage::Cast).collect();
    let in_order = |(sequence, block)| InOrder {
        sequence,
        trace: None,
        stored_at: None,
        message: Ok(Totals::of(block)),
    };
    let mut group = criterion.benchmark_group("tally");
    group.throughput(Throughput::Elements((BLOCKS * BLOCK_MAX) as u64));
    group.bench_function("count", |bencher| {
        let count = |mut scoreboard: Scoreboard| {
            let run: Vec<InOrder<Totals>> = (1..).zip(&blocks).map(in_order).collect();
            scoreboard.count(&run);
            scoreboard
        };
        bencher.iter_batched(Scoreboard::default, count, BatchSize::SmallInput);
    });
}

/// The same blocks from JSON, each voter remembered.
pub fn recount(criterion: &mut Criterion) {
    let blocks = crate::blocks(BLOCKS);
    let written: Vec<_> = blocks
        .iter()
        .map(|block| (block.subject(), serde_json::to_vec(block).expect("a block is JSON")))
        .collect();
    let mut group = criterion.benchmark_group("recount");
    group.throughput(Throughput::Elements((BLOCKS * BLOCK_MAX) as u64));
    group.bench_function("take", |bencher| {
        let take_all = |mut recount: Recount| {
            for (sequence, (subject, json)) in (1..).zip(&written) {
                recount.take(sequence, subject, json);
            }
            recount
        };
        bencher.iter_batched(Recount::default, take_all, BatchSize::SmallInput);
    });
}
