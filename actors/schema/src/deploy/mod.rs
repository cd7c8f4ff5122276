//! Makes the roles and the schemas of a database as they should be: each schema belongs to the role of its name, which may
//! do nothing elsewhere, and a reader may read one schema. Deploying again changes nothing.
//!
//! - [`look`] finds what differs
//! - [`deploy`] finds it, changes it in one transaction, and looks again

mod found;
mod plan;

use std::fmt;

use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::Away;
use crate::away::Cause;
use found::Found;

/// A role that should exist.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name: lower-case letters and digits.
    pub name: &'static str,
    /// Its password.
    pub password: SecretString,
    /// What it may do.
    pub rights: Rights,
}

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything in the schema of its own name, and nothing elsewhere.
    Owner,
    /// Read the tables of this schema, those to come included.
    Reader(&'static str),
}

/// One thing that is not as it should be. Shown as what is to be done; never shows a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    what: String,
    statements: Vec<String>,
    /// Whether it can be told that it is done.
    can_be_seen: bool,
}

/// What differs from the wanted roles and their schemas. Changes nothing.
///
/// `admin` connects as a role that may create roles, and owns the database.
///
/// # Errors
/// [`Away`].
pub async fn look(admin: &PgConnectOptions, roles: &[Role]) -> Result<Vec<Difference>, Away> {
    let looked = async {
        let mut connection = PgConnection::connect_with(admin).await?;
        let found = Found::read(&mut connection, admin, roles).await?;
        connection.close().await?;
        Ok(plan::differences(&found, roles))
    };
    looked.await.map_err(|cause| Away::new("look at roles and schemas", cause))
}

/// Makes roles and schemas as wanted, and returns what it has changed.
///
/// # Errors
/// [`Away`], also when `admin` may not do all of it. Then nothing has changed, unless Postgres has only warned: the error
/// names what still differs.
pub async fn deploy(admin: &PgConnectOptions, roles: &[Role]) -> Result<Vec<Difference>, Away> {
    let differences = look(admin, roles).await?;
    if differences.is_empty() {
        return Ok(differences);
    }
    let changed = async {
        let mut connection = PgConnection::connect_with(admin).await?;
        let is_superuser = sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user");
        let is_superuser: bool = is_superuser.fetch_one(&mut connection).await?;
        let mut transaction = connection.begin().await?;
        for statement in plan::statements(&differences, roles, is_superuser) {
            transaction.execute(AssertSqlSafe(statement)).await?;
        }
        transaction.commit().await?;
        connection.close().await
    };
    changed.await.map_err(|cause| Away::new("create roles and schemas", cause))?;
    let left = look(admin, roles).await?;
    let left: Vec<String> = left.iter().filter(|left| left.can_be_seen).map(ToString::to_string).collect();
    if left.is_empty() {
        return Ok(differences);
    }
    Err(Away::of("create roles and schemas", Cause::StillDiffers(left.join("; "))))
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Difference({})", self.what)
    }
}
