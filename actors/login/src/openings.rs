//! Who waits for a session to be opened. One follower of SESSIONS tells them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nats::{Bus, Follower, StartAt};
use subjects::{Heard, SessionId, SessionMessage, SessionOpened, Stream};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// How long a session may take to be opened.
pub const OPENED_WITHIN: Duration = Duration::from_secs(5);

type Waiting = Arc<Mutex<HashMap<SessionId, oneshot::Sender<SessionOpened>>>>;

/// The sessions that somebody here waits for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Openings {
    waiting: Waiting,
    following: watch::Receiver<bool>,
}

/// A place in the queue for one session, given back when dropped.
pub struct Opening {
    session: SessionId,
    opened: oneshot::Receiver<SessionOpened>,
    openings: Openings,
}

impl Openings {
    /// Begins to follow the sessions, until `stop`.
    pub fn follow(bus: &Bus, stop: CancellationToken) -> Self {
        let (tell, following) = watch::channel(false);
        let openings = Self { waiting: Waiting::default(), following };
        let follower = Follower::new(bus.clone(), &Stream::sessions(), StartAt::New);
        let listen = listen(follower, Arc::clone(&openings.waiting), tell);
        bus.spawn(async move { stop.run_until_cancelled(listen).await });
        openings
    }

    /// Whether the sessions are followed: before that nobody here would learn that one was opened.
    pub fn is_following(&self) -> bool {
        *self.following.borrow()
    }

    /// Gets in line for `session`, before anybody is asked to open it. Nothing when sessions are not followed yet.
    pub fn expect(&self, session: SessionId) -> Option<Opening> {
        if !self.is_following() {
            return None;
        }
        let (tell, opened) = oneshot::channel();
        self.waiting.lock().expect("nobody panics while waiting").insert(session, tell);
        Some(Opening { session, opened, openings: self.clone() })
    }
}

impl Opening {
    /// Waits until the session is open; not for ever.
    pub async fn opened(mut self) -> Option<SessionOpened> {
        tokio::time::timeout(OPENED_WITHIN, &mut self.opened).await.ok()?.ok()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.openings.waiting.lock().expect("nobody panics while waiting").remove(&self.session);
    }
}

async fn listen(mut follower: Follower, waiting: Waiting, tell: watch::Sender<bool>) {
    loop {
        let batch = follower.next().await;
        tell.send_replace(true);
        for message in batch.messages {
            match SessionMessage::hear(&message.subject, &message.payload) {
                Ok(SessionMessage::Opened(opened)) => {
                    let waiting =
                        waiting.lock().expect("nobody panics while waiting").remove(&opened.session);
                    if let Some(browser) = waiting {
                        // It may have gone away meanwhile.
                        let _ = browser.send(opened);
                    }
                }
                Ok(SessionMessage::Ended(_)) => {}
                Err(why) => {
                    error!(message.subject, message.sequence, %why, "passed over a message that cannot be read")
                }
            }
        }
    }
}
