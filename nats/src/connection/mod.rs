//! How a process connects to NATS: where, as which user, over which TLS.
//!
//! - [`ServerUrls`] the addresses, without any credentials
//! - [`Authentication`] as whom
//! - [`Tls`] which servers are trusted, and what the process shows them
//! - [`Reason`] why NATS cannot be used

mod authentication;
mod explain;
mod reason;
mod server_urls;
mod tls;
mod violations;

use std::io;

use async_nats::ConnectOptions;

use crate::clock::Clock;

pub use authentication::{Authentication, Credentials, NkeySeed, NotAnNkeySeed, NotCredentials};
pub(crate) use explain::explain;
pub use reason::{Action, Reason};
pub use server_urls::{ServerUrls, ServerUrlsError};
pub use tls::{Tls, TlsFileError};
pub(crate) use violations::Violations;

/// Where the bus is and who connects.
#[derive(Clone, Debug)]
pub struct BusSettings {
    /// The servers.
    pub url: ServerUrls,
    /// As whom, where the server asks.
    pub authentication: Option<Authentication>,
    /// Which servers are trusted, and what the process shows them.
    pub tls: Tls,
    /// The beginning of every subject on which this process receives answers. A user of NATS should only be able to
    /// subscribe to their own, so that nobody reads the answers to others.
    pub inbox_prefix: String,
    /// The process's name, as `nats server report connections` shows it.
    pub name: String,
    /// How many servers keep a copy of each stream: 1 on a single server, 3 in a cluster.
    pub replicas: usize,
    /// The present moment.
    pub clock: Clock,
}

impl BusSettings {
    /// Connects under this name without authentication or files for TLS. Streams have one copy.
    pub fn new(url: ServerUrls, name: &str, clock: &Clock) -> Self {
        Self {
            url,
            authentication: None,
            tls: Tls::default(),
            inbox_prefix: inbox_prefix_of(name),
            name: name.to_owned(),
            replicas: 1,
            clock: clock.clone(),
        }
    }

    /// Whether a server without TLS is refused.
    pub(crate) fn requires_tls(&self) -> bool {
        self.url.require_tls() || self.tls.is_configured()
    }

    /// The same for the client, which connects once and does not try again.
    pub(crate) fn options(&self) -> io::Result<ConnectOptions> {
        if !is_inbox_prefix(&self.inbox_prefix) {
            let why = format!("{:?} is not an inbox prefix", self.inbox_prefix);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let options = match &self.authentication {
            Some(authentication) => authentication.options()?,
            None => ConnectOptions::new(),
        };
        let options = options.name(&self.name).custom_inbox_prefix(&self.inbox_prefix);
        Ok(self.tls.add_to(options).require_tls(self.requires_tls()))
    }
}

/// The inbox prefix of a process or a user of this name.
pub fn inbox_prefix_of(name: &str) -> String {
    format!("_INBOX_{name}")
}

/// Whether it is a subject without wildcards.
fn is_inbox_prefix(text: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.chars().all(|letter| letter.is_ascii_graphic() && !"*>".contains(letter))
    };
    text.split('.').all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> BusSettings {
        BusSettings::new(ServerUrls::parse(url).unwrap(), "vote", &Clock::system())
    }

    #[test]
    fn each_name_has_an_inbox_prefix_of_its_own() {
        assert_eq!(settings("nats://localhost").inbox_prefix, "_INBOX_vote");
        assert!(settings("nats://localhost").options().is_ok());
        for wrong in ["", ".", "a.", "_INBOX.>", "_INBOX_*", "two words", "_INBOX\n"] {
            let settings = BusSettings { inbox_prefix: wrong.to_owned(), ..settings("nats://localhost") };
            assert!(settings.options().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_of_tls_requires_tls_of_every_server() {
        assert!(settings("tls://one, tls://two").requires_tls());
        assert!(!settings("nats://one").requires_tls());
    }
}
