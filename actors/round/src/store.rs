//! The rounds' copy in Postgres, schema `round`.

use sqlx::types::Json;
use sqlx::{Connection, PgConnection, PgPool};
use subjects::RoundChanged;
use tokio::sync::OnceCell;

/// How long a migration may wait for another's.
const MIGRATE_WITHIN: &str = "2s";

/// The copy.
#[derive(Debug)]
pub struct Store {
    pool: PgPool,
    migrated: OnceCell<()>,
}

/// Postgres did not do what it was asked. It may later.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} in Postgres: {cause}")]
pub struct StoreError {
    doing: &'static str,
    #[source]
    cause: sqlx::Error,
}

impl Store {
    /// A copy behind this pool. Nothing is asked of it yet.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, migrated: OnceCell::new() }
    }

    /// Keeps this version of the round, unless a newer one is there.
    ///
    /// # Errors
    /// [`StoreError`] when Postgres is away.
    pub async fn keep(&self, sequence: u64, changed: &RoundChanged) -> Result<(), StoreError> {
        self.migrated.get_or_try_init(|| self.migrate()).await?;
        let kept = sqlx::query(
            "insert into round.round (id, sequence, body) values ($1, $2, $3)
             on conflict (id) do update set sequence = excluded.sequence, body = excluded.body
             where round.sequence < excluded.sequence",
        )
        .bind(changed.round.id.as_str())
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .bind(Json(&changed.round))
        .execute(&self.pool)
        .await;
        kept.map(|_| ()).map_err(|cause| StoreError { doing: "keep a round", cause })
    }

    /// Whether Postgres answers and the schema is there.
    pub async fn is_there(&self) -> bool {
        let ready = self.migrated.get_or_try_init(|| self.migrate()).await.is_ok();
        ready && sqlx::query("select from round.round limit 1").execute(&self.pool).await.is_ok()
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut migrator = sqlx::migrate!();
        migrator.create_schema("round");
        migrator.dangerous_set_table_name("round._sqlx_migrations");
        // On a connection of its own, closed when this is given up: one that went back into the pool would come to
        // hold the migrator's lock, for good.
        let options = (*self.pool.connect_options()).clone().options([("lock_timeout", MIGRATE_WITHIN)]);
        let migrated = async {
            let mut own = PgConnection::connect_with(&options).await?;
            migrator.run_direct(None, &mut own, false).await?;
            own.close().await
        };
        let doing = "bring the schema round up to date";
        migrated.await.map_err(|cause| StoreError { doing, cause })
    }
}
