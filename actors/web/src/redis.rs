//! The connection to Redis: made when it is first needed, made again when it breaks, and never waited for long.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tracing::{info, warn};

/// How long Redis may take to answer a command.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// How long a connection may take. It goes on being made when the query that began it has given up.
const CONNECTION_WITHIN: Duration = Duration::from_secs(1);
/// How long a query may take altogether, a connection included.
const QUERY_WITHIN: Duration = Duration::from_millis(600);
/// How long the other end may be silent about what was sent before the connection counts as broken.
#[cfg(target_os = "linux")]
const SILENT_WITHIN: Duration = Duration::from_secs(3);

/// One connection for all of a process. Making it never waits and never fails for want of a server. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    runtime: Handle,
    is_away: Arc<AtomicBool>,
}

/// Redis did not answer, or not with what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redis did not answer")]
pub struct Away;

/// The address is none. It is not shown: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of redis must be one such as redis://127.0.0.1:6379")]
pub struct MalformedAddress;

/// One command, or several that are sent at once.
#[derive(Clone)]
pub enum Query {
    /// One.
    One(Cmd),
    /// Several; all or none of them when the pipeline is atomic.
    Many(Pipeline),
}

impl Redis {
    /// The server at `url` (`redis://[user:password@]host[:port][/database]`). Everything runs on `runtime`.
    ///
    /// # Errors
    /// [`MalformedAddress`].
    pub fn new(url: &SecretString, runtime: Handle) -> Result<Self, MalformedAddress> {
        let address = url.expose_secret().into_connection_info().map_err(|_| MalformedAddress)?;
        let tcp = TcpSettings::default().set_nodelay(true);
        // Without it, a server that vanished would be written to for a quarter of an hour.
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(SILENT_WITHIN);
        let client = Client::open(address.set_tcp_settings(tcp)).map_err(|_| MalformedAddress)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECTION_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let _on_it = runtime.enter();
        let connection =
            ConnectionManager::new_lazy_with_config(client, config).map_err(|_| MalformedAddress)?;
        Ok(Self { connection, runtime, is_away: Arc::default() })
    }

    /// Asks, and reads the answer as `T`. When the connection turns out to be broken it asks once more on a new one,
    /// so a query may be carried out twice.
    ///
    /// # Errors
    /// [`Away`], well within a second.
    pub async fn query<T: FromRedisValue + Send + 'static>(
        &self,
        query: impl Into<Query>,
    ) -> Result<T, Away> {
        let (query, mut connection) = (query.into(), self.connection.clone());
        let asked = self.runtime.spawn(async move {
            let answer = async {
                match query.ask(&mut connection).await {
                    Err(fault) if fault.is_connection_dropped() => query.ask(&mut connection).await,
                    answer => answer,
                }
            };
            tokio::time::timeout(QUERY_WITHIN, answer).await
        });
        match asked.await {
            Ok(Ok(Ok(answer))) => {
                self.note_answer();
                Ok(answer)
            }
            // Its kind alone: its words may hold what was stored.
            Ok(Ok(Err(fault))) => Err(self.note_silence(&fault.kind())),
            Ok(Err(elapsed)) => Err(self.note_silence(&elapsed)),
            // The runtime has ended.
            Err(_) => Err(Away),
        }
    }

    /// Whether Redis answers.
    pub async fn is_there(&self) -> bool {
        self.query::<()>(redis::cmd("PING")).await.is_ok()
    }

    fn note_answer(&self) {
        if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
            info!("redis answers again");
        }
    }

    /// Only the first of many failures in a row is worth a line.
    fn note_silence(&self, fault: &dyn fmt::Debug) -> Away {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            warn!(?fault, "redis does not answer");
        }
        Away
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis(…)")
    }
}

impl Query {
    async fn ask<T: FromRedisValue>(&self, connection: &mut ConnectionManager) -> Result<T, RedisError> {
        match self {
            Self::One(command) => command.query_async(connection).await,
            Self::Many(pipeline) => pipeline.query_async(connection).await,
        }
    }
}

impl From<Cmd> for Query {
    fn from(command: Cmd) -> Self {
        Self::One(command)
    }
}

impl From<&mut Cmd> for Query {
    fn from(command: &mut Cmd) -> Self {
        Self::One(std::mem::take(command))
    }
}

impl From<Pipeline> for Query {
    fn from(pipeline: Pipeline) -> Self {
        Self::Many(pipeline)
    }
}

impl From<&mut Pipeline> for Query {
    fn from(pipeline: &mut Pipeline) -> Self {
        Self::Many(pipeline.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_address_is_told_so_and_not_shown() {
        for wrong in ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://user:hunter2@[::1"] {
            let refused = Redis::new(&wrong.into(), Handle::current()).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("hunter2"));
        }
        let redis = Redis::new(&"redis://user:hunter2@127.0.0.1:1/2".into(), Handle::current()).unwrap();
        assert_eq!(format!("{redis:?}"), "Redis(…)");
    }

    #[tokio::test]
    async fn an_absent_server_is_not_waited_for() {
        let redis = Redis::new(&"redis://127.0.0.1:1".into(), Handle::current()).unwrap();
        let asked = tokio::time::timeout(Duration::from_millis(100), redis.is_there());
        assert_eq!(asked.await, Ok(false));
    }
}
