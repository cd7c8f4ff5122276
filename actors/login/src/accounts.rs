//! What a person does with an account: registers, signs in, changes it. Runs where all traffic runs, to its end,
//! though whoever asked may have gone away.

use nats::{Expect, TraceContext};
use schema::Away;
use secrecy::SecretString;
use subjects::{
    AccountAuthenticated, AccountAuthenticationFailed, AccountChanged, AccountPasswordChanged,
    AccountRegistered, Email, MessageId, Origin, Person, Role, SessionId, Timestamp, UserId,
};
use tracing::{debug, warn};

use crate::Handle;
use crate::hasher::{Compared, NotHashed};
use crate::rules::Registration;
use crate::store::{Account, Listing, NotKept, Telling};
use crate::telling::tell_now_or_later;

/// Somebody who has just signed in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub person: Person,
    pub session: SessionId,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
}

/// What is to be another from now on.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub name: Option<String>,
    pub email: Option<Email>,
    /// The password as it was: needed for another one and for another address.
    pub old: Option<SecretString>,
    pub new: Option<SecretString>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// There is no account of this address, or it has another password.
    #[error("e-mail or password is wrong")]
    WrongPassword,
    /// The account is there and has another password than whoever changes it says.
    #[error("is wrong")]
    WrongOldPassword,
    /// It must be said, and was not.
    #[error("is needed to change the e-mail address or the password")]
    OldPasswordMissing,
    /// Nobody is signed in.
    #[error("no session was opened")]
    NotOpened,
    /// Nobody is signed in, but the account is made.
    #[error("the account is made, and no session was opened")]
    RegisteredNotOpened,
    #[error(transparent)]
    NotHashed(#[from] NotHashed),
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

impl Handle {
    /// Makes an account and signs its owner in.
    pub(crate) async fn register(&self, person: Registration, origin: Origin) -> Result<SignedIn, NotDone> {
        let this = self.clone();
        self.to_its_end(async move {
            let account = this.add(person, &origin).await?;
            match this.open_session(&account, origin).await {
                Err(NotDone::NotOpened) => Err(NotDone::RegisteredNotOpened),
                opened => opened,
            }
        })
        .await
    }

    /// Signs somebody in who knows the password.
    pub(crate) async fn sign_in(
        &self,
        email: Email,
        password: SecretString,
        origin: Origin,
    ) -> Result<SignedIn, NotDone> {
        let this = self.clone();
        self.to_its_end(async move {
            let account = this.prove(&email, password, &origin).await?;
            this.open_session(&account, origin).await
        })
        .await
    }

    /// Changes an account for the person signed in to it in the session `kept_session`.
    pub(crate) async fn change(
        &self,
        user: UserId,
        changes: Changes,
        kept_session: SessionId,
        origin: Origin,
    ) -> Result<Account, NotDone> {
        let this = self.clone();
        self.to_its_end(async move {
            let account = this.store.find(user).await?.ok_or(NotKept::NoSuchAccount)?;
            this.check_old(&account, &changes, origin).await?;
            let (after, tellings) = this.changed(account, changes, kept_session).await?;
            if !tellings.is_empty() {
                this.store.change(&after, tellings).await?;
                tell_now_or_later(&this.store, &this.bus, user).await;
            }
            Ok(after)
        })
        .await
    }

    /// The account of this name.
    pub(crate) async fn account(&self, user: UserId) -> Result<Account, NotDone> {
        let this = self.clone();
        let found = self.to_its_end(async move { this.store.find(user).await }).await?;
        Ok(found.ok_or(NotKept::NoSuchAccount)?)
    }

    /// The accounts of a listing.
    pub(crate) async fn list(&self, listing: Listing) -> Result<Vec<Account>, NotDone> {
        let this = self.clone();
        Ok(self.to_its_end(async move { this.store.list(&listing).await }).await?)
    }

    /// Gives an account another role.
    pub(crate) async fn set_role(&self, user: UserId, role: Role) -> Result<Account, NotDone> {
        let this = self.clone();
        self.to_its_end(async move {
            let account = this.store.set_role(user, role, this.clock.now()).await?;
            tell_now_or_later(&this.store, &this.bus, user).await;
            Ok(account)
        })
        .await
    }

    async fn to_its_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.bus.spawn(work).await.expect("what is done with an account does not panic")
    }

    async fn add(
        &self,
        Registration { name, email, password }: Registration,
        origin: &Origin,
    ) -> Result<Account, NotDone> {
        let hash = self.hashing.hash(password).await?;
        let person = Person { user: UserId::random(), name, email, role: Role::Voter };
        let account = Account { person, hash, created_at: self.clock.now(), version: 1 };
        let (at, person, origin) = (account.created_at, account.person.clone(), origin.clone());
        let telling = Telling::of(&AccountRegistered { at, person, origin });
        self.store.add(&account, telling).await?;
        tell_now_or_later(&self.store, &self.bus, account.person.user).await;
        Ok(account)
    }

    /// The account of this address, if that is its password. Whether there is such an account makes no difference to
    /// the time it takes.
    async fn prove(
        &self,
        email: &Email,
        password: SecretString,
        origin: &Origin,
    ) -> Result<Account, NotDone> {
        let found = self.store.find_by_email(email).await?;
        let hash = found.as_ref().map(|account| account.hash.clone());
        let compared = self.hashing.compare(password.clone(), hash).await?;
        let Some(account) = found else {
            return Err(NotDone::WrongPassword);
        };
        match compared {
            Compared::Same => Ok(account),
            Compared::SameButOutdated => {
                self.bus.spawn(self.clone().renew_hash(account.clone(), password));
                Ok(account)
            }
            Compared::Different => {
                self.refuse(&account, origin.clone());
                Err(NotDone::WrongPassword)
            }
        }
    }

    /// Proves to the session actor who this is, and waits until it has opened a session.
    async fn open_session(&self, account: &Account, origin: Origin) -> Result<SignedIn, NotDone> {
        let session = SessionId::random();
        let opening = self.openings.expect(session).ok_or(NotDone::NotOpened)?;
        let proved =
            AccountAuthenticated { at: self.clock.now(), person: account.person.clone(), origin, session };
        let told = self.bus.say(&proved, &MessageId::random(), Expect::Nothing, TraceContext::start()).await;
        told.map_err(|why| {
            warn!(%why, "nobody was told of a sign-in");
            NotDone::NotOpened
        })?;
        let opened = opening.opened().await.ok_or_else(|| {
            warn!(session.id = %session, "a session was not opened in time");
            NotDone::NotOpened
        })?;
        // Another password or role may have been told of before the proof was: then this session outlives its ground,
        // and nobody gets it. What comes from now on, the session hears of.
        let now = self.store.find(account.person.user).await?;
        if now.is_none_or(|now| now.version != account.version) {
            return Err(NotKept::Moved.into());
        }
        Ok(SignedIn { person: account.person.clone(), session, expires_at: opened.expires_at })
    }

    async fn check_old(&self, account: &Account, changes: &Changes, origin: Origin) -> Result<(), NotDone> {
        let is_moving = changes.email.as_ref().is_some_and(|email| *email != account.person.email);
        if changes.new.is_none() && !is_moving {
            return Ok(());
        }
        let old = changes.old.clone().ok_or(NotDone::OldPasswordMissing)?;
        if self.hashing.compare(old, Some(account.hash.clone())).await? == Compared::Different {
            self.refuse(account, origin);
            return Err(NotDone::WrongOldPassword);
        }
        Ok(())
    }

    /// The account as it will be, and what is to be said of that: nothing when it stays as it is.
    async fn changed(
        &self,
        mut account: Account,
        changes: Changes,
        kept_session: SessionId,
    ) -> Result<(Account, Vec<Telling>), NotDone> {
        let mut tellings = Vec::new();
        let at = self.clock.now();
        let before = account.person.clone();
        account.person.name = changes.name.unwrap_or(account.person.name);
        account.person.email = changes.email.unwrap_or(account.person.email);
        if account.person != before {
            tellings.push(Telling::of(&AccountChanged { at, person: account.person.clone() }));
        }
        if let Some(new) = changes.new {
            account.hash = self.hashing.hash(new).await?;
            tellings.push(Telling::of(&AccountPasswordChanged {
                at,
                user: before.user,
                kept_session: Some(kept_session),
            }));
        }
        Ok((account, tellings))
    }

    /// Says that somebody gave a wrong password, while the answer is on its way.
    fn refuse(&self, account: &Account, origin: Origin) {
        let refused = AccountAuthenticationFailed { at: self.clock.now(), user: account.person.user, origin };
        let bus = self.bus.clone();
        self.bus.spawn(async move {
            let told = bus.say(&refused, &MessageId::random(), Expect::Nothing, TraceContext::start()).await;
            if let Err(why) = told {
                debug!(%why, "nobody was told of a wrong password");
            }
        });
    }

    async fn renew_hash(self, account: Account, password: SecretString) {
        let Ok(hash) = self.hashing.hash(password).await else { return };
        if let Err(why) = self.store.renew_hash(&account, &hash).await {
            debug!(%why, "the next sign-in will renew the hash");
        }
    }
}

impl From<Away> for NotDone {
    fn from(away: Away) -> Self {
        Self::NotKept(away.into())
    }
}
