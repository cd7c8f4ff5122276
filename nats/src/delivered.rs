//! A message as a consumer delivers it, without anything that belongs to a connection.

use subjects::Timestamp;

/// A message and what the server said about its delivery. `M` is what the carrier holds of the message itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered<M> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the server stored it.
    pub stored_at: Option<Timestamp>,
    /// Its number among all that this consumer has delivered, from 1. One that is missing was lost on its way.
    pub consumer_sequence: u64,
    /// How often it was delivered, this time included.
    pub deliveries: u64,
    /// How many messages of the stream were behind it when it was sent.
    pub behind: u64,
    /// How many bytes its payload has.
    pub bytes: usize,
    /// The message.
    pub message: M,
}

impl<M> Delivered<M> {
    /// The same delivery of another form of the message.
    pub fn map<N>(self, form: impl FnOnce(M) -> N) -> Delivered<N> {
        let Self { sequence, stored_at, consumer_sequence, deliveries, behind, bytes, message } = self;
        let message = form(message);
        Delivered { sequence, stored_at, consumer_sequence, deliveries, behind, bytes, message }
    }
}
