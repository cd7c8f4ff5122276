//! Buckets of the JetStream object store: things that are too large for a message.

use std::time::Duration;

use async_nats::jetstream::object_store::{GetErrorKind, InfoErrorKind, ObjectStore};
use bytes::Bytes;
use futures_util::TryStreamExt;
use subjects::{Bucket, Timestamp};
use tokio::io::AsyncReadExt;

use crate::bus::Bus;
use crate::unavailable::Unavailable;

/// How long one object may take on its way. The client of the object store waits for ever.
const OBJECT_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to look through a bucket.
const LIST_WITHIN: Duration = Duration::from_secs(30);

/// An object of a bucket, as far as it can be told without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// When it was last put there, by the clock of who put it there.
    pub put_at: Option<Timestamp>,
}

impl Bus {
    /// Puts an object into `bucket`, in the place of the one of that name, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`]: it may be there or not. Putting it again does no harm.
    pub async fn put_object(&self, bucket: &Bucket, name: &str, object: &[u8]) -> Result<(), Unavailable> {
        let doing = || format!("put {name} into {}", bucket.name);
        if object.len() > bucket.object_max {
            return Err(Unavailable::new(doing(), "it is too large"));
        }
        let put = async {
            let store = self.bucket(bucket).await?;
            let put = store.put(name, &mut &*object).await;
            put.map(|_| ()).map_err(|cause| Unavailable::new(doing(), cause))
        };
        within(OBJECT_WITHIN, doing, put).await
    }

    /// An object of `bucket`, whole and as it was put there; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer, or the object is being replaced.
    pub async fn object(&self, bucket: &Bucket, name: &str) -> Result<Option<Bytes>, Unavailable> {
        let doing = || format!("read {name} of {}", bucket.name);
        let read = async {
            let store = self.bucket(bucket).await?;
            let mut object = match store.get(name).await {
                Ok(object) => object,
                Err(fault) if fault.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(cause) => return Err(Unavailable::new(doing(), cause)),
            };
            if object.info().size > bucket.object_max {
                return Err(Unavailable::new(doing(), "it is too large"));
            }
            let mut bytes = Vec::with_capacity(object.info().size);
            // Its digest is checked at its end.
            let read = object.read_to_end(&mut bytes).await;
            read.map_err(|cause| Unavailable::new(doing(), cause))?;
            Ok(Some(Bytes::from(bytes)))
        };
        within(OBJECT_WITHIN, doing, read).await
    }

    /// Deletes an object of `bucket`, if it is there.
    ///
    /// # Errors
    /// [`Unavailable`]: it may be there or not.
    pub async fn delete_object(&self, bucket: &Bucket, name: &str) -> Result<(), Unavailable> {
        let doing = || format!("delete {name} of {}", bucket.name);
        let delete = async {
            let store = self.bucket(bucket).await?;
            match store.info(name).await {
                Ok(there) if there.deleted => Ok(()),
                Err(fault) if fault.kind() == InfoErrorKind::NotFound => Ok(()),
                _ => store.delete(name).await.map_err(|cause| Unavailable::new(doing(), cause)),
            }
        };
        within(OBJECT_WITHIN, doing, delete).await
    }

    /// Every object of `bucket`.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn objects(&self, bucket: &Bucket) -> Result<Vec<Object>, Unavailable> {
        let doing = || format!("look through {}", bucket.name);
        let list = async {
            let listed = self.bucket(bucket).await?.list().await;
            let listed = listed.map_err(|cause| Unavailable::new(doing(), cause))?;
            let listed = listed.map_ok(|info| Object {
                name: info.name,
                put_at: info.modified.and_then(|at| {
                    let millis = at.unix_timestamp_nanos() / 1_000_000;
                    i64::try_from(millis).ok().and_then(Timestamp::from_unix_millis)
                }),
            });
            listed.try_collect().await.map_err(|cause| Unavailable::new(doing(), cause))
        };
        within(LIST_WITHIN, doing, list).await
    }

    async fn bucket(&self, bucket: &Bucket) -> Result<ObjectStore, Unavailable> {
        let doing = || format!("find the bucket {}", bucket.name);
        // While the connection is down the client would wait for it.
        if !self.is_connected() {
            return Err(Unavailable::new(doing(), "the bus is away"));
        }
        let found = self.jetstream.get_object_store(bucket.name).await;
        found.map_err(|cause| Unavailable::new(doing(), cause))
    }
}

async fn within<T>(
    most: Duration,
    doing: impl Fn() -> String,
    work: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    let done = tokio::time::timeout(most, work).await;
    done.unwrap_or_else(|_| Err(Unavailable::new(doing(), "no answer came")))
}
