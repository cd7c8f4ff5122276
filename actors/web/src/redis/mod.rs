//! The connection to Redis: made when it is first needed, made again when it breaks, and never waited for long.

mod address;
mod line;
mod why;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError};
use secrecy::SecretString;
use tokio::runtime::Handle;

use crate::outage::Outage;
use crate::unavailable::Unavailable;
pub use address::{RedisClientCertificate, RedisCredentials, RedisSettings, RedisSettingsError, RedisTls};
use line::Line;

/// How long a query may take altogether, a connection included.
const QUERY_WITHIN: Duration = Duration::from_millis(600);
/// How long it may take to find out why Redis is unavailable where its error does not say so.
const FOUND_OUT_WITHIN: Duration = Duration::from_millis(300);

/// One connection for all who are one user of Redis. Making it never waits and never fails for want of a server. Cheap to
/// clone.
#[derive(Clone)]
pub struct Redis {
    line: Arc<Line>,
    runtime: Handle,
    outage: Arc<Outage>,
}

/// Redis did not answer, or not with what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redis did not answer")]
pub struct Away;

/// One command, or several that are sent at once.
#[derive(Clone)]
pub enum Query {
    /// One.
    One(Cmd),
    /// Several; all or none of them when the pipeline is atomic.
    Many(Pipeline),
}

impl Redis {
    /// The server at this address. Everything runs on `runtime`.
    ///
    /// # Errors
    /// When it is not an address.
    pub fn new(url: &SecretString, runtime: Handle) -> Result<Self, RedisSettingsError> {
        Self::with(&RedisSettings::new(url.clone()), runtime)
    }

    /// The server of these settings. Everything runs on `runtime`.
    ///
    /// # Errors
    /// When they cannot be used, or a part of them would be ignored.
    pub fn with(settings: &RedisSettings, runtime: Handle) -> Result<Self, RedisSettingsError> {
        let (source, user) = settings.source()?;
        let name: Cow<'static, str> = match user {
            Some(user) => format!("redis as {user}").into(),
            None => "redis".into(),
        };
        let line = Arc::new(Line::new(source, runtime.clone()));
        Ok(Self { line, runtime, outage: Arc::new(Outage::none(name)) })
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
        match self.ask(query.into()).await {
            Ok(answer) => {
                self.outage.note(Ok(()));
                Ok(answer)
            }
            Err(fault) => {
                self.outage.note(Err(fault.as_ref().map_or(Unavailable::NoAnswer, why::why).into()));
                Err(Away)
            }
        }
    }

    /// Asks, and says why there was no answer.
    ///
    /// # Errors
    /// Why, well within a second.
    pub async fn check(&self, query: impl Into<Query>) -> Result<(), Unavailable> {
        let found = match self.ask::<redis::Value>(query.into()).await {
            Ok(_) => Ok(()),
            Err(None) => Err(Unavailable::NoAnswer),
            Err(Some(fault)) => {
                let line = Arc::clone(&self.line);
                let finding = async move { why::find_out(&fault, line.source()).await };
                let found = self.runtime.spawn(tokio::time::timeout(FOUND_OUT_WITHIN, finding)).await;
                Err(found.ok().and_then(Result::ok).unwrap_or(Unavailable::Other))
            }
        };
        self.outage.note(found.map_err(Into::into));
        found
    }

    /// The error, or `None` when there was no answer in time.
    async fn ask<T: FromRedisValue + Send + 'static>(&self, query: Query) -> Result<T, Option<RedisError>> {
        let line = Arc::clone(&self.line);
        let asked =
            self.runtime.spawn(async move { tokio::time::timeout(QUERY_WITHIN, line.ask(&query)).await });
        match asked.await {
            Ok(Ok(answer)) => answer.map_err(Some),
            // In time, or because the runtime has ended.
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis(…)")
    }
}

impl Query {
    async fn ask<T: FromRedisValue>(&self, connection: &mut MultiplexedConnection) -> Result<T, RedisError> {
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
    async fn a_connection_shows_nothing_of_its_address() {
        let redis = Redis::new(&"redis://user:hunter2@127.0.0.1:1/2".into(), Handle::current()).unwrap();
        assert_eq!(format!("{redis:?}"), "Redis(…)");
    }

    #[tokio::test]
    async fn an_absent_server_is_not_waited_for() {
        let redis = Redis::new(&"redis://127.0.0.1:1".into(), Handle::current()).unwrap();
        let asked = redis.check(redis::cmd("PING"));
        let asked = tokio::time::timeout(Duration::from_millis(100), asked);
        assert_eq!(asked.await, Ok(Err(Unavailable::NoRoute)));
    }
}
