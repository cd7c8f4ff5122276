//! The scoreboard in Postgres, schema `tally`; and the locks by which tallies share the rounds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Row};
use subjects::{Ledger, OptionId, RoundId};

use crate::rules::Scoreboard;

/// How long a tally's lock session may be silent before Postgres ends it: so a tally that hangs loses its rounds.
const LOCK_SESSION_SILENCE: &str = "5s";

/// How long Postgres may take to answer before it counts as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// How long a migration may wait for another's.
const MIGRATE_WITHIN: &str = "2s";
/// What Postgres says of a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// The scoreboard.
#[derive(Debug)]
pub struct Store {
    pool: PgPool,
    /// Whether the schema was there when last used.
    has_schema: AtomicBool,
}

/// Why the scoreboard was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres did not do what it was asked. It may later.
    #[error("failed to {doing} in Postgres: {cause}")]
    Away {
        /// What was being done.
        doing: &'static str,
        /// What Postgres said.
        #[source]
        cause: sqlx::Error,
    },
    /// The cursor is not where this tally read it: another one counts this round.
    #[error("somebody else counts this round")]
    Moved,
}

impl Store {
    /// A scoreboard behind this pool. Nothing is asked of it yet.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, has_schema: AtomicBool::new(false) }
    }

    /// Whether Postgres answers and the schema is there.
    pub async fn is_there(&self) -> bool {
        if self.migrate().await.is_err() {
            return false;
        }
        let looked = within(sqlx::query("select from tally.cursor limit 1").execute(&self.pool)).await;
        looked.map_err(|cause| self.away("look at the schema", cause)).is_ok()
    }

    /// The committed counts of a round; all zero for one that was never counted.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn read(&self, round: &RoundId) -> Result<Scoreboard, StoreError> {
        self.migrate().await?;
        let away = |cause| self.away("read the counts", cause);
        // One statement sees one moment: the counts belong to the cursor.
        let select = sqlx::query(
            "select sequence, accepted, counted, replaced, unreadable, final, generation, option, votes
             from tally.cursor left join tally.count using (round) where round = $1",
        )
        .bind(round.as_str());
        let rows = within(select.fetch_all(&self.pool)).await.map_err(away)?;
        let mut scoreboard = Scoreboard::default();
        for row in &rows {
            let number =
                |name: &str| row.try_get::<i64, _>(name).map(|value| u64::try_from(value).unwrap_or(0));
            scoreboard.sequence = number("sequence").map_err(away)?;
            scoreboard.ledger = Ledger {
                accepted: number("accepted").map_err(away)?,
                counted: number("counted").map_err(away)?,
                replaced: number("replaced").map_err(away)?,
                unreadable: number("unreadable").map_err(away)?,
            };
            scoreboard.is_final = row.try_get("final").map_err(away)?;
            scoreboard.generation = row.try_get("generation").map_err(away)?;
            let option: Option<&str> = row.try_get("option").map_err(away)?;
            if let Some(option) = option.and_then(|option| OptionId::parse(option).ok()) {
                scoreboard.votes.insert(option, row.try_get("votes").map_err(away)?);
            }
        }
        Ok(scoreboard)
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
        self.migrate().await?;
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
                        (round, sequence, accepted, counted, replaced, unreadable, final)
                 select $1, $3, $4, $5, $6, $7, $8
                 where $2 = 0 or exists (select from tally.cursor where round = $1)
                 on conflict (round) do update
                    set sequence = excluded.sequence, accepted = excluded.accepted, counted = excluded.counted,
                        replaced = excluded.replaced, unreadable = excluded.unreadable, final = excluded.final
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
        .bind(before.generation);
        let moved = within(commit.fetch_one(&self.pool)).await.and_then(|row| row.try_get::<i64, _>(0));
        match moved {
            Ok(1) => Ok(()),
            Ok(_) => Err(StoreError::Moved),
            Err(cause) => Err(self.away("commit the counts", cause)),
        }
    }

    /// Puts these counts and their cursor in place of whatever is there, in one transaction. A tally that counts the
    /// round finds them replaced at its next commit, reads again, announces them, and goes on from here.
    ///
    /// # Errors
    /// [`StoreError::Away`]: nothing was changed, or all of it.
    pub async fn replace(&self, round: &RoundId, scoreboard: &Scoreboard) -> Result<(), StoreError> {
        self.migrate().await?;
        let replace = sqlx::query(
            "with moved as (
                 insert into tally.cursor as cursor
                        (round, sequence, accepted, counted, replaced, unreadable, final)
                 values ($1, $2, $3, $4, $5, $6, $7)
                 on conflict (round) do update
                    set sequence = excluded.sequence, accepted = excluded.accepted, counted = excluded.counted,
                        replaced = excluded.replaced, unreadable = excluded.unreadable, final = excluded.final,
                        generation = cursor.generation + 1
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
        .bind(scoreboard.votes.values().copied().collect::<Vec<_>>());
        let replaced = within(replace.execute(&self.pool)).await;
        replaced.map(|_| ()).map_err(|cause| self.away("replace the counts", cause))
    }

    /// Brings the schema up to date, unless that was done. Done again when somebody has dropped it meanwhile.
    async fn migrate(&self) -> Result<(), StoreError> {
        if self.has_schema.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut migrator = sqlx::migrate!();
        migrator.create_schema("tally");
        migrator.dangerous_set_table_name("tally._sqlx_migrations");
        // On a connection of its own, closed when this is given up: one that went back into the pool would come to
        // hold the migrator's lock, for good.
        let options = (*self.pool.connect_options()).clone().options([("lock_timeout", MIGRATE_WITHIN)]);
        let migrate = async {
            let mut own = PgConnection::connect_with(&options).await?;
            migrator.run_direct(None, &mut own, false).await?;
            own.close().await
        };
        let doing = "bring the schema tally up to date";
        within(migrate).await.map_err(|cause| StoreError::Away { doing, cause })?;
        self.has_schema.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn away(&self, doing: &'static str, cause: sqlx::Error) -> StoreError {
        let code = cause.as_database_error().and_then(|fault| fault.code());
        if code.is_some_and(|code| code == UNDEFINED_TABLE) {
            self.has_schema.store(false, Ordering::Relaxed);
        }
        StoreError::Away { doing, cause }
    }

    /// Opens a session that holds this tally's locks, apart from the pool.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub async fn locks(&self) -> Result<Locks, StoreError> {
        let away = |cause| StoreError::Away { doing: "open the lock session", cause };
        let options: PgConnectOptions = (*self.pool.connect_options()).clone();
        let options = options.options([("idle_session_timeout", LOCK_SESSION_SILENCE)]);
        Ok(Locks(within(options.connect()).await.map_err(away)?))
    }
}

/// A session that holds a lock for each round this tally counts. They fall with the session.
#[derive(Debug)]
pub struct Locks(PgConnection);

impl Locks {
    /// Takes the locks of rounds, and tells of which: those that no other tally holds. Keeps the session alive.
    ///
    /// # Errors
    /// [`StoreError::Away`]: every lock is lost.
    pub async fn take(&mut self, rounds: &[RoundId]) -> Result<Vec<RoundId>, StoreError> {
        let names: Vec<&str> = rounds.iter().map(RoundId::as_str).collect();
        let take = sqlx::query_scalar(
            "select round from unnest($1::text[]) as round
             where pg_try_advisory_lock(hashtextextended('urna.tally.' || round, 0))",
        );
        let taken: Result<Vec<String>, _> = within(take.bind(names).fetch_all(&mut self.0)).await;
        let taken = taken.map_err(|cause| StoreError::Away { doing: "take the locks of rounds", cause })?;
        Ok(rounds.iter().filter(|round| taken.iter().any(|name| name == round.as_str())).cloned().collect())
    }
}

/// A connection that loses an answer would be waited for without end.
async fn within<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER_WITHIN, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
