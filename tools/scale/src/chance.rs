//! Random numbers that a seed decides: the same on every machine.

/// A sequence of random numbers (SplitMix64, by Sebastiano Vigna; in the public domain).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

/// Below this mean, a number is drawn one by one; above it, a bell is as good.
const FEW: f64 = 30.0;

impl Chance {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to just below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How long a thing takes that takes 1 in the mean and may take much longer.
    pub fn wait(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// How many of `all` do what each of them does with probability `part`.
    pub fn of(&mut self, all: u64, part: f64) -> u64 {
        if all == 0 || part <= 0.0 {
            return 0;
        }
        if part >= 1.0 {
            return all;
        }
        let mean = all as f64 * part;
        let drawn = if mean < FEW { self.few(mean) } else { self.many(mean, part) };
        drawn.min(all)
    }

    /// Poisson's distribution, by Knuth's method.
    fn few(&mut self, mean: f64) -> u64 {
        let limit = (-mean).exp();
        let (mut drawn, mut product) = (0, self.unit());
        while product > limit {
            drawn += 1;
            product *= self.unit();
        }
        drawn
    }

    /// The normal distribution, by Box and Muller's method.
    fn many(&mut self, mean: f64, part: f64) -> u64 {
        let radius = (2.0 * self.wait()).sqrt();
        let bell = radius * (std::f64::consts::TAU * self.unit()).cos();
        (mean + bell * (mean * (1.0 - part)).sqrt()).round().max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_near_their_mean() {
        let mut chance = Chance::new(1);
        for (all, part) in [(10, 0.1), (1_000, 0.01), (1_000_000, 0.3)] {
            let drawn: u64 = (0..10_000).map(|_| chance.of(all, part)).sum();
            let ratio = drawn as f64 / (10_000.0 * all as f64 * part);
            assert!((0.97..1.03).contains(&ratio), "{all} × {part}: {ratio}");
        }
        let waited: f64 = (0..10_000).map(|_| chance.wait()).sum();
        assert!((9_500.0..10_500.0).contains(&waited), "{waited}");
    }

    #[test]
    fn nobody_and_everybody_are_certain() {
        let mut chance = Chance::new(1);
        assert_eq!((chance.of(0, 0.5), chance.of(5, 0.0), chance.of(5, 1.0)), (0, 0, 5));
    }
}
