//! Looking things up in a stream, and changing what a stream admits.

use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind, RawMessageErrorKind, Stream};

use crate::bus::Bus;
use crate::deploy::is_missing;
use crate::rollback::AtPlace;
use crate::stored::StoredMessage;
use crate::unavailable::Unavailable;

impl Bus {
    /// The message at `sequence` of `stream`, from the stream's leader; `None` when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn message_at(
        &self,
        stream: &str,
        sequence: u64,
    ) -> Result<Option<StoredMessage>, Unavailable> {
        let doing = || format!("read message {sequence} of {stream}");
        let handle = self.handle(stream, doing).await?;
        match handle.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message.into())),
            Err(fault) if fault.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(fault) => Err(Unavailable::new(doing(), fault)),
        }
    }

    /// What is stored at `sequence` of `stream`, as far as a reader compares it with what it read there.
    pub(crate) async fn place(&self, stream: &str, sequence: u64) -> Result<AtPlace, Unavailable> {
        let there = self.message_at(stream, sequence).await?;
        Ok(there.map_or(AtPlace::Nothing, |message| AtPlace::Message { stored_at: message.stored_at }))
    }

    /// The newest message of one subject of `stream`; `None` when it has none.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn newest_of(&self, stream: &str, subject: &str) -> Result<Option<StoredMessage>, Unavailable> {
        let doing = || format!("read the newest {subject} of {stream}");
        let handle = self.handle(stream, doing).await?;
        match handle.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message.into())),
            Err(fault) if fault.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(fault) => Err(Unavailable::new(doing(), fault)),
        }
    }

    /// Overwrites and deletes the newest message of one subject of `stream`, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn destroy_newest(&self, stream: &str, subject: &str) -> Result<(), Unavailable> {
        let Some(newest) = self.newest_of(stream, subject).await? else {
            return Ok(());
        };
        let doing = || format!("destroy the newest {subject} of {stream}");
        let handle = self.handle(stream, doing).await?;
        // Unless told otherwise, the server overwrites what it deletes.
        let deleted = handle.delete_message(newest.sequence).await;
        deleted.map(|_| ()).map_err(|cause| Unavailable::new(doing(), cause))
    }

    /// Whether the server refuses every further message of `stream`; `None` when there is no such stream.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer.
    pub async fn is_sealed(&self, stream: &str) -> Result<Option<bool>, Unavailable> {
        match self.jetstream.get_stream(stream).await {
            Ok(told) => Ok(Some(told.cached_info().config.sealed)),
            Err(cause) if is_missing(&cause.kind()) => Ok(None),
            Err(cause) => Err(Unavailable::new(format!("ask about {stream}"), cause)),
        }
    }

    /// Makes the server refuse every further message of `stream`. Nobody can undo it.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or turns it down.
    pub async fn seal(&self, stream: &str) -> Result<(), Unavailable> {
        let doing = || format!("seal {stream}");
        let config = Config { sealed: true, ..self.info(stream, doing).await?.config };
        let sealed = self.jetstream.update_stream(config).await;
        sealed.map(|_| ()).map_err(|cause| Unavailable::new(doing(), cause))
    }

    /// The last sequence of `stream`; 0 when it is empty.
    ///
    /// # Errors
    /// [`Unavailable`] when the server does not answer or there is no such stream.
    pub async fn last_sequence(&self, stream: &str) -> Result<u64, Unavailable> {
        Ok(self.info(stream, || format!("ask for the end of {stream}")).await?.state.last_sequence)
    }

    /// A stream, to ask things of. Nothing is asked of the server yet.
    pub(crate) async fn handle(
        &self,
        stream: &str,
        doing: impl Fn() -> String,
    ) -> Result<Stream<()>, Unavailable> {
        self.jetstream.get_stream_no_info(stream).await.map_err(|cause| Unavailable::new(doing(), cause))
    }

    async fn info(&self, stream: &str, doing: impl Fn() -> String) -> Result<Info, Unavailable> {
        let told = self.jetstream.get_stream(stream).await;
        told.map(|told| told.cached_info().clone()).map_err(|cause| Unavailable::new(doing(), cause))
    }
}
