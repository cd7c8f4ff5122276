//! Says what was committed. A change and what is to be said of it are kept together, so that nothing of it is lost
//! when the bus is away or the process dies in between.

use std::sync::Arc;
use std::time::Duration;

use nats::{Bus, Expect, SayError, TraceContext};
use schema::Away;
use subjects::{AccountMessage, Heard, MessageId, Unreadable, UserId};
use tracing::{debug, warn};

use crate::store::{Store, Untold};

/// How often it is looked for what somebody committed and did not say.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why it was not said. It will be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTold {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] Away),
    /// It is nothing that is said of an account.
    #[error("failed to read what is to be said: {0}")]
    Unreadable(#[from] Unreadable),
    /// The bus did not take it.
    #[error("failed to say what was committed: {0}")]
    Bus(#[from] SayError),
}

/// Says what is committed of an account and was not said yet, in its order.
pub(crate) async fn tell(store: &Store, bus: &Bus, user: UserId) -> Result<(), NotTold> {
    let to_tell = store.to_tell(user).await?;
    for untold in &to_tell.messages {
        say(bus, untold).await?;
    }
    Ok(to_tell.were_told().await?)
}

/// Tries it now, and leaves what fails to [`keep_telling`].
pub(crate) async fn tell_now_or_later(store: &Store, bus: &Bus, user: UserId) {
    if let Err(why) = tell(store, bus, user).await {
        warn!(%why, "will try again");
    }
}

/// Says what others have left unsaid, for ever.
pub(crate) async fn keep_telling(store: Arc<Store>, bus: Bus) {
    bus.deployed().await;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !bus.is_connected() {
            continue;
        }
        match store.untold_accounts().await {
            Ok(users) => {
                for user in users {
                    tell_now_or_later(&store, &bus, user).await;
                }
            }
            Err(why) => debug!(%why, "what is untold waits"),
        }
    }
}

async fn say(bus: &Bus, untold: &Untold) -> Result<(), NotTold> {
    let id = MessageId::named(format!("account.{}", untold.id));
    let trace = TraceContext::start();
    let said = match AccountMessage::hear(&untold.subject, untold.body.as_bytes())? {
        AccountMessage::Registered(message) => bus.say(&message, &id, Expect::Nothing, trace).await,
        AccountMessage::Authenticated(message) => bus.say(&message, &id, Expect::Nothing, trace).await,
        AccountMessage::AuthenticationFailed(message) => bus.say(&message, &id, Expect::Nothing, trace).await,
        AccountMessage::Changed(message) => bus.say(&message, &id, Expect::Nothing, trace).await,
        AccountMessage::PasswordChanged(message) => bus.say(&message, &id, Expect::Nothing, trace).await,
    };
    said?;
    Ok(())
}
