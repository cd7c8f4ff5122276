//! A question that got no usable answer.

/// A question to the server that got no usable answer. It can be asked again.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}: {cause}")]
pub struct Unavailable {
    doing: String,
    cause: String,
}

impl Unavailable {
    pub(crate) fn new(doing: impl Into<String>, cause: impl std::fmt::Display) -> Self {
        Self { doing: doing.into(), cause: cause.to_string() }
    }
}
