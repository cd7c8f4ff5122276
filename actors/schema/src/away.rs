//! What went wrong with Postgres.

use std::borrow::Cow;

/// What Postgres says of a table that is not there.
pub(crate) const UNDEFINED_TABLE: &str = "42P01";

/// Postgres did not do what it was asked. It may later.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} in Postgres: {cause}")]
pub struct Away {
    doing: Cow<'static, str>,
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    #[error("the schema is missing, and this role may not create it: run `urna deploy`")]
    NotDeployed,
    #[error("this role may not do all of it; still to be done: {0}")]
    StillDiffers(String),
}

impl Away {
    /// With what was being done, and what came of it.
    pub fn new(doing: impl Into<Cow<'static, str>>, cause: sqlx::Error) -> Self {
        Self::of(doing, cause.into())
    }

    pub(crate) fn of(doing: impl Into<Cow<'static, str>>, cause: Cause) -> Self {
        Self { doing: doing.into(), cause }
    }

    /// Whether a row was turned away because another one has what only one may have.
    pub fn is_of_a_second_one(&self) -> bool {
        self.database_error().is_some_and(|fault| fault.is_unique_violation())
    }

    pub(crate) fn is_of_a_missing_table(&self) -> bool {
        let code = self.database_error().and_then(|fault| fault.code());
        code.is_some_and(|code| code == UNDEFINED_TABLE)
    }

    pub(crate) fn cause(&self) -> &Cause {
        &self.cause
    }

    fn database_error(&self) -> Option<&(dyn sqlx::error::DatabaseError + 'static)> {
        match &self.cause {
            Cause::Sqlx(cause) => cause.as_database_error(),
            Cause::NotDeployed | Cause::StillDiffers(_) => None,
        }
    }
}
