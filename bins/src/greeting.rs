//! What people are told on standard output: where to look, and the first admin's password. Never through the log.

use std::io::Write;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use subjects::Email;
use tracing::info;
use web::Health;

use crate::Process;

/// The pause between two looks whether everything is there.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Says where to look once everything is there. Never ends: from then on it looks whether everything still is.
pub async fn greet(process: Process, health: Health, address: String) {
    while !health.is_ok().await {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    info!(address, "ready");
    if process == Process::Urna {
        tell(&format!(
            "\n  Urna is open.\n\n    Vote     http://{address}/vote/{demo}\n    \
             Results  http://{address}/result/{demo}\n    Rounds   http://{address}/\n    \
             Sign in  http://{address}/login\n    Health   http://{address}/health\n    \
             Metrics  http://{address}/metrics\n\n",
            demo = round::rules::DEMONSTRATION
        ));
    }
    health.keep_looking().await;
}

/// Says the password that was made for an admin. Nobody can find it out later.
pub fn tell_password(email: &Email, password: &SecretString) {
    let password = password.expose_secret();
    tell(&format!("\n  Sign in as {email} with the password {password}: it is shown only now.\n"));
}

/// Nobody may be reading any more, which is no reason to stop.
fn tell(words: &str) {
    let _ = std::io::stdout().write_all(words.as_bytes());
}
