//! Makes the roles and the schemas of a database as they should be: each schema belongs to the role of its name, which may
//! do nothing elsewhere, and a reader may read one schema. Deploying again changes nothing.
//!
//! - [`look`] finds what differs
//! - [`subjects`] all that it looks at
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

/// Something that a deployment cares for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A role.
    Role(&'static str),
    /// A schema.
    Schema(&'static str),
    /// The database that is connected to.
    Database,
}

/// One thing that is not as it should be. Never shows a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is different.
    pub subject: Subject,
    /// What is to be done with it.
    pub change: Change,
    statements: Vec<String>,
    /// Whether it can be told that it is done.
    can_be_seen: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// To create it.
    Create,
    /// This, such as `set the password`.
    Alter(String),
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

/// What a deployment of these roles cares for, in the order in which it is changed.
pub fn subjects(roles: &[Role]) -> Vec<Subject> {
    let owners = roles.iter().filter(|role| role.rights == Rights::Owner);
    let schemas = owners.map(|role| Subject::Schema(role.name));
    roles.iter().map(|role| Subject::Role(role.name)).chain([Subject::Database]).chain(schemas).collect()
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

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(f, "role {name}"),
            Self::Schema(name) => write!(f, "schema {name}"),
            Self::Database => f.write_str("database"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            Change::Create => write!(f, "{}: create it", self.subject),
            Change::Alter(change) => write!(f, "{}: {change}", self.subject),
        }
    }
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Difference({self})")
    }
}
