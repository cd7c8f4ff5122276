//! The scoreboard in Postgres, schema `tally`; and the locks by which tallies share the rounds.

use std::collections::HashSet;

use schema::{Away, Schema, within};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, PgConnection, PgPool, Row};
use subjects::{Ledger, OptionId, RoundId, Timestamp};
use web::Unavailable;

use crate::rules::Scoreboard;

/// How long a tally's lock session may be silent before Postgres ends it: so a tally that hangs loses its rounds.
const LOCK_SESSION_SILENCE: &str = "5s";

/// The scoreboard.
#[derive(Debug)]
pub struct Store {
    schema: Schema,
}

/// Why the scoreboard was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres did not do what it was asked. It may later.
    #[error(transparent)]
    Away(#[from] Away),
    /// The cursor is not where this tally read it: another one counts this round.
    #[error("somebody else counts this round")]
    Moved,
}

impl Store {
    /// A scoreboard behind this pool. Nothing is asked of it yet.
    pub fn new(pool: PgPool) -> Self {
        Self { schema: Schema::new("tally", sqlx::migrate!(), pool) }
    }

    /// Whether the schema can be used.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn check(&self) -> Result<(), Unavailable> {
        self.schema.check("select from tally.cursor limit 1").await
    }

    /// The committed counts of a round; all zero for one that was never counted.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn read(&self, round: &RoundId) -> Result<Scoreboard, StoreError> {
        let pool = self.schema.pool().await?;
        // One statement sees one moment: the counts belong to the cursor.
        let select = sqlx::query(
            "select sequence, stored_at, accepted, counted, replaced, unreadable, final, generation, option, votes
             from tally.cursor left join tally.count using (round) where round = $1",
        )
        .bind(round.as_str());
        let read = async { scoreboard(&select.fetch_all(pool).await?) };
        Ok(self.schema.answer("read the counts", read).await?)
    }

    /// Commits the counts `after` and their cursor in one transaction, if the cursor is still at `before`.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when it is not: nothing was written. [`StoreError::Away`]: unknown; read again.
    pub async fn commit(
        &self,
        round: &RoundId,
        before: &Scoreboard,
        after: &Scoreboard,
    ) -> Result<(), StoreError> {
        let pool = self.schema.pool().await?;
        let mut options = Vec::new();
        let mut votes = Vec::new();
        for (option, count) in &after.votes {
            if before.votes.get(option) != Some(count) {
                options.push(option.as_str());
                votes.push(*count);
            }
        }
        // One statement, so one round trip and one transaction.
        let commit = sqlx::query(
            "with moved as (
                 insert into tally.cursor as cursor
                        (round, sequence, accepted, counted, replaced, unreadable, final, stored_at)
                 select $1, $3, $4, $5, $6, $7, $8, $12
                 where $2 = 0 or exists (select from tally.cursor where round = $1)
                 on conflict (round) do update
                    set sequence = excluded.sequence, accepted = excluded.accepted, counted = excluded.counted,
                        replaced = excluded.replaced, unreadable = excluded.unreadable, final = excluded.final,
                        stored_at = excluded.stored_at
                    where cursor.sequence = $2 and cursor.generation = $11
                 returning round
             ), counted as (
                 insert into tally.count (round, option, votes)
                 select moved.round, new.option, new.votes
                 from moved, unnest($9::text[], $10::bigint[]) as new (option, votes)
                 on conflict (round, option) do update set votes = excluded.votes
             )
             select count(*) from moved",
        )
        .bind(round.as_str())
        .bind(signed(before.sequence))
        .bind(signed(after.sequence))
        .bind(signed(after.ledger.accepted))
        .bind(signed(after.ledger.counted))
        .bind(signed(after.ledger.replaced))
        .bind(signed(after.ledger.unreadable))
        .bind(after.is_final)
        .bind(options)
        .bind(votes)
        .bind(before.generation)
        .bind(after.stored_at.map(Timestamp::unix_millis));
        let commit = async { commit.fetch_one(pool).await?.try_get(0) };
        match self.schema.answer("commit the counts", commit).await? {
            1_i64 => Ok(()),
            _ => Err(StoreError::Moved),
        }
    }

    /// The rounds in which somebody has put other counts in place, and how often.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn replaced(&self) -> Result<Vec<(RoundId, i64)>, StoreError> {
        let pool = self.schema.pool().await?;
        let select = sqlx::query_as("select round, generation from tally.cursor where generation > 0");
        let rows: Vec<(String, i64)> =
            self.schema.answer("look for counts that were replaced", select.fetch_all(pool)).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(round, times)| Some((RoundId::parse(&round).ok()?, times)))
            .collect())
    }

    /// Puts these counts and their cursor in place of whatever is there, in one transaction. The tally that counts the
    /// round finds them replaced, reads again, announces them, and goes on from here.
    ///
    /// # Errors
    /// [`StoreError::Away`]: nothing was changed, or all of it.
    pub async fn replace(&self, round: &RoundId, scoreboard: &Scoreboard) -> Result<(), StoreError> {
        let pool = self.schema.pool().await?;
        let replace = sqlx::query(
            "with moved as (
                 insert into tally.cursor as cursor
                        (round, sequence, accepted, counted, replaced, unreadable, final, stored_at, generation)
                 values ($1, $2, $3, $4, $5, $6, $7, $10, 1)
                 on conflict (round) do update
                    set sequence = excluded.sequence, accepted = excluded.accepted, counted = excluded.counted,
                        replaced = excluded.replaced, unreadable = excluded.unreadable, final = excluded.final,
                        stored_at = excluded.stored_at, generation = cursor.generation + 1
             ), gone as (
                 delete from tally.count where round = $1 and option <> all ($8::text[])
             )
             insert into tally.count (round, option, votes)
             select $1, new.option, new.votes from unnest($8::text[], $9::bigint[]) as new (option, votes)
             on conflict (round, option) do update set votes = excluded.votes",
        )
        .bind(round.as_str())
        .bind(signed(scoreboard.sequence))
        .bind(signed(scoreboard.ledger.accepted))
        .bind(signed(scoreboard.ledger.counted))
        .bind(signed(scoreboard.ledger.replaced))
        .bind(signed(scoreboard.ledger.unreadable))
        .bind(scoreboard.is_final)
        .bind(scoreboard.votes.keys().map(OptionId::as_str).collect::<Vec<_>>())
        .bind(scoreboard.votes.values().copied().collect::<Vec<_>>())
        .bind(scoreboard.stored_at.map(Timestamp::unix_millis));
        Ok(self.schema.answer("replace the counts", replace.execute(pool)).await.map(|_| ())?)
    }

    /// Opens a session that holds this tally's locks, apart from the pool.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn locks(&self) -> Result<Locks, StoreError> {
        let options: PgConnectOptions = (*self.schema.pool().await?.connect_options()).clone();
        let options = options.options([("idle_session_timeout", LOCK_SESSION_SILENCE)]);
        let session = within("open the lock session", options.connect()).await?;
        Ok(Locks { session, held: HashSet::new() })
    }
}

/// A session that holds a lock for each round this tally counts. They fall with the session.
#[derive(Debug)]
pub struct Locks {
    session: PgConnection,
    held: HashSet<RoundId>,
}

impl Locks {
    /// Takes the locks of rounds, and tells of which: those that no other tally holds. Keeps the session alive.
    ///
    /// # Errors
    /// [`StoreError::Away`]: every lock is lost.
    pub async fn take(&mut self, rounds: &[RoundId]) -> Result<Vec<RoundId>, StoreError> {
        // Postgres would count how often the session has taken one.
        let free = rounds.iter().filter(|round| !self.held.contains(*round));
        let names: Vec<&str> = free.map(RoundId::as_str).collect();
        let take = sqlx::query_scalar(
            "select round from unnest($1::text[]) as round
             where pg_try_advisory_lock(hashtextextended('urna.tally.' || round, 0))",
        );
        let taken = take.bind(names).fetch_all(&mut self.session);
        let taken: Vec<String> = within("take the locks of rounds", taken).await?;
        self.held.extend(taken.iter().filter_map(|name| RoundId::parse(name).ok()));
        Ok(rounds.iter().filter(|round| self.held.contains(*round)).cloned().collect())
    }

    /// Gives the lock of a round back, if it is held: Postgres has room for some thousands, for everyone together.
    ///
    /// # Errors
    /// [`StoreError::Away`]: every lock is lost.
    pub async fn release(&mut self, round: &RoundId) -> Result<(), StoreError> {
        if self.held.remove(round) {
            let release = sqlx::query("select pg_advisory_unlock(hashtextextended('urna.tally.' || $1, 0))");
            let released = release.bind(round.as_str()).execute(&mut self.session);
            within("give the lock of a round back", released).await?;
        }
        Ok(())
    }
}

/// The rows of one round: each has the cursor, and the votes of one option.
fn scoreboard(rows: &[PgRow]) -> Result<Scoreboard, sqlx::Error> {
    let mut scoreboard = Scoreboard::default();
    for row in rows {
        let number = |name: &str| row.try_get::<i64, _>(name).map(|value| u64::try_from(value).unwrap_or(0));
        scoreboard.sequence = number("sequence")?;
        scoreboard.stored_at =
            row.try_get::<Option<i64>, _>("stored_at")?.and_then(Timestamp::from_unix_millis);
        scoreboard.ledger = Ledger {
            accepted: number("accepted")?,
            counted: number("counted")?,
            replaced: number("replaced")?,
            unreadable: number("unreadable")?,
        };
        scoreboard.is_final = row.try_get("final")?;
        scoreboard.generation = row.try_get("generation")?;
        let option: Option<&str> = row.try_get("option")?;
        if let Some(option) = option.and_then(|option| OptionId::parse(option).ok()) {
            scoreboard.votes.insert(option, row.try_get("votes")?);
        }
    }
    Ok(scoreboard)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
