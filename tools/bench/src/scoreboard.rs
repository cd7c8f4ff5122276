//! Looks into the tally's tables, to see it count from the first ballot on.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};
use subjects::RoundId;
use tokio::time::sleep;

/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the tally may stand still.
const MOVES_WITHIN: Duration = Duration::from_secs(60);

/// The scoreboard of one round.
pub struct Scoreboard {
    connection: PgConnection,
    round: String,
}

impl Scoreboard {
    /// Connects.
    ///
    /// # Errors
    /// When Postgres is away, as with all of these.
    pub async fn open(url: &str, round: &RoundId) -> anyhow::Result<Self> {
        let connection = PgConnection::connect(url).await.context("failed to connect to Postgres")?;
        Ok(Self { connection, round: round.to_string() })
    }

    /// Drops everything that the tally has counted. It notices when the next ballot comes.
    ///
    /// # Errors
    /// As above.
    pub async fn forget(&mut self) -> anyhow::Result<()> {
        let tables = "drop table tally.count, tally.cursor, tally._sqlx_migrations";
        let dropped = sqlx::query(tables).execute(&mut self.connection).await;
        dropped.map(|_| ()).context("failed to drop the tables of the tally")
    }

    /// Times the tally from when its tables are there again until it has counted so many ballots.
    ///
    /// # Errors
    /// When it stands still, or as above.
    pub async fn time(&mut self, ballots: u64) -> anyhow::Result<Duration> {
        let mut moved = Instant::now();
        while !self.is_there().await? {
            ensure!(moved.elapsed() < MOVES_WITHIN, "the tally does not make its tables again");
            sleep(LOOK_EVERY).await;
        }
        let begin = Instant::now();
        let mut last = 0;
        loop {
            let accepted = self.accepted().await?;
            if accepted >= ballots {
                return Ok(begin.elapsed());
            }
            if accepted != last {
                (last, moved) = (accepted, Instant::now());
            }
            ensure!(moved.elapsed() < MOVES_WITHIN, "the tally stands still at {last} of {ballots} ballots");
            sleep(LOOK_EVERY).await;
        }
    }

    async fn is_there(&mut self) -> anyhow::Result<bool> {
        let look = sqlx::query_scalar("select to_regclass('tally.cursor') is not null");
        look.fetch_one(&mut self.connection).await.context("failed to look for the tally's tables")
    }

    async fn accepted(&mut self) -> anyhow::Result<u64> {
        let look = sqlx::query_scalar("select accepted from tally.cursor where round = $1").bind(&self.round);
        let found: Option<i64> =
            look.fetch_optional(&mut self.connection).await.context("failed to read the scoreboard")?;
        Ok(found.and_then(|accepted| u64::try_from(accepted).ok()).unwrap_or(0))
    }
}
