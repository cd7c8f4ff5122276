//! Whether something that a process depends on is available: logged once when that changes, and not for every failure.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

/// The outage of one dependency, if there is one.
#[derive(Debug)]
pub struct Outage {
    name: Cow<'static, str>,
    why: Mutex<Option<Cow<'static, str>>>,
}

impl Outage {
    /// None, of the dependency of this name. The name must hold no secret, since it is logged.
    pub fn none(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), why: Mutex::default() }
    }

    /// Takes in that the dependency is available, or why it is not.
    pub fn note(&self, found: Result<(), Cow<'static, str>>) {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        let now = found.err();
        if *why == now {
            return;
        }
        match &now {
            Some(now) => warn!(dependency = %self.name, why = %now, "a dependency is unavailable"),
            None => info!(dependency = %self.name, "a dependency is available again"),
        }
        *why = now;
    }
}
