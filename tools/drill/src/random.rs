//! Random numbers that are the same again for the same seed: SplitMix64.

use std::time::Duration;

/// A source of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another source, which is the same again for the same seed and number.
    #[must_use]
    pub fn fork(&self, number: usize) -> Self {
        let mut other = Self(self.0 ^ (number as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(other.any())
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.any() % end as u64) as usize
    }

    /// `true` so many times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A while between the first and the second, in milliseconds.
    pub fn between(&mut self, milliseconds: [usize; 2]) -> Duration {
        let [least, most] = milliseconds;
        Duration::from_millis((least + self.below(most - least + 1)) as u64)
    }

    /// A UUID of the random kind.
    pub fn uuid(&mut self) -> String {
        let bits = (u128::from(self.any()) << 64) | u128::from(self.any());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
    }

    /// Brings `cards` into any order.
    pub fn shuffle<T>(&mut self, cards: &mut [T]) {
        for last in (1..cards.len()).rev() {
            cards.swap(last, self.below(last + 1));
        }
    }
}
