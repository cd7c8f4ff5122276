//! The first admin, and the one that an operator makes.

use std::time::Duration;

use nats::{Bus, Clock};
use schema::Away;
use secrecy::SecretString;
use sqlx::PgPool;
use subjects::{
    AccountChanged, AccountPasswordChanged, AccountRegistered, Email, Origin, Person, Role, Timestamp, UserId,
};
use tracing::{info, warn};

use crate::Handle;
use crate::hasher;
use crate::rules::readable_password;
use crate::store::{Account, MadeAdmin, Store, Telling};
use crate::telling::tell_now_or_later;

/// What an admin is called who did not register.
const NAME: &str = "Admin";
/// How long to wait before it is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Why an account was not made an admin's.
#[derive(Debug, thiserror::Error)]
pub enum NotReset {
    /// Postgres is away.
    #[error(transparent)]
    Away(#[from] Away),
    /// The process stops.
    #[error("the password was not hashed before the end")]
    Stopped,
}

impl Handle {
    /// Sees to it that there is an admin, trying until Postgres is there. When there is none, the account of this
    /// address becomes one, with this password or a random one. Returns the password if it made it up and it counts.
    pub async fn ensure_admin(&self, email: Email, password: Option<SecretString>) -> Option<SecretString> {
        let is_given = password.is_some();
        let password = password.unwrap_or_else(random_password);
        let mut logged = None;
        loop {
            match self.try_ensure_admin(&email, &password).await {
                Ok(is_made) => return (is_made && !is_given).then_some(password),
                Err(why) => {
                    let why = why.to_string();
                    if logged.as_ref() != Some(&why) {
                        warn!(why, "will try again");
                    }
                    logged = Some(why);
                }
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }

    async fn try_ensure_admin(&self, email: &Email, password: &SecretString) -> Result<bool, NotReset> {
        if self.store.has_admin().await? {
            return Ok(false);
        }
        let now = self.clock.now();
        let account = admin(email.clone(), hash(password.clone()).await?, now);
        let Some(made) = self.store.make_admin(&account, true, |made| tellings(made, now)).await? else {
            return Ok(false);
        };
        info!(user.id = %made.person().user, "made the first admin");
        tell_now_or_later(&self.store, &self.bus, made.person().user).await;
        Ok(true)
    }
}

/// Makes the account of this address an admin's, and the account itself if there is none, with a new random password.
///
/// # Errors
/// [`NotReset`]: nothing is changed, or all of it. Doing it again is harmless.
pub async fn reset_admin(
    pool: PgPool,
    bus: &Bus,
    clock: &Clock,
    email: Email,
) -> Result<SecretString, NotReset> {
    let store = Store::new(pool);
    let password = random_password();
    let now = clock.now();
    let account = admin(email, hash(password.clone()).await?, now);
    if let Some(made) = store.make_admin(&account, false, |made| tellings(made, now)).await? {
        tell_now_or_later(&store, bus, made.person().user).await;
    }
    Ok(password)
}

fn admin(email: Email, hash: SecretString, now: Timestamp) -> Account {
    let person = Person { user: UserId::random(), name: NAME.to_owned(), email, role: Role::Admin };
    Account { person, hash, created_at: now, version: 1 }
}

fn tellings(made: &MadeAdmin, at: Timestamp) -> Vec<Telling> {
    match made {
        MadeAdmin::New(person) => {
            vec![Telling::of(&AccountRegistered { at, person: person.clone(), origin: Origin::default() })]
        }
        MadeAdmin::Known(person) => vec![
            Telling::of(&AccountChanged { at, person: person.clone() }),
            Telling::of(&AccountPasswordChanged { at, user: person.user, kept_session: None }),
        ],
    }
}

/// Apart from the threads that hash for the crowd: a flood of logins must not keep an operator out.
async fn hash(password: SecretString) -> Result<SecretString, NotReset> {
    let hashed = tokio::task::spawn_blocking(move || hasher::hash(&password)).await;
    hashed.map_err(|_| NotReset::Stopped)
}

fn random_password() -> SecretString {
    let mut random = [0; 20];
    getrandom::fill(&mut random).expect("the system has random numbers");
    readable_password(&random)
}
