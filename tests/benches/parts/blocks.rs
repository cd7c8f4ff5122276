//! A block to JSON and back, as `subjects` writes and reads it.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use subjects::ballot::BLOCK_MAX;
use subjects::{Heard, Said, VoteMessage};

/// A block to JSON.
pub fn write(criterion: &mut Criterion) {
    let block = crate::block(0);
    let mut group = criterion.benchmark_group("subjects");
    group.throughput(Throughput::Elements(BLOCK_MAX as u64));
    group.bench_function("write a block", |bencher| bencher.iter(|| serde_json::to_vec(black_box(&block))));
}

/// A block from JSON.
pub fn read(criterion: &mut Criterion) {
    let block = crate::block(0);
    let (subject, json) = (block.subject(), serde_json::to_vec(&block).expect("a block is JSON"));
    let mut group = criterion.benchmark_group("subjects");
    group.throughput(Throughput::Elements(BLOCK_MAX as u64));
    group.bench_function("read a block", |bencher| {
        bencher.iter(|| VoteMessage::hear(&subject, black_box(&json)))
    });
}
