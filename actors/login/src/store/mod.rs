//! The accounts in Postgres, schema `login`; and what is committed and still to be said of them.

mod admins;
mod row;
mod untold;

use schema::{Away, Schema, within};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use subjects::{Email, Person, Timestamp, UserId};
use web::Unavailable;

pub use admins::MadeAdmin;
pub use untold::{Telling, ToTell, Untold};

use crate::rules::role_name;
use crate::store::row::{Row, accounts, select_accounts};
use crate::store::untold::will_tell;

/// The accounts.
#[derive(Debug)]
pub struct Store {
    schema: Schema,
}

/// One person's account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Whose.
    pub person: Person,
    /// The hash of their password.
    pub hash: SecretString,
    /// When they registered.
    pub created_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// Why an account was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// Another account has this address.
    #[error("there is an account of this e-mail address already")]
    EmailTaken,
    /// Somebody has changed it since it was read.
    #[error("the account was changed elsewhere at the same moment; try again")]
    Moved,
    /// There would be no admin any more.
    #[error("there must be an admin: make somebody else one first")]
    LastAdmin,
    /// There is none of this name.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Postgres is away.
    #[error(transparent)]
    Away(#[from] Away),
}

/// Which accounts are listed, in the order in which they registered.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Only those that registered after this one.
    pub after: Option<UserId>,
    /// Only those whose name or address begins so, capitals aside.
    pub prefix: String,
    /// So many at the most.
    pub limit: u16,
}

impl Store {
    /// The accounts behind this pool. Nothing is asked of it yet.
    pub fn new(pool: PgPool) -> Self {
        Self { schema: Schema::new("login", sqlx::migrate!(), pool) }
    }

    /// Whether the schema can be used.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn check(&self) -> Result<(), Unavailable> {
        self.schema.check("select from login.account limit 1").await
    }

    /// The account of this address.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn find_by_email(&self, email: &Email) -> Result<Option<Account>, Away> {
        let find = sqlx::query_as(select_accounts!("where email = $1")).bind(email.as_str());
        let found: Option<Row> =
            self.schema.answer("find an account", find.fetch_optional(self.schema.pool().await?)).await?;
        found.map(Account::try_from).transpose()
    }

    /// The account of this name.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn find(&self, user: UserId) -> Result<Option<Account>, Away> {
        let find = sqlx::query_as(select_accounts!("where id = $1::uuid")).bind(user.to_string());
        let found: Option<Row> =
            self.schema.answer("find an account", find.fetch_optional(self.schema.pool().await?)).await?;
        found.map(Account::try_from).transpose()
    }

    /// The accounts of a listing.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn list(&self, listing: &Listing) -> Result<Vec<Account>, Away> {
        let list = sqlx::query_as(select_accounts!(
            "where ($1::uuid is null or (created_at, id) > (select created_at, id from login.account where id = $1::uuid))
               and (starts_with(email, $2) or starts_with(lower(name), $2))
             order by created_at, id limit $3"
        ))
        .bind(listing.after.map(|user| user.to_string()))
        .bind(listing.prefix.to_lowercase())
        .bind(i64::from(listing.limit));
        accounts(self.schema.answer("list the accounts", list.fetch_all(self.schema.pool().await?)).await?)
    }

    /// Keeps a new account, and what is to be said of it.
    ///
    /// # Errors
    /// [`NotKept::EmailTaken`] or [`NotKept::Away`].
    pub async fn add(&self, account: &Account, telling: Telling) -> Result<(), NotKept> {
        let mut transaction = self.begin().await?;
        match insert(&mut transaction, account).await {
            Err(fault) if fault.is_of_a_second_one() => return Err(NotKept::EmailTaken),
            inserted => inserted?,
        }
        will_tell(&mut transaction, account.person.user, vec![telling]).await?;
        Ok(commit(transaction).await?)
    }

    /// Keeps another name, address and hash, and what is to be said of them, if the account is as it was when it was
    /// read.
    ///
    /// # Errors
    /// [`NotKept::Moved`], [`NotKept::EmailTaken`] or [`NotKept::Away`]. Nothing is changed then.
    pub async fn change(&self, account: &Account, tellings: Vec<Telling>) -> Result<(), NotKept> {
        let Account { person, hash, version, .. } = account;
        let mut transaction = self.begin().await?;
        let change = sqlx::query(
            "update login.account set name = $3, email = $4, password_hash = $5, version = version + 1
             where id = $1::uuid and version = $2",
        )
        .bind(person.user.to_string())
        .bind(version)
        .bind(&person.name)
        .bind(person.email.as_str())
        .bind(hash.expose_secret());
        let changed = match within("change an account", change.execute(&mut *transaction)).await {
            Err(fault) if fault.is_of_a_second_one() => return Err(NotKept::EmailTaken),
            changed => changed?.rows_affected(),
        };
        if changed == 0 {
            return Err(NotKept::Moved);
        }
        will_tell(&mut transaction, person.user, tellings).await?;
        Ok(commit(transaction).await?)
    }

    /// Keeps another hash of the same password, unless it was changed meanwhile.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn renew_hash(&self, account: &Account, hash: &SecretString) -> Result<(), Away> {
        let renew = sqlx::query(
            "update login.account set password_hash = $3 where id = $1::uuid and password_hash = $2",
        )
        .bind(account.person.user.to_string())
        .bind(account.hash.expose_secret())
        .bind(hash.expose_secret());
        self.schema.answer("renew a hash", renew.execute(self.schema.pool().await?)).await.map(|_| ())
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, Away> {
        within("begin a transaction", self.schema.pool().await?.begin()).await
    }
}

async fn insert(connection: &mut PgConnection, account: &Account) -> Result<(), Away> {
    let Account { person, hash, created_at, version } = account;
    let insert = sqlx::query(
        "insert into login.account (id, email, name, password_hash, role, created_at, version)
         values ($1::uuid, $2, $3, $4, $5, to_timestamp($6::bigint / 1000.0), $7)",
    )
    .bind(person.user.to_string())
    .bind(person.email.as_str())
    .bind(&person.name)
    .bind(hash.expose_secret())
    .bind(role_name(person.role))
    .bind(created_at.unix_millis())
    .bind(version);
    within("add an account", insert.execute(connection)).await.map(|_| ())
}

async fn commit(transaction: Transaction<'static, Postgres>) -> Result<(), Away> {
    within("commit", transaction.commit()).await
}
