//! The rounds' copy in Postgres, schema `round`.

use schema::{Away, Schema};
use sqlx::PgPool;
use sqlx::types::Json;
use subjects::RoundChanged;
use web::Unavailable;

/// The copy.
#[derive(Debug)]
pub struct Store {
    schema: Schema,
}

impl Store {
    /// A copy behind this pool. Nothing is asked of it yet.
    pub fn new(pool: PgPool) -> Self {
        Self { schema: Schema::new("round", sqlx::migrate!(), pool) }
    }

    /// Keeps this version of the round, unless a newer one is there.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn keep(&self, sequence: u64, changed: &RoundChanged) -> Result<(), Away> {
        let keep = sqlx::query(
            "insert into round.round (id, sequence, body) values ($1, $2, $3)
             on conflict (id) do update set sequence = excluded.sequence, body = excluded.body
             where round.sequence < excluded.sequence",
        )
        .bind(changed.round.id.as_str())
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .bind(Json(&changed.round))
        .execute(self.schema.pool().await?);
        self.schema.answer("keep a round", keep).await.map(|_| ())
    }

    /// Whether the schema can be used.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn check(&self) -> Result<(), Unavailable> {
        self.schema.check("select from round.round limit 1").await
    }
}
