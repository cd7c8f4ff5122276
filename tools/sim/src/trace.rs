//! The readable trace of an election.

use std::fmt::{self, Write};

use crate::agenda::{Moment, SECOND};

/// What happened, a line each; kept only when it is asked for.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<String>,
}

impl Trace {
    /// A trace that is kept, or one that is not.
    pub fn new(is_kept: bool) -> Self {
        Self { lines: is_kept.then(String::new) }
    }

    /// Adds a line, if the trace is kept.
    pub fn add(&mut self, now: Moment, line: fmt::Arguments) {
        if let Some(lines) = &mut self.lines {
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{:>4}.{:06} {line}", now / SECOND, now % SECOND);
        }
    }

    /// The lines.
    pub fn into_lines(self) -> String {
        self.lines.unwrap_or_default()
    }
}
