//! The sessions that are alive, as Redis has them. The session actor writes them; here they are only looked up.
//!
//! - `urna:session:<session>` a [`Record`] as JSON, or the word [`ENDED`] for one that must not be opened again
//! - `urna:sessions:<user>` a person's sessions, as a sorted set

use std::time::Duration;

use nats::Clock;
use redis::Pipeline;
use serde::{Deserialize, Serialize};
use subjects::{Origin, Person, SessionId, Timestamp, UserId};
use tracing::error;

use crate::{Away, Redis};

/// What stands in the place of a session's record when it has ended.
pub const ENDED: &str = "ended";

/// One session, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who is signed in. Their role is what counts, whatever a token says.
    pub person: Person,
    /// From where.
    pub origin: Origin,
    /// Since when.
    pub opened_at: Timestamp,
    /// When it ends at the latest, however much it is used.
    pub expires_at: Timestamp,
}

/// Looks sessions up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    redis: Redis,
    idle: Duration,
    clock: Clock,
}

/// The key of a session's record.
pub fn session_key(id: SessionId) -> String {
    format!("urna:session:{id}")
}

/// The key of the sorted set of a person's sessions.
pub fn user_key(user: UserId) -> String {
    format!("urna:sessions:{user}")
}

impl Sessions {
    /// A session that nobody uses for `idle` is forgotten.
    pub fn new(redis: Redis, idle: Duration, clock: Clock) -> Self {
        Self { redis, idle, clock }
    }

    /// The session of this name; `None` when there is none, or when it has ended. Being looked up keeps it alive.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn find(&self, id: SessionId) -> Result<Option<Record>, Away> {
        let (kept,): (Option<String>,) = self.redis.query(self.look_up(&session_key(id))).await?;
        Ok(kept.and_then(|kept| alive(id, &kept, self.clock.now())))
    }

    fn look_up(&self, key: &str) -> Pipeline {
        let mut look_up = redis::pipe();
        look_up.get(key);
        // GT, because what stands there for an ended session must stay for as long as it was put there.
        look_up.cmd("EXPIRE").arg(key).arg(self.idle.as_secs().max(1)).arg("GT").ignore();
        look_up
    }
}

/// The record, unless it is of a session that has ended.
fn alive(id: SessionId, kept: &str, now: Timestamp) -> Option<Record> {
    if kept == ENDED {
        return None;
    }
    match serde_json::from_str::<Record>(kept) {
        Ok(record) => (now < record.expires_at).then_some(record),
        Err(fault) => {
            // serde's words may quote what it could not read.
            error!(session.id = %id, at.column = fault.column(), "a session's record cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{
        "person": {"user": "67e55044-10b1-426f-9247-bb680e5fe0c8", "name": "Ann", "email": "ann@example.org", "role": "organiser"},
        "origin": {"network": "203.0.113.5", "user_agent": "Fox"},
        "opened_at": "2026-11-21T09:30:00Z",
        "expires_at": "2026-11-21T21:30:00Z"
    }"#;

    fn found(kept: &str, now: &str) -> Option<Record> {
        alive(SessionId::random(), kept, Timestamp::parse(now).unwrap())
    }

    #[test]
    fn a_session_is_alive_until_its_absolute_end_and_then_no_more() {
        let record = found(RECORD, "2026-11-21T21:29:59Z").unwrap();
        assert_eq!(record.person.role, subjects::Role::Organiser);
        assert_eq!(found(RECORD, "2026-11-21T21:30:00Z"), None);
    }

    #[test]
    fn what_has_ended_or_cannot_be_read_is_no_session() {
        for kept in [ENDED, "", "{}", "null", "[]", &RECORD.replace("organiser", "owner")] {
            assert_eq!(found(kept, "2026-11-21T10:00:00Z"), None, "{kept}");
        }
    }
}
