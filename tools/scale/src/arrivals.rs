//! When voters come.

use crate::args::{Crowd, Shape};
use crate::chance::Chance;

/// A spike is highest after this part of its time.
const PEAK_AT: f64 = 0.1;

/// Those of one shard who have yet to come. Each comes once.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    shape: Shape,
    length: f64,
    left: u64,
}

impl Arrivals {
    /// So many will come.
    pub fn of(crowd: &Crowd, voters: u64) -> Self {
        Self { shape: crowd.shape, length: crowd.length(), left: voters }
    }

    /// How many have yet to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// How many come from `begin` to `end`, in seconds.
    pub fn between(&mut self, begin: f64, end: f64, chance: &mut Chance) -> u64 {
        if self.left == 0 {
            return 0;
        }
        let (before, after) =
            (self.shape.part_by(begin / self.length), self.shape.part_by(end / self.length));
        let come = chance.of(self.left, (after - before) / (1.0 - before));
        self.left -= come;
        come
    }
}

impl Shape {
    /// Its name, as it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Even => "evenly",
            Self::Spike => "in a spike",
        }
    }

    /// The part of the crowd that has come when this part of the time has passed.
    fn part_by(self, time: f64) -> f64 {
        match self {
            _ if time >= 1.0 => 1.0,
            Self::Even => time,
            Self::Spike => spike(time) / spike(1.0),
        }
    }

    /// How many come in the busiest moment, in multiples of the mean.
    pub fn peak(self) -> f64 {
        match self {
            Self::Even => 1.0,
            Self::Spike => (-1.0_f64).exp() / PEAK_AT / spike(1.0),
        }
    }
}

/// The area below x·e⁻ˣ, where x is 1 at the peak.
fn spike(time: f64) -> f64 {
    let x = time / PEAK_AT;
    1.0 - (-x).exp() * (1.0 + x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::args;

    #[test]
    fn everyone_comes_once_within_the_time() {
        for line in ["--shape even --seconds 2", "--shape spike --seconds 2"] {
            let mut arrivals = Arrivals::of(&args(line).crowd, 10_000);
            let mut chance = Chance::new(1);
            let steps = (0..200).map(|step| f64::from(step) * 0.01);
            let come: u64 = steps.map(|begin| arrivals.between(begin, begin + 0.01, &mut chance)).sum();
            assert_eq!(come + arrivals.left(), 10_000, "{line}");
            let late = arrivals.between(2.0, 3.0, &mut chance);
            assert!(late < 100 && arrivals.left() == 0, "{line}: {late}");
        }
    }

    #[test]
    fn a_spike_is_steepest_where_it_is_said_to_be() {
        let rate = |time: f64| (Shape::Spike.part_by(time + 1e-6) - Shape::Spike.part_by(time)) / 1e-6;
        assert!((rate(0.1) - Shape::Spike.peak()).abs() < 0.001);
        assert!(rate(0.09) < rate(0.1) && rate(0.11) < rate(0.1));
        // 10 / e, and a little more as everyone has come in the end.
        assert!((Shape::Spike.peak() - 3.68).abs() < 0.01, "{}", Shape::Spike.peak());
        assert_eq!(Shape::Even.peak(), 1.0);
    }
}
