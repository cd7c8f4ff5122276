//! Where NATS is.

use std::fmt;

use async_nats::ServerAddr;

/// The addresses of one nats-server, or of several of one cluster. They hold no credentials, so they can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrls(Vec<ServerAddr>);

/// Why a text is not the addresses of NATS. No variant shows the text, because it may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlsError {
    /// It is not an address.
    #[error(
        "is not an address of NATS such as nats://127.0.0.1:4222, or several separated by commas. \
         It is not echoed because it may contain a password"
    )]
    Invalid,
    /// It names a user, who would be ignored.
    #[error("contains a user and a password: set NATS_USER and NATS_PASSWORD_FILE instead")]
    ContainsPassword,
    /// It contains a token, which would be ignored.
    #[error("contains a token: set NATS_TOKEN_FILE instead (or NATS_USER and NATS_PASSWORD_FILE for a user)")]
    ContainsToken,
    /// Something follows the port, which would be ignored.
    #[error("has a path or a query, which NATS does not have: an address ends with its port")]
    Beyond,
    /// The client cannot use WebSockets.
    #[error("is a WebSocket address, which Urna does not support: use nats:// or tls://")]
    WebSocket,
    /// Some of the servers have to use TLS, others not.
    #[error("has addresses with and without TLS: write tls:// for all of them")]
    Mixed,
}

impl ServerUrls {
    /// Reads one address, or several separated by commas. The scheme `tls://` requires TLS; `nats://` is the default.
    ///
    /// # Errors
    /// When it is not the addresses of NATS, or when it contains something that would be ignored.
    pub fn parse(text: &str) -> Result<Self, ServerUrlsError> {
        let urls: Vec<ServerAddr> =
            text.split(',').map(|url| parse_one(url.trim())).collect::<Result<_, _>>()?;
        let with_tls = urls.iter().filter(|url| url.tls_required()).count();
        if with_tls != 0 && with_tls != urls.len() {
            return Err(ServerUrlsError::Mixed);
        }
        Ok(Self(urls))
    }

    /// Whether every server has to use TLS.
    pub(crate) fn require_tls(&self) -> bool {
        self.0.iter().any(ServerAddr::tls_required)
    }

    /// Each of them.
    pub(crate) fn each(&self) -> &[ServerAddr] {
        &self.0
    }
}

fn parse_one(text: &str) -> Result<ServerAddr, ServerUrlsError> {
    let address: ServerAddr = text.parse().map_err(|_| ServerUrlsError::Invalid)?;
    match (address.username(), address.password()) {
        (_, Some(_)) => return Err(ServerUrlsError::ContainsPassword),
        (Some(_), None) => return Err(ServerUrlsError::ContainsToken),
        (None, None) => {}
    }
    if address.host().is_empty() {
        return Err(ServerUrlsError::Invalid);
    }
    if address.is_websocket() {
        return Err(ServerUrlsError::WebSocket);
    }
    let url = address.clone().into_inner();
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(ServerUrlsError::Beyond);
    }
    Ok(address)
}

impl fmt::Display for ServerUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<&str> = self.0.iter().map(ServerAddr::as_url_str).collect();
        f.write_str(&urls.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_or_several_separated_by_commas() {
        let shown = |text: &str| ServerUrls::parse(text).unwrap().to_string();
        assert_eq!(shown("nats://127.0.0.1:4222"), "nats://127.0.0.1:4222");
        assert_eq!(shown("localhost"), "nats://localhost");
        assert_eq!(shown(" tls://one:4222, tls://[::1]:4223/ "), "tls://one:4222,tls://[::1]:4223/");
    }

    #[test]
    fn an_address_with_credentials_is_refused_and_not_echoed() {
        use ServerUrlsError::{Beyond, ContainsPassword, ContainsToken, Invalid};
        for (text, refused) in [
            ("nats://ann:s3cret@host:4222", ContainsPassword),
            ("ann:s3cret@host", ContainsPassword),
            ("nats://:s3cret@host", ContainsPassword),
            ("nats://host,tls://ann:s3cret@host", ContainsPassword),
            ("nats://s3cret@host:4222", ContainsToken),
            ("s3cret@host", ContainsToken),
            ("ws://ann:s3cret@host", ContainsPassword),
            ("nats://ann:s3/cret@host", Invalid),
            ("nats://ann:s3,cret@host", Invalid),
            ("nats://host?token=s3cret", Beyond),
            ("nats://host/s3cret", Beyond),
            ("nats://host#s3cret", Beyond),
        ] {
            let error = ServerUrls::parse(text).unwrap_err();
            assert_eq!(error, refused, "{text}");
            assert!(!format!("{error} {error:?}").contains("s3"), "{error}");
        }
    }

    #[test]
    fn what_the_client_cannot_use_is_refused() {
        for text in ["", "nats://", "a,,b", "http://host", "nats://host:port", "nats:host"] {
            assert_eq!(ServerUrls::parse(text), Err(ServerUrlsError::Invalid), "{text}");
        }
        for text in ["ws://host", "wss://host:443"] {
            assert_eq!(ServerUrls::parse(text), Err(ServerUrlsError::WebSocket), "{text}");
        }
        assert_eq!(ServerUrls::parse("tls://one,nats://two"), Err(ServerUrlsError::Mixed));
        assert_eq!(ServerUrls::parse("tls://one,two"), Err(ServerUrlsError::Mixed));
    }
}
