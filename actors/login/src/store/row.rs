//! An account as a row.

use schema::Away;
use secrecy::SecretString;
use sqlx::FromRow;
use subjects::{Email, Person, Timestamp, UserId};

use crate::rules::parse_role;
use crate::store::Account;

/// A query for accounts that ends like this.
macro_rules! select_accounts {
    ($rest:literal) => {
        concat!(
            "select id::text, email, name, password_hash, role, version,
                    (extract(epoch from created_at) * 1000)::bigint as created_at
             from login.account ",
            $rest
        )
    };
}
pub(super) use select_accounts;

#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    email: String,
    name: String,
    password_hash: String,
    role: String,
    version: i64,
    created_at: i64,
}

pub(super) fn accounts(rows: Vec<Row>) -> Result<Vec<Account>, Away> {
    rows.into_iter().map(Account::try_from).collect()
}

impl TryFrom<Row> for Account {
    type Error = Away;

    fn try_from(row: Row) -> Result<Self, Away> {
        let Row { id, email, name, password_hash, role, version, created_at } = row;
        let hash = SecretString::from(password_hash);
        let user = UserId::parse(&id).map_err(|why| unreadable("id", why))?;
        let email = Email::parse(&email).map_err(|why| unreadable("email", why))?;
        let role = parse_role(&role).ok_or_else(|| unreadable("role", "no role"))?;
        let created_at =
            Timestamp::from_unix_millis(created_at).ok_or_else(|| unreadable("created_at", "no moment"))?;
        Ok(Self { person: Person { user, name, email, role }, hash, created_at, version })
    }
}

/// Somebody else wrote in our schema.
fn unreadable(column: &str, why: impl std::fmt::Display) -> Away {
    let cause = sqlx::Error::ColumnDecode { index: column.to_owned(), source: why.to_string().into() };
    Away::new("read an account", cause)
}
