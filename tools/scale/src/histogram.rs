//! Times, kept as how many lay where: a percentile is right to within two in a hundred.

/// The shortest time that is told from none, in seconds.
const SHORTEST: f64 = 1e-5;
/// Each bucket ends so much later than the one before.
const GROWTH: f64 = 1.02;
/// So many buckets reach past ten thousand seconds.
const BUCKETS: usize = 1_100;

/// Times in seconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    total: u64,
    longest: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], total: 0, longest: 0.0 }
    }
}

impl Histogram {
    /// Takes a time in, `times` over.
    pub fn add(&mut self, seconds: f64, times: u64) {
        let place = ((seconds.max(SHORTEST) / SHORTEST).ln() / GROWTH.ln()) as usize;
        self.buckets[place.min(BUCKETS - 1)] += times;
        self.total += times;
        self.longest = self.longest.max(seconds);
    }

    /// The time within which this part of them lay; 0 when there are none.
    pub fn within(&self, part: f64) -> f64 {
        let wanted = (self.total as f64 * part).ceil().max(1.0) as u64;
        let mut passed = 0;
        for (place, number) in self.buckets.iter().enumerate() {
            passed += number;
            if passed >= wanted {
                let end = SHORTEST * GROWTH.powf(place as f64 + 1.0);
                return end.min(self.longest);
            }
        }
        0.0
    }

    /// The longest of them.
    pub fn longest(&self) -> f64 {
        self.longest
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_them_and_nearly_all_of_them_lie_within() {
        let mut times = Histogram::default();
        times.add(0.001, 50);
        times.add(0.010, 49);
        times.add(3.0, 1);
        assert!((0.00098..=0.00103).contains(&times.within(0.5)), "{}", times.within(0.5));
        assert!((0.0098..=0.0103).contains(&times.within(0.99)), "{}", times.within(0.99));
        assert_eq!((times.within(1.0), times.longest(), times.total()), (3.0, 3.0, 100));
    }

    #[test]
    fn none_at_all_is_nothing() {
        assert_eq!((Histogram::default().within(0.5), Histogram::default().longest()), (0.0, 0.0));
    }
}
