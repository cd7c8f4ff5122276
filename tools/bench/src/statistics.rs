//! Numbers of several runs, in three.

/// How long things took, in microseconds, each of them.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

/// The middle of some figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Half of them are not larger.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Latencies {
    /// Notes one.
    pub fn note(&mut self, took: std::time::Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes in those of somebody else.
    pub fn take(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The one below which this part of them lies, in milliseconds; `None` of none.
    pub fn quantile(&mut self, part: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        let index = (last as f64 * part).round() as usize;
        let (_, found, _) = self.0.select_nth_unstable(index.min(last));
        Some(f64::from(*found) / 1_000.0)
    }
}

impl Summary {
    /// Of some figures; `None` of none.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, min, max })
    }
}

/// Each figure against its limit in the same run.
pub fn ratios(figures: &[f64], limits: &[f64]) -> Vec<f64> {
    let pairs = figures.iter().zip(limits).filter(|(_, limit)| **limit > 0.0);
    pairs.map(|(figure, limit)| figure / limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_median_lies_in_the_middle() {
        let of = |figures: &[f64]| Summary::of(figures).map(|it| (it.min, it.median, it.max));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(of(&[4.0, 1.0]), Some((1.0, 2.5, 4.0)));
    }

    #[test]
    fn a_ratio_is_taken_within_its_run() {
        assert_eq!(ratios(&[50.0, 30.0], &[100.0, 40.0]), [0.5, 0.75]);
        assert_eq!(ratios(&[50.0], &[0.0]), [0.0; 0]);
    }

    #[test]
    fn a_quantile_is_in_milliseconds() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        for millis in (1..=101).rev() {
            latencies.note(Duration::from_millis(millis));
        }
        assert_eq!(latencies.quantile(0.0), Some(1.0));
        assert_eq!(latencies.quantile(0.5), Some(51.0));
        assert_eq!(latencies.quantile(0.99), Some(100.0));
        assert_eq!(latencies.quantile(1.0), Some(101.0));
    }
}
