//! What happens next: everything that is to happen, in the order of its moments.

use std::collections::BTreeMap;

/// Microseconds since the beginning of the election.
pub type Moment = u64;

/// Microseconds in a millisecond.
pub const MILLI: u64 = 1_000;
/// Microseconds in a second.
pub const SECOND: u64 = 1_000 * MILLI;

/// What is to happen. Of two things at one moment the one that was planned first happens first.
#[derive(Debug)]
pub struct Agenda<H> {
    ahead: BTreeMap<(Moment, u64), H>,
    planned: u64,
}

impl<H> Default for Agenda<H> {
    fn default() -> Self {
        Self { ahead: BTreeMap::new(), planned: 0 }
    }
}

impl<H> Agenda<H> {
    /// Plans something.
    pub fn plan(&mut self, moment: Moment, happening: H) {
        self.planned += 1;
        self.ahead.insert((moment, self.planned), happening);
    }

    /// Takes what happens next, and when.
    pub fn next(&mut self) -> Option<(Moment, H)> {
        let ((moment, _), happening) = self.ahead.pop_first()?;
        Some((moment, happening))
    }
}
