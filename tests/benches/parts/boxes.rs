//! What a box does with a block: judge it, and fold it once it is in the log.

use criterion::{BatchSize, Criterion, Throughput};
use subjects::ballot::BLOCK_MAX;
use subjects::{BallotId, VoteMessage};
use vote::rules::{Ballot, BlockBuilder, Fold};

/// How many voters are in the box before.
const BEFORE: usize = 100 * BLOCK_MAX;

/// A box with voters in it.
fn filled() -> Fold {
    let mut fold = Fold::default();
    for (sequence, block) in (1..).zip(crate::blocks(BEFORE / BLOCK_MAX)) {
        fold.take(sequence, &VoteMessage::Cast(block));
    }
    fold
}

/// Ballots of these voters, who choose what the voter behind them has chosen.
fn ballots(first: usize) -> Vec<Ballot> {
    let ballot = |number| Ballot {
        id: BallotId::random(),
        has_given_id: true,
        voter: crate::voter(number),
        choice: crate::choice(number + 1),
    };
    (first..first + BLOCK_MAX).map(ballot).collect()
}

fn judge_those_from(first: usize, name: &str, criterion: &mut Criterion) {
    let (fold, ballots) = (filled(), ballots(first));
    let mut group = criterion.benchmark_group("vote");
    group.throughput(Throughput::Elements(BLOCK_MAX as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut builder = BlockBuilder::default();
            for ballot in &ballots {
                fold.judge(&mut builder, ballot, true);
            }
            builder
        });
    });
}

/// A block of voters who are new.
pub fn judge(criterion: &mut Criterion) {
    judge_those_from(BEFORE, "judge new voters", criterion);
}

/// A block of voters who change what they have chosen.
pub fn judge_changes(criterion: &mut Criterion) {
    judge_those_from(0, "judge changed ballots", criterion);
}

/// Ten blocks into an empty box.
pub fn fold(criterion: &mut Criterion) {
    let blocks: Vec<VoteMessage> = crate::blocks(10).into_iter().map(VoteMessage::Cast).collect();
    let mut group = criterion.benchmark_group("vote");
    group.throughput(Throughput::Elements(10 * BLOCK_MAX as u64));
    group.bench_function("fold", |bencher| {
        let fold_all = |mut fold: Fold| {
            for (sequence, block) in (1..).zip(&blocks) {
                fold.take(sequence, block);
            }
            fold
        };
        bencher.iter_batched(Fold::default, fold_all, BatchSize::SmallInput);
    });
}
