//! The shape in which tests run `urna`: every actor in one process, or each in a process of its own.

/// The actors of `urna`. Each is also a binary of this name.
pub(crate) const ACTORS: [&str; 6] = ["round", "vote", "tally", "result", "login", "session"];

/// Whether this program runs as one process for each actor, as `make test-apart` says.
///
/// # Panics
/// When the variable `TEST_SHAPE` is set to anything else.
#[expect(clippy::disallowed_methods, reason = "`make test-apart` sets the shape")]
pub(crate) fn is_apart(program: &str) -> bool {
    match std::env::var("TEST_SHAPE").as_deref() {
        Ok("apart") => program == "urna",
        Ok(other) => panic!("TEST_SHAPE is {other:?}: set it to apart, or leave it out"),
        Err(_) => false,
    }
}
