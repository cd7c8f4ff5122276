//! The schema in Postgres that an actor has to itself: brought up to date before it is used, and asked with a limit on
//! waiting.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

/// How long Postgres may take to answer before it counts as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// How long a migration may wait for another's.
const MIGRATE_WITHIN: &str = "2s";
/// What Postgres says of a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// A schema.
#[derive(Debug)]
pub struct Schema {
    name: &'static str,
    migrator: Migrator,
    pool: PgPool,
    /// Whether it was up to date when last used.
    is_up_to_date: AtomicBool,
    /// One migration at a time.
    turn: Mutex<()>,
}

/// Postgres did not do what it was asked. It may later.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} in Postgres: {cause}")]
pub struct Away {
    doing: Cow<'static, str>,
    #[source]
    cause: sqlx::Error,
}

impl Schema {
    /// The schema of this name behind the pool, with its migrations. Nothing is asked of Postgres yet.
    pub fn new(name: &'static str, mut migrator: Migrator, pool: PgPool) -> Self {
        migrator.create_schema(name);
        migrator.dangerous_set_table_name(format!("{name}._sqlx_migrations"));
        Self { name, migrator, pool, is_up_to_date: AtomicBool::new(false), turn: Mutex::new(()) }
    }

    /// The pool, once the schema is up to date.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn pool(&self) -> Result<&PgPool, Away> {
        if self.is_up_to_date.load(Ordering::Relaxed) {
            return Ok(&self.pool);
        }
        let doing = format!("bring the schema {} up to date", self.name);
        let _turn = within(doing.clone(), async { Ok(self.turn.lock().await) }).await?;
        if !self.is_up_to_date.load(Ordering::Relaxed) {
            // All of its time for whoever's turn it is, and not what waiting has left of it.
            within(doing, self.migrate()).await?;
        }
        Ok(&self.pool)
    }

    /// Waits for an answer of the schema's tables. When they are gone, since somebody has dropped them, they are made
    /// again before the next use.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn answer<T>(
        &self,
        doing: &'static str,
        asked: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Away> {
        let answered = within(doing, asked).await;
        if answered.as_ref().is_err_and(Away::is_of_a_missing_table) {
            self.is_up_to_date.store(false, Ordering::Relaxed);
        }
        answered
    }

    async fn migrate(&self) -> Result<(), sqlx::Error> {
        // On a connection of its own, closed when this is given up: one that went back into the pool would come to
        // hold the migrator's lock, for good.
        let options = (*self.pool.connect_options()).clone().options([("lock_timeout", MIGRATE_WITHIN)]);
        let mut own = PgConnection::connect_with(&options).await?;
        self.migrator.run_direct(None, &mut own, false).await?;
        own.close().await?;
        self.is_up_to_date.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Away {
    /// With what was being done, and what came of it.
    pub fn new(doing: impl Into<Cow<'static, str>>, cause: sqlx::Error) -> Self {
        Self { doing: doing.into(), cause }
    }

    /// Whether a row was turned away because another one has what only one may have.
    pub fn is_of_a_second_one(&self) -> bool {
        self.cause.as_database_error().is_some_and(|fault| fault.is_unique_violation())
    }

    fn is_of_a_missing_table(&self) -> bool {
        let code = self.cause.as_database_error().and_then(|fault| fault.code());
        code.is_some_and(|code| code == UNDEFINED_TABLE)
    }
}

/// Waits for an answer within a transaction, or of no table: a connection that loses one would be waited for without end.
///
/// # Errors
/// [`Away`].
pub async fn within<T>(
    doing: impl Into<Cow<'static, str>>,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Away> {
    let answered = tokio::time::timeout(ANSWER_WITHIN, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    answered.map_err(|cause| Away::new(doing, cause))
}
