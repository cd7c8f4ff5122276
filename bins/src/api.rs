//! The document of the HTTP API of a process: what its own actors tell of their addresses.

use std::sync::Arc;

use ::web::api::{Document, Operation, operations};

use crate::Process;

/// The document of `process`.
pub fn document(process: Process) -> Arc<Document> {
    type Told = fn() -> Vec<Operation>;
    let actors: [(Process, Told); 5] = [
        (Process::Login, login::operations),
        (Process::Session, session::operations),
        (Process::Round, round::operations),
        (Process::Vote, vote::operations),
        (Process::Result, result::operations),
    ];
    let mut told = operations();
    for (actor, operations) in actors {
        if process.runs(actor) {
            told.extend(operations());
        }
    }
    Arc::new(Document::of(told))
}
