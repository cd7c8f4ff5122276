//! The session: where somebody is signed in, from the proof to the end.
//!
//! - hears   [`AccountMessage`] (durable `session`)
//! - says    [`SessionOpened`], [`SessionEnded`]
//! - keeps   in Redis: each session's record, each person's sessions, and what was last said of each account
//!
//! Promise: a session is opened once, however often its proof is delivered.
//!
//! Promise: an ended session is refused everywhere within a second.
//!
//! Promise: a new password ends every other session.

mod page;
pub mod rules;
pub mod store;

use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture};
use metrics::counter;
use nats::intake::{Delivery, Fault, Intake};
use nats::{Bus, Clock, Expect, SayError, TraceContext};
use subjects::{
    AccountAuthenticated, AccountChanged, AccountMessage, AccountPasswordChanged, Durable, MessageId,
    SessionEndReason, SessionEnded, SessionId, SessionOpened, UserId,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use web::sessions::Record;
use web::{Away, Check, Edge, Redis};

pub use page::operations;

use crate::rules::Place;
use crate::store::{Before, Member, Store};

/// What the session actor is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The connection.
    pub bus: Bus,
    /// The present moment.
    pub clock: Clock,
    /// Where sessions are kept.
    pub redis: Redis,
    /// Who is calling, and what a form must carry.
    pub edge: Edge,
    /// After how long without use a session ends. The same as that of `edge`.
    pub idle: Duration,
    /// After how long a session ends in any case.
    pub longest: Duration,
    /// When to stop.
    pub stop: CancellationToken,
}

/// The actor.
#[derive(Clone)]
pub struct Sessions {
    bus: Bus,
    clock: Clock,
    store: Store,
    longest: Duration,
}

/// Ends one of a person's sessions, because they want it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), NotEnded>")]
pub struct EndSession {
    /// Whose it must be.
    pub user: UserId,
    /// Which one.
    pub session: SessionId,
}

/// Why a session was not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEnded {
    /// This person has none of this name.
    #[error("there is no such session")]
    NoSuchSession,
    /// It cannot be told whether it has ended.
    #[error(transparent)]
    Away(#[from] Away),
}

/// A running session actor. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    bus: Bus,
    clock: Clock,
    store: Store,
    edge: Edge,
    idle: Duration,
    actor: Addr<Sessions>,
}

/// Starts the actor on the current arbiter, and feeds it from its durable.
pub fn start(given: &Given) -> Handle {
    let Given { bus, clock, redis, edge, idle, longest, stop } = given.clone();
    let store = Store::new(redis, idle, longest);
    let actor = Sessions { bus: bus.clone(), clock: clock.clone(), store: store.clone(), longest }.start();
    let intake = Intake { bus: bus.clone(), durable: Durable::session(), clock: clock.clone(), stop };
    bus.spawn(intake.each(actor.clone().recipient::<Delivery<AccountMessage>>()));
    Handle { bus, clock, store, edge, idle, actor }
}

impl Handle {
    /// What this process needs to do its work.
    pub fn checks(&self) -> [Check; 2] {
        let store = self.store.clone();
        [
            Check::nats(&self.bus),
            Check::of_self_logging("redis", move || {
                let store = store.clone();
                async move { store.check().await }
            }),
        ]
    }
}

impl Actor for Sessions {
    type Context = Context<Self>;
}

impl Handler<Delivery<AccountMessage>> for Sessions {
    type Result = ResponseFuture<Result<(), Fault>>;

    fn handle(&mut self, delivery: Delivery<AccountMessage>, _: &mut Context<Self>) -> Self::Result {
        let this = self.clone();
        let heard = self.bus.spawn(async move { this.hear(delivery).await });
        Box::pin(async move {
            let heard = heard.await.map_err(|fault| Fault::Retry(fault.to_string()))?;
            heard.map_err(|later| Fault::Retry(later.to_string()))
        })
    }
}

impl Handler<EndSession> for Sessions {
    type Result = ResponseFuture<Result<(), NotEnded>>;

    fn handle(&mut self, EndSession { user, session }: EndSession, _: &mut Context<Self>) -> Self::Result {
        let this = self.clone();
        Box::pin(async move { this.sign_out(user, session).await })
    }
}

/// Why something is not done yet. Trying again is safe.
#[derive(Debug, thiserror::Error)]
enum Later {
    #[error(transparent)]
    Redis(#[from] Away),
    #[error(transparent)]
    Bus(#[from] SayError),
}

impl Sessions {
    async fn hear(&self, delivery: Delivery<AccountMessage>) -> Result<(), Later> {
        let (sequence, trace) = (delivery.sequence, next(delivery.trace));
        match delivery.message {
            AccountMessage::Authenticated(proved) => self.open(sequence, trace, proved).await,
            AccountMessage::Changed(changed) => self.rename(sequence, &changed).await,
            AccountMessage::PasswordChanged(secured) => self.end_others(sequence, trace, &secured).await,
            AccountMessage::Registered(_) | AccountMessage::AuthenticationFailed(_) => Ok(()),
        }
    }

    async fn open(
        &self,
        sequence: u64,
        trace: TraceContext,
        proved: AccountAuthenticated,
    ) -> Result<(), Later> {
        let AccountAuthenticated { at, person, origin, session } = proved;
        if rules::is_stale(at, self.clock.now()) {
            debug!(session.id = %session, "not opened: its proof is too old");
            return Ok(());
        }
        let expires_at = rules::expires_at(at, self.longest);
        let record = Record { person, origin, opened_at: at, expires_at };
        let user = record.person.user;
        let opening = self.store.open(session, &record, sequence).await?;
        if opening.before == Before::Ended {
            return Ok(self.store.forget(user, session).await?);
        }
        let place = Place { sequence, at };
        if opening.secured.is_some_and(|secured| !place.is_surely_after(secured)) {
            debug!(session.id = %session, "not opened: the password has changed since its proof");
            self.store.end(session).await?;
            return Ok(self.store.forget(user, session).await?);
        }
        let role = opening.person.as_ref().map_or(record.person.role, |person| person.role);
        if opening.person.is_some() {
            self.store.rename(user, &[session]).await?;
        }
        let opened = SessionOpened { at: self.clock.now(), session, user, role, expires_at };
        let id = MessageId::named(format!("session.{session}.opened"));
        self.bus.say(&opened, &id, Expect::Nothing, trace).await?;
        if opening.before == Before::Nothing {
            counter!("urna_session_opened_total").increment(1);
            debug!(session.id = %session, user.id = %user, "opened");
        }
        if opening.listed > rules::SESSIONS_MAX {
            self.make_room(user, session, trace).await?;
        }
        Ok(())
    }

    /// Ends the person's oldest sessions when they are too many with the one that was `opened`. It is done when whoever
    /// waits for that one has heard of it; and also when its proof comes again, which finds what was left undone.
    async fn make_room(&self, user: UserId, opened: SessionId, trace: TraceContext) -> Result<(), Later> {
        let sessions = self.sessions_of(user).await?;
        for session in rules::too_many(&sessions, opened) {
            self.end_and_tell(user, session, SessionEndReason::SessionLimit, trace.next()).await?;
        }
        Ok(())
    }

    /// Noted first, so that a session that is just being opened learns of it.
    async fn rename(&self, sequence: u64, changed: &AccountChanged) -> Result<(), Later> {
        let user = changed.person.user;
        self.store.note_change(sequence, &changed.person).await?;
        let sessions = self.sessions_of(user).await?;
        Ok(self.store.rename(user, &sessions).await?)
    }

    /// Noted first, so that a session that is just being opened learns of it.
    async fn end_others(
        &self,
        sequence: u64,
        trace: TraceContext,
        secured: &AccountPasswordChanged,
    ) -> Result<(), Later> {
        let place = Place { sequence, at: secured.at };
        self.store.note_password(secured.user, place).await?;
        for member in self.store.of_user(secured.user).await? {
            let is_later = opened_at(&member).is_some_and(|opened| opened.is_surely_after(place));
            if secured.kept_session == Some(member.id) || is_later {
                continue;
            }
            let reason = SessionEndReason::PasswordChanged;
            self.end_and_tell(secured.user, member.id, reason, trace.next()).await?;
        }
        Ok(())
    }

    /// It is said before the session is forgotten: after a crash in between it is found, and said again.
    async fn end_and_tell(
        &self,
        user: UserId,
        session: SessionId,
        reason: SessionEndReason,
        trace: TraceContext,
    ) -> Result<(), Later> {
        self.end(session, reason).await?;
        self.tell_end(user, session, reason, trace).await?;
        Ok(self.store.forget(user, session).await?)
    }

    async fn sign_out(&self, user: UserId, session: SessionId) -> Result<(), NotEnded> {
        if !self.store.is_of_user(user, session).await? {
            return Err(NotEnded::NoSuchSession);
        }
        let before = self.end(session, SessionEndReason::SignedOut).await?;
        self.store.forget(user, session).await?;
        if before == Before::Nothing {
            return Err(NotEnded::NoSuchSession);
        }
        // The person is signed out, whether or not anybody hears of it.
        let told = self.tell_end(user, session, SessionEndReason::SignedOut, TraceContext::start()).await;
        if let Err(fault) = told {
            warn!(session.id = %session, %fault, "the session has ended, but nobody was told");
        }
        Ok(())
    }

    /// The newest first.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, Away> {
        Ok(self.store.of_user(user).await?.iter().map(|member| member.id).collect())
    }

    async fn end(&self, session: SessionId, reason: SessionEndReason) -> Result<Before, Away> {
        let before = self.store.end(session).await?;
        if before == Before::Open {
            let label = match reason {
                SessionEndReason::SignedOut => "signed_out",
                SessionEndReason::PasswordChanged => "password_changed",
                SessionEndReason::SessionLimit => "session_limit",
            };
            counter!("urna_session_ended_total", "why" => label).increment(1);
            debug!(session.id = %session, why = label, "ended");
        }
        Ok(before)
    }

    async fn tell_end(
        &self,
        user: UserId,
        session: SessionId,
        reason: SessionEndReason,
        trace: TraceContext,
    ) -> Result<(), SayError> {
        let ended = SessionEnded { at: self.clock.now(), session, user, reason };
        let id = MessageId::named(format!("session.{session}.ended"));
        self.bus.say(&ended, &id, Expect::Nothing, trace).await.map(|_| ())
    }
}

fn next(trace: Option<TraceContext>) -> TraceContext {
    trace.map_or_else(TraceContext::start, TraceContext::next)
}

/// Where a session stands in what is said of its account.
fn opened_at(member: &Member) -> Option<Place> {
    let record = member.record.as_ref()?;
    Some(Place { sequence: member.sequence, at: record.opened_at })
}
