//! Who is an admin. Decided by one at a time, so that two who decide at once can leave neither none nor two first ones.

use schema::{Away, within};
use secrecy::ExposeSecret;
use sqlx::{Postgres, Transaction};
use subjects::{AccountChanged, Person, Role, Timestamp, UserId};

use crate::rules::role_name;
use crate::store::row::{Row, select_accounts};
use crate::store::untold::{Telling, will_tell};
use crate::store::{Account, NotKept, Store, commit};

/// Whom [`Store::make_admin`] made an admin.
#[derive(Clone, Debug)]
pub enum MadeAdmin {
    /// Somebody new.
    New(Person),
    /// Somebody who had an account, which has another password now.
    Known(Person),
}

impl Store {
    /// Whether there is an admin.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn has_admin(&self) -> Result<bool, Away> {
        let look = sqlx::query_scalar("select exists (select from login.account where role = 'admin')");
        self.schema.answer("look for an admin", look.fetch_one(self.schema.pool().await?)).await
    }

    /// Makes `account` an admin's, or gives the account of its address its hash and makes it one. Nobody, when there
    /// is an admin and only the first one is wanted.
    ///
    /// # Errors
    /// [`Away`]: nothing is changed, or all of it.
    pub async fn make_admin(
        &self,
        account: &Account,
        only_the_first: bool,
        tellings: impl FnOnce(&MadeAdmin) -> Vec<Telling>,
    ) -> Result<Option<MadeAdmin>, Away> {
        let mut transaction = self.begin_deciding().await?;
        if only_the_first && admins(&mut transaction).await? > 0 {
            return Ok(None);
        }
        let make = sqlx::query_as(
            "insert into login.account as known (id, email, name, password_hash, role, created_at)
             values ($1::uuid, $2, $3, $4, 'admin', to_timestamp($5::bigint / 1000.0))
             on conflict (email) do update
                set role = 'admin', password_hash = excluded.password_hash, version = known.version + 1
             returning id::text, email, name, password_hash, role, version,
                       (extract(epoch from created_at) * 1000)::bigint as created_at",
        )
        .bind(account.person.user.to_string())
        .bind(account.person.email.as_str())
        .bind(&account.person.name)
        .bind(account.hash.expose_secret())
        .bind(account.created_at.unix_millis());
        let made: Row = within("make an admin", make.fetch_one(&mut *transaction)).await?;
        let person = Account::try_from(made)?.person;
        let is_new = person.user == account.person.user;
        let made = if is_new { MadeAdmin::New(person) } else { MadeAdmin::Known(person) };
        will_tell(&mut transaction, made.person().user, tellings(&made)).await?;
        commit(transaction).await?;
        Ok(Some(made))
    }

    /// Gives an account another role. Says who they are from then on.
    ///
    /// # Errors
    /// [`NotKept::NoSuchAccount`], [`NotKept::LastAdmin`] or [`NotKept::Away`].
    pub async fn set_role(&self, user: UserId, role: Role, at: Timestamp) -> Result<Account, NotKept> {
        let mut transaction = self.begin_deciding().await?;
        let find = sqlx::query_as(select_accounts!("where id = $1::uuid for update")).bind(user.to_string());
        let found: Option<Row> = within("find an account", find.fetch_optional(&mut *transaction)).await?;
        let mut account = Account::try_from(found.ok_or(NotKept::NoSuchAccount)?)?;
        if account.person.role == role {
            return Ok(account);
        }
        if account.person.role == Role::Admin && admins(&mut transaction).await? == 1 {
            return Err(NotKept::LastAdmin);
        }
        let set =
            sqlx::query("update login.account set role = $2, version = version + 1 where id = $1::uuid")
                .bind(user.to_string())
                .bind(role_name(role));
        within("set a role", set.execute(&mut *transaction)).await?;
        account.person.role = role;
        let changed = AccountChanged { at, person: account.person.clone() };
        will_tell(&mut transaction, user, vec![Telling::of(&changed)]).await?;
        commit(transaction).await?;
        Ok(account)
    }

    async fn begin_deciding(&self) -> Result<Transaction<'static, Postgres>, Away> {
        let mut transaction = self.begin().await?;
        let wait = sqlx::query("select pg_advisory_xact_lock(hashtextextended('urna.login.admins', 0))");
        within("wait for others", wait.execute(&mut *transaction)).await?;
        Ok(transaction)
    }
}

impl MadeAdmin {
    /// Who it is.
    pub fn person(&self) -> &Person {
        match self {
            Self::New(person) | Self::Known(person) => person,
        }
    }
}

async fn admins(transaction: &mut Transaction<'static, Postgres>) -> Result<i64, Away> {
    let count = sqlx::query_scalar("select count(*) from login.account where role = 'admin'");
    within("count the admins", count.fetch_one(&mut **transaction)).await
}
