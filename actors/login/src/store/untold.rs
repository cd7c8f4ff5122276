//! What is committed and still to be said: kept with the change itself, so that neither is there without the other.

use schema::{Away, within};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, Postgres, Transaction};
use subjects::{Said, UserId};

use crate::store::{Store, commit};

/// A message that goes with a change, as it will stand on the bus.
#[derive(Debug)]
pub struct Telling {
    subject: String,
    body: Value,
}

/// A message that is committed and still to be said.
#[derive(Debug, FromRow)]
pub struct Untold {
    /// Names the message on the bus, so that saying it twice is harmless.
    pub id: String,
    /// Where it is said.
    pub subject: String,
    /// What it says, in JSON.
    pub body: String,
    number: i64,
}

/// The messages of one account that are still to be said, in their order. Nobody else can take them meanwhile.
#[derive(Debug)]
pub struct ToTell {
    /// The messages.
    pub messages: Vec<Untold>,
    held: Transaction<'static, Postgres>,
}

impl Telling {
    /// What is to be said when the change is committed.
    pub fn of(message: &impl Said) -> Self {
        let body = serde_json::to_value(message).expect("a message can be written as JSON");
        Self { subject: message.subject(), body }
    }
}

impl Store {
    /// The accounts of which something is still to be said.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn untold_accounts(&self) -> Result<Vec<UserId>, Away> {
        let find = sqlx::query_scalar("select distinct account::text from login.outbox");
        let found: Vec<String> =
            self.schema.answer("look for what is untold", find.fetch_all(self.schema.pool().await?)).await?;
        Ok(found.iter().filter_map(|user| UserId::parse(user).ok()).collect())
    }

    /// What is still to be said of one account, once nobody else is saying it.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn to_tell(&self, user: UserId) -> Result<ToTell, Away> {
        let mut held = self.begin().await?;
        let find = sqlx::query_as(
            "select id::text, subject, body::text, number from login.outbox
             where account = $1::uuid order by number for update",
        )
        .bind(user.to_string());
        let messages = within("read what is untold", find.fetch_all(&mut *held)).await?;
        Ok(ToTell { messages, held })
    }
}

impl ToTell {
    /// Takes note that all of them were said.
    ///
    /// # Errors
    /// [`Away`]: they will be said again.
    pub async fn were_told(mut self) -> Result<(), Away> {
        let numbers: Vec<i64> = self.messages.iter().map(|message| message.number).collect();
        let forget = sqlx::query("delete from login.outbox where number = any($1)").bind(numbers);
        within("note what was told", forget.execute(&mut *self.held)).await?;
        commit(self.held).await
    }
}

pub(super) async fn will_tell(
    connection: &mut PgConnection,
    user: UserId,
    tellings: Vec<Telling>,
) -> Result<(), Away> {
    for Telling { subject, body } in tellings {
        let keep = sqlx::query("insert into login.outbox (account, subject, body) values ($1::uuid, $2, $3)")
            .bind(user.to_string())
            .bind(subject)
            .bind(Json(body));
        within("keep what is to be told", keep.execute(&mut *connection)).await?;
    }
    Ok(())
}
