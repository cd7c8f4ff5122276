//! Tells a person at a terminal what is being done.

use std::io::{IsTerminal, stderr};

/// One line on standard error, and nothing where nobody reads it.
pub struct Progress {
    is_shown: bool,
    run: u64,
    runs: u64,
}

impl Progress {
    /// Of so many runs.
    pub fn of(runs: u64) -> Self {
        Self { is_shown: stderr().is_terminal(), run: 0, runs }
    }

    /// The next run begins.
    pub fn next_run(&mut self) {
        self.run += 1;
    }

    /// This is being done now.
    pub fn say(&self, what: &str) {
        if self.is_shown {
            eprint!("\r\u{1b}[Krun {} of {}: {what} …", self.run, self.runs);
        }
    }

    /// Nothing is done any more.
    pub fn end(&self) {
        if self.is_shown {
            eprint!("\r\u{1b}[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
