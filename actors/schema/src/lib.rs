//! The schema in Postgres that an actor has to itself: brought up to date before it is used, and asked with a limit on
//! waiting. [`deploy`] makes schemas, and the roles that own them.

mod away;
pub mod deploy;
mod why;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use tokio::sync::Mutex;
use web::Unavailable;

pub use away::Away;
use away::{Cause, UNDEFINED_TABLE};

/// How long Postgres may take to answer before it counts as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// How long a migration may wait for another's.
const MIGRATE_WITHIN: &str = "2s";
/// How long the pool may take to answer before a connection of its own finds out why it does not.
const POOL_WITHIN: Duration = Duration::from_millis(300);
/// What Postgres says to a role that may not do what it tries to.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

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

impl Schema {
    /// The schema of this name behind the pool, with its migrations. Nothing is asked of Postgres yet.
    pub fn new(name: &'static str, mut migrator: Migrator, pool: PgPool) -> Self {
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
            // The caller that migrates gets the full time, without what it spent waiting.
            let migrated = tokio::time::timeout(ANSWER_WITHIN, self.migrate()).await;
            migrated
                .unwrap_or(Err(sqlx::Error::PoolTimedOut.into()))
                .map_err(|cause| Away::of(doing, cause))?;
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

    /// Looks whether the schema can be used. `look` is a statement that reads from one of its tables.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn check(&self, look: &'static str) -> Result<(), Unavailable> {
        let looking = async {
            let look = sqlx::query(look).execute(self.pool().await?);
            self.answer("look at the schema", look).await
        };
        // While no connection can be made, the pool tries again and says nothing.
        let finding_out = async {
            tokio::time::sleep(POOL_WITHIN).await;
            match why::of_connecting(&self.pool.connect_options()).await {
                Some(why) => why,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            looked = looking => match looked {
                Ok(_) => Ok(()),
                // The pool does not say more of a connection that it could not make.
                Err(fault) => Err(why::of_connecting(&self.pool.connect_options()).await.unwrap_or(why::why(&fault))),
            },
            why = finding_out => Err(why),
        }
    }

    async fn migrate(&self) -> Result<(), Cause> {
        // On a connection of its own, closed when this is given up: one that went back into the pool would come to
        // hold the migrator's lock, for good.
        let options = (*self.pool.connect_options()).clone().options([("lock_timeout", MIGRATE_WITHIN)]);
        let mut own = PgConnection::connect_with(&options).await?;
        if !self.is_migrated(&mut own).await? {
            self.ensure_schema(&mut own).await?;
            self.migrator.run_direct(None, &mut own, false).await.map_err(sqlx::Error::from)?;
        }
        own.close().await?;
        self.is_up_to_date.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether every migration has run. A role that may only read learns no more, and needs no more.
    async fn is_migrated(&self, own: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let select = format!("select version, checksum from {}._sqlx_migrations where success", self.name);
        let rows = match sqlx::query(AssertSqlSafe(select)).fetch_all(own).await {
            Err(fault) if code_of(&fault).as_deref() == Some(UNDEFINED_TABLE) => return Ok(false),
            rows => rows?,
        };
        let mut applied = BTreeMap::new();
        for row in rows {
            applied.insert(row.try_get::<i64, _>("version")?, row.try_get::<Vec<u8>, _>("checksum")?);
        }
        let ours = self.migrator.iter().map(|migration| (migration.version, migration.checksum.to_vec()));
        Ok(applied == ours.collect())
    }

    /// Creates the schema if it is missing. Asked only then: Postgres refuses `create schema if not exists` to a role
    /// that may not create one, also when there is nothing to do.
    async fn ensure_schema(&self, own: &mut PgConnection) -> Result<(), Cause> {
        let look = sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)");
        if look.bind(self.name).fetch_one(&mut *own).await? {
            return Ok(());
        }
        let create = format!("create schema if not exists {}", self.name);
        match sqlx::query(AssertSqlSafe(create)).execute(own).await {
            Err(fault) if code_of(&fault).as_deref() == Some(INSUFFICIENT_PRIVILEGE) => {
                Err(Cause::NotDeployed)
            }
            created => Ok(created.map(|_| ())?),
        }
    }
}

/// The code of an error of the database itself.
fn code_of(fault: &sqlx::Error) -> Option<String> {
    Some(fault.as_database_error()?.code()?.into_owned())
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
