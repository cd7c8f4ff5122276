//! The line to Redis: one connection that all share, made when it is first needed and made again when it breaks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::Query;

/// How long Redis may take to answer a command.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// How long a connection may take. It goes on being made when the query that began it has given up.
const CONNECTION_WITHIN: Duration = Duration::from_secs(1);

/// What opens connections.
pub(super) enum Source {
    /// To one server.
    Server(Client),
    /// To the server that Sentinels name.
    Sentinels {
        /// They are asked one at a time.
        client: tokio::sync::Mutex<SentinelClient>,
        /// Where they are.
        hosts: Vec<(String, u16)>,
    },
}

/// A connection that is being made, or was, or could not be.
type Attempt = OnceCell<Result<MultiplexedConnection, RedisError>>;

/// The line to Redis.
pub(super) struct Line {
    source: Source,
    runtime: Handle,
    current: Mutex<Arc<Attempt>>,
}

impl Source {
    pub fn sentinels(client: SentinelClient, hosts: Vec<(String, u16)>) -> Self {
        Self::Sentinels { client: tokio::sync::Mutex::new(client), hosts }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTION_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let connecting = async {
            match self {
                Self::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await,
                Self::Sentinels { client, .. } => {
                    let mut client = client.lock().await;
                    client.get_async_connection_with_config(&config).await
                }
            }
        };
        let made = tokio::time::timeout(CONNECTION_WITHIN, connecting).await;
        made.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }
}

impl Line {
    pub fn new(source: Source, runtime: Handle) -> Self {
        Self { source, runtime, current: Mutex::default() }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Asks on the connection that is there, and once more on a new one when it turns out to be broken.
    pub async fn ask<T: FromRedisValue>(self: &Arc<Self>, query: &Query) -> Result<T, RedisError> {
        let attempt = self.attempt();
        let answer = query.ask(&mut self.connection(&attempt).await?).await;
        let Err(fault) = &answer else { return answer };
        if self.is_over(fault) {
            self.give_up(&attempt);
        }
        if !fault.is_connection_dropped() {
            return answer;
        }
        let attempt = self.attempt();
        query.ask(&mut self.connection(&attempt).await?).await
    }

    /// The connection of an attempt. One that failed is not tried again, but by the next query.
    async fn connection(
        self: &Arc<Self>,
        attempt: &Arc<Attempt>,
    ) -> Result<MultiplexedConnection, RedisError> {
        if let Some(Ok(made)) = attempt.get() {
            return Ok(made.clone());
        }
        // By a task, which goes on when nobody waits for it any more.
        let (line, making) = (Arc::clone(self), Arc::clone(attempt));
        let made = self.runtime.spawn(async move {
            let made = making.get_or_init(|| line.source.connect()).await.clone();
            if made.is_err() {
                line.give_up(&making);
            }
            made
        });
        made.await.unwrap_or_else(|_| Err((ErrorKind::Client, "the runtime has ended").into()))
    }

    /// Whether another connection is needed after this fault.
    fn is_over(&self, fault: &RedisError) -> bool {
        let may_have_moved = matches!(self.source, Source::Sentinels { .. });
        let is_read_only = fault.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
        // A server that Sentinels have put another one in place of may hang, or go on as a copy.
        fault.is_unrecoverable_error() || (may_have_moved && (is_read_only || fault.is_timeout()))
    }

    fn attempt(&self) -> Arc<Attempt> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins anew, unless somebody else already has.
    fn give_up(&self, attempt: &Arc<Attempt>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, attempt) {
            *current = Arc::default();
        }
    }
}
