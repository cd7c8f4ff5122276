//! Sessions in Redis, which `web::Sessions` looks up and nobody else writes.
//!
//! - `urna:session:<session>` a record, or the word that it has ended
//! - `urna:sessions:<user>` the person's sessions, sorted by the sequence of the proofs that opened them
//! - `urna:login:<user>` what was last said of the account. Messages may be delivered again in another order; by this
//!   what was said before cannot undo what was said after

use std::cmp::Reverse;
use std::time::Duration;

use redis::{Cmd, cmd, pipe};
use subjects::{Person, SessionId, Timestamp, UserId};
use web::sessions::{ENDED, Record, session_key, user_key};
use web::{Away, Redis, Unavailable};

use crate::rules::Place;

/// How long an ended session, and what was said of an account, is remembered: longer than a message can be on its way
/// while others pass it.
const REMEMBERED_FOR: Duration = Duration::from_secs(60 * 60);

/// How many sessions are looked up by one question.
const LOOKED_UP_AT_ONCE: usize = 1_000;

/// Notes what was said of an account, unless something was said after it.
/// Keys: the account. Arguments: of which kind, its sequence, what it is, and for how long, in milliseconds.
const NOTE: &str = "
    local known = redis.call('HGET', KEYS[1], ARGV[1])
    if not known or tonumber(known) < tonumber(ARGV[2]) then
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[1] .. '_is', ARGV[3])
    end
    return redis.call('PEXPIRE', KEYS[1], ARGV[4])
";

/// Writes the person that was noted last into sessions that are open, and keeps the time they have left.
/// Keys: the account, then the sessions. Arguments: the word of those that have ended.
const RENAME: &str = "
    local person = redis.call('HGET', KEYS[1], 'changed_is')
    for place = 2, #KEYS do
        local kept = redis.call('GET', KEYS[place])
        if person and kept and kept ~= ARGV[1] then
            local record = cjson.decode(kept)
            record.person = cjson.decode(person)
            redis.call('SET', KEYS[place], cjson.encode(record), 'KEEPTTL')
        end
    end
";

/// Of the last change of the password its sequence and its moment, in milliseconds since 1970; and the person as JSON.
type LastSaid = (Option<u64>, Option<i64>, Option<String>);

/// What is kept of sessions.
#[derive(Clone, Debug)]
pub struct Store {
    redis: Redis,
    idle: Duration,
    longest: Duration,
}

/// What became of a session that was to be opened.
#[derive(Debug)]
pub struct Opening {
    /// Whether it was there and open, was there and has ended, or is there only now.
    pub before: Before,
    /// The last change of the account's password.
    pub secured: Option<Place>,
    /// Who the account's person is since it was last changed.
    pub person: Option<Person>,
    /// How many sessions of the person are listed now, this one and those that ran out among them.
    pub listed: usize,
}

/// What was in a session's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The session, open.
    Open,
    /// The session, ended.
    Ended,
}

/// One of a person's sessions.
#[derive(Debug)]
pub struct Member {
    /// Which one.
    pub id: SessionId,
    /// The sequence of the proof that opened it.
    pub sequence: u64,
    /// What is kept of it; nothing when it has ended, or cannot be read.
    pub record: Option<Record>,
    /// In how long it ends by itself, if nobody uses it.
    pub left: Duration,
}

impl Store {
    /// Sessions that end when nobody has used them for `idle`, and after `longest` in any case.
    pub fn new(redis: Redis, idle: Duration, longest: Duration) -> Self {
        Self { redis, idle, longest }
    }

    /// Puts a session where nothing is, and looks at what was last said of the account. A change of the account is
    /// noted before its sessions are looked for; so either it finds this session, or this finds its note.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn open(&self, id: SessionId, record: &Record, sequence: u64) -> Result<Opening, Away> {
        let (key, user) = (session_key(id), user_key(record.person.user));
        let text = serde_json::to_string(record).expect("a record is written as JSON");
        let longest = millis(self.longest);
        let mut open = pipe();
        open.atomic();
        open.cmd("SET").arg(&key).arg(text).arg("PX").arg(millis(self.idle)).arg("NX").arg("GET");
        open.cmd("ZADD").arg(&user).arg("NX").arg(sequence).arg(id.to_string()).ignore();
        open.cmd("PEXPIRE").arg(&user).arg(longest).arg("NX").ignore();
        open.cmd("PEXPIRE").arg(&user).arg(longest).arg("GT").ignore();
        open.cmd("HMGET").arg(login_key(record.person.user)).arg(&["secured", "secured_is", "changed_is"]);
        open.cmd("ZCARD").arg(&user);
        let (before, said, listed): (Option<String>, LastSaid, usize) = self.redis.query(open).await?;
        let (sequence, at, person) = said;
        let at = at.and_then(Timestamp::from_unix_millis);
        Ok(Opening {
            before: match before.as_deref() {
                None => Before::Nothing,
                Some(ENDED) => Before::Ended,
                Some(_) => Before::Open,
            },
            secured: sequence.zip(at).map(|(sequence, at)| Place { sequence, at }),
            person: person.and_then(|person| serde_json::from_str(&person).ok()),
            listed,
        })
    }

    /// Notes that the person is another since `sequence`.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn note_change(&self, sequence: u64, person: &Person) -> Result<(), Away> {
        let text = serde_json::to_string(person).expect("a person is written as JSON");
        self.redis.query(note(person.user, "changed", sequence).arg(text).arg(millis(REMEMBERED_FOR))).await
    }

    /// Notes that the password is another since `place`.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn note_password(&self, user: UserId, place: Place) -> Result<(), Away> {
        let at = place.at.unix_millis();
        self.redis.query(note(user, "secured", place.sequence).arg(at).arg(millis(REMEMBERED_FOR))).await
    }

    /// Writes the person that was noted last into these sessions, those that are open.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn rename(&self, user: UserId, sessions: &[SessionId]) -> Result<(), Away> {
        let mut rename = cmd("EVAL");
        rename.arg(RENAME).arg(1 + sessions.len()).arg(login_key(user));
        for id in sessions {
            rename.arg(session_key(*id));
        }
        self.redis.query(rename.arg(ENDED)).await
    }

    /// A person's sessions, the newest first. Those that ran out are left out, and forgotten.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn of_user(&self, user: UserId) -> Result<Vec<Member>, Away> {
        let mut members = Vec::new();
        let mut cursor = 0;
        loop {
            let (next, listed) = self.some_of_user(user, cursor).await?;
            let mut gone = Vec::new();
            for (id, sequence, kept, left) in listed {
                let Some(kept) = kept else {
                    gone.push(id);
                    continue;
                };
                let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                members.push(Member { id, sequence, record: serde_json::from_str(&kept).ok(), left });
            }
            self.strike(user, &gone).await?;
            if next == 0 {
                break;
            }
            cursor = next;
        }
        // One may be told twice.
        members.sort_by_key(|member| (Reverse(member.sequence), member.id));
        members.dedup_by_key(|member| member.id);
        Ok(members)
    }

    /// Some of a person's sessions, and the cursor of those that come next, 0 when there are no more. However long
    /// the list is, each answer has to come in time. What is struck meanwhile hides no other.
    async fn some_of_user(
        &self,
        user: UserId,
        cursor: u64,
    ) -> Result<(u64, Vec<(SessionId, u64, Option<String>, i64)>), Away> {
        let mut scan = cmd("ZSCAN");
        scan.arg(user_key(user)).arg(cursor).arg("COUNT").arg(LOOKED_UP_AT_ONCE);
        let (next, listed): (u64, Vec<(String, f64)>) = self.redis.query(scan).await?;
        let listed: Vec<(SessionId, u64)> = listed
            .into_iter()
            .filter_map(|(id, sequence)| Some((SessionId::parse(&id).ok()?, sequence as u64)))
            .collect();
        // A pipeline of nothing would never be answered.
        if listed.is_empty() {
            return Ok((next, Vec::new()));
        }
        let mut look_up = pipe();
        for (id, _) in &listed {
            look_up.get(session_key(*id)).pttl(session_key(*id));
        }
        let kept: Vec<(Option<String>, i64)> = self.redis.query(look_up).await?;
        let both = listed.into_iter().zip(kept);
        Ok((next, both.map(|((id, sequence), (kept, left))| (id, sequence, kept, left)).collect()))
    }

    /// Whether this session is, or just was, one of the person's.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn is_of_user(&self, user: UserId, id: SessionId) -> Result<bool, Away> {
        let score: Option<f64> =
            self.redis.query(cmd("ZSCORE").arg(user_key(user)).arg(id.to_string())).await?;
        Ok(score.is_some())
    }

    /// Ends a session: from now on nobody is let in by it. What was there: nothing stays nothing.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn end(&self, id: SessionId) -> Result<Before, Away> {
        let before: Option<String> = self.redis.query(end(id)).await?;
        Ok(match before.as_deref() {
            None => Before::Nothing,
            Some(ENDED) => Before::Ended,
            Some(_) => Before::Open,
        })
    }

    /// Strikes a session from the person's.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn forget(&self, user: UserId, id: SessionId) -> Result<(), Away> {
        self.strike(user, &[id]).await
    }

    async fn strike(&self, user: UserId, sessions: &[SessionId]) -> Result<(), Away> {
        // Redis refuses to strike nothing.
        if sessions.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = sessions.iter().map(ToString::to_string).collect();
        self.redis.query(cmd("ZREM").arg(user_key(user)).arg(names)).await
    }

    /// Ends a session that does not exist: that takes the same permissions as to write one, and writes nothing.
    ///
    /// # Errors
    /// Why sessions cannot be written.
    pub async fn check(&self) -> Result<(), Unavailable> {
        self.redis.check(end(SessionId::random())).await
    }
}

fn note(user: UserId, kind: &str, sequence: u64) -> Cmd {
    cmd("EVAL").arg(NOTE).arg(1).arg(login_key(user)).arg(kind).arg(sequence).take()
}

fn end(id: SessionId) -> Cmd {
    let mut end = cmd("SET");
    end.arg(session_key(id)).arg(ENDED).arg("PX").arg(millis(REMEMBERED_FOR)).arg("XX").arg("GET");
    end
}

fn login_key(user: UserId) -> String {
    format!("urna:login:{user}")
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)
}
