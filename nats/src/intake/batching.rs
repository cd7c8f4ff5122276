//! Batching: which of the delivered messages are handed over together.
//!
//! What each batch costs, a transaction and an announcement, is paid for many messages together while there is much to
//! be read. A message that is alone waits for nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Monotonic;
use crate::delivered::Delivered;

/// How many messages a batch has at most.
pub const RUN_MAX: usize = 2_000;
/// A batch also ends at this many payload bytes: at first few, so that work begins soon, then twice as many from batch to
/// batch while there is more to be read. A million ballots of a crowd are some thirty batches.
const BATCH_BYTES: [usize; 2] = [256 * 1024, 4 * 1024 * 1024];
/// How long a batch waits for messages that are on their way.
const FILLS_WITHIN: Duration = Duration::from_millis(50);

/// The shortest time between two batches for an actor that keeps its own place, once it has all there is. What each
/// batch costs is paid for many messages together while they come in quickly.
pub const RUN_EVERY: Duration = Duration::from_millis(20);
/// The same after a batch of so many bytes or more: what batches do not cost then is left for those who write.
pub const LARGE_RUN_EVERY: Duration = Duration::from_millis(50);
/// From so many bytes on a batch is large.
pub const LARGE_RUN_BYTES: usize = 16 * 1024;

/// Puts messages together.
#[derive(Clone, Debug)]
pub(super) struct Batching<R> {
    /// The batch that is being filled.
    filling: Vec<Delivered<R>>,
    /// How many bytes it has.
    bytes: usize,
    /// When it stops waiting for more. Means nothing while it is empty.
    until: Monotonic,
    /// What was delivered and is in no batch yet.
    spare: VecDeque<Delivered<R>>,
    /// At how many bytes the batch is full.
    full_at: usize,
}

/// Messages that are handed over together: one or more, in the order in which they were added.
#[derive(Clone, Debug)]
pub(super) struct Closed<R> {
    pub messages: Vec<Delivered<R>>,
    pub bytes: usize,
    /// Whether there was no room for more. What is not full has waited for what there was to wait for.
    pub is_full: bool,
}

impl<R> Batching<R> {
    pub fn new() -> Self {
        let (filling, until, spare) = (Vec::new(), Monotonic::default(), VecDeque::new());
        Self { filling, bytes: 0, until, spare, full_at: BATCH_BYTES[0] }
    }

    /// Adds messages that were delivered.
    pub fn add(&mut self, delivered: Vec<Delivered<R>>) {
        self.spare.extend(delivered);
    }

    /// The next batch, if it is full, or has nothing to wait for, or has waited long enough.
    pub fn next(&mut self, now: Monotonic) -> Option<Closed<R>> {
        while !self.is_full()
            && let Some(next) = self.spare.pop_front()
        {
            if self.filling.is_empty() {
                self.until = now + FILLS_WITHIN;
            }
            self.bytes += next.bytes;
            self.filling.push(next);
        }
        let newest = self.filling.last()?;
        let is_full = self.is_full();
        if !is_full && newest.behind > 0 && now < self.until {
            return None;
        }
        self.full_at = if is_full { (self.full_at * 2).min(BATCH_BYTES[1]) } else { BATCH_BYTES[0] };
        let messages = std::mem::take(&mut self.filling);
        Some(Closed { messages, bytes: std::mem::take(&mut self.bytes), is_full })
    }

    /// When the batch that is being filled stops waiting; `None` while it is empty.
    pub fn waits_until(&self) -> Option<Monotonic> {
        (!self.filling.is_empty()).then_some(self.until)
    }

    fn is_full(&self) -> bool {
        self.filling.len() == RUN_MAX || self.bytes >= self.full_at
    }
}

/// The shortest time from the beginning of a batch of so many bytes to the beginning of the next.
pub(super) fn batch_every(bytes: usize) -> Duration {
    if bytes < LARGE_RUN_BYTES { RUN_EVERY } else { LARGE_RUN_EVERY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages from one sequence to another, of so many bytes, the last of them with so many behind it.
    fn delivered(from: u64, to: u64, bytes: usize, behind: u64) -> Vec<Delivered<()>> {
        let one = |sequence| Delivered {
            sequence,
            stored_at: None,
            consumer_sequence: sequence,
            deliveries: 1,
            behind: behind + (to - sequence),
            bytes,
            message: (),
        };
        (from..=to).map(one).collect()
    }

    fn after(millis: u64) -> Monotonic {
        Monotonic::from_duration(Duration::from_millis(millis))
    }

    fn len(batch: Option<Closed<()>>) -> Option<usize> {
        batch.map(|batch| batch.messages.len())
    }

    #[test]
    fn a_lone_message_waits_for_nothing() {
        let mut batching = Batching::new();
        assert!(batching.next(after(0)).is_none());
        assert_eq!(batching.waits_until(), None);
        batching.add(delivered(1, 1, 10, 0));
        let batch = batching.next(after(0)).unwrap();
        assert_eq!((batch.messages.len(), batch.bytes, batch.is_full), (1, 10, false));
    }

    #[test]
    fn a_batch_waits_for_what_is_behind_it_but_not_for_long() {
        let mut batching = Batching::new();
        batching.add(delivered(1, 3, 10, 5));
        assert!(batching.next(after(100)).is_none());
        assert_eq!(batching.waits_until(), Some(after(150)));
        batching.add(delivered(4, 4, 10, 4));
        assert!(batching.next(after(149)).is_none());
        assert_eq!(len(batching.next(after(150))), Some(4));
        assert_eq!(batching.waits_until(), None);
    }

    #[test]
    fn a_batch_is_full_at_2_000_messages() {
        let mut batching = Batching::new();
        batching.add(delivered(1, 4_500, 1, 1));
        let first = batching.next(after(0)).unwrap();
        assert_eq!((first.messages.len(), first.is_full), (RUN_MAX, true));
        assert_eq!(len(batching.next(after(0))), Some(RUN_MAX));
        assert!(batching.next(after(0)).is_none(), "500 wait for the one behind them");
        assert_eq!(len(batching.next(after(50))), Some(500));
    }

    #[test]
    fn full_batches_grow_up_to_4_mib_and_begin_small_again() {
        let mut batching = Batching::new();
        let quarter = 64 * 1024;
        batching.add(delivered(1, 1_000, quarter, 1));
        let lens: Vec<_> = (0..7).map(|_| len(batching.next(after(0))).unwrap()).collect();
        assert_eq!(lens, [4, 8, 16, 32, 64, 64, 64]);
        while batching.next(after(0)).is_some_and(|batch| batch.is_full) {}
        assert!(batching.next(after(50)).is_some_and(|batch| !batch.is_full));
        batching.add(delivered(1_001, 1_100, quarter, 1));
        assert_eq!(len(batching.next(after(50))), Some(4));
    }

    #[test]
    fn a_large_batch_is_followed_later_by_the_next_than_a_small_one() {
        assert_eq!((batch_every(0), batch_every(LARGE_RUN_BYTES - 1)), (RUN_EVERY, RUN_EVERY));
        assert_eq!(
            (batch_every(LARGE_RUN_BYTES), batch_every(usize::MAX)),
            (LARGE_RUN_EVERY, LARGE_RUN_EVERY)
        );
    }
}
