//! Finds out why there is no connection: the client tries again and again, and does not say why it fails.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::BusSettings;
use super::reason::{self, Reason};

/// How long the connection may be missing before it is asked why.
const MISSING_FOR: Duration = Duration::from_secs(1);
/// How often it is asked whether the reason is still the same.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// How long a server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Why no server takes a connection, and what the log shows beside it.
struct Finding {
    reason: Reason,
    cause: String,
}

/// Keeps `because` true while there is no connection, and logs every change of it. Ends with the client.
pub(crate) async fn explain(
    settings: BusSettings,
    mut connected: watch::Receiver<bool>,
    because: watch::Sender<Option<Reason>>,
) {
    while connected.wait_for(|is_connected| !is_connected).await.is_ok() {
        let mut pause = MISSING_FOR;
        loop {
            match timeout(pause, connected.wait_for(|is_connected| *is_connected)).await {
                Ok(Ok(_)) => break,
                Ok(Err(_)) => return,
                Err(_) => {}
            }
            pause = ASK_EVERY;
            let found = find(&settings).await;
            if *connected.borrow() {
                break;
            }
            if let Some(found) = found {
                tell(&settings.name, found, &because);
            }
        }
        because.send_replace(None);
    }
}

fn tell(bus: &str, Finding { reason, cause }: Finding, because: &watch::Sender<Option<Reason>>) {
    if because.borrow().as_ref() == Some(&reason) {
        debug!(bus, %reason, cause, "NATS is still unavailable");
    } else {
        warn!(bus, %reason, cause, "NATS is unavailable");
        because.send_replace(Some(reason));
    }
}

/// Connects once, beside the client. `None` when a server takes the connection.
async fn find(settings: &BusSettings) -> Option<Finding> {
    let mut first: Option<Finding> = None;
    for url in settings.url.each() {
        let found = find_at(settings, url).await?;
        if !found.reason.is_vague() {
            return Some(found);
        }
        first = first.or(Some(found));
    }
    first
}

async fn find_at(settings: &BusSettings, url: &async_nats::ServerAddr) -> Option<Finding> {
    let options = match settings.options() {
        Ok(options) => options.connection_timeout(ANSWER_WITHIN),
        Err(fault) => return Some(Finding { reason: Reason::Other, cause: fault.kind().to_string() }),
    };
    let fault = options.connect(url.clone()).await.err()?;
    let reason = Reason::of(&fault, settings.requires_tls());
    Some(Finding { reason, cause: reason::shown(&fault) })
}
