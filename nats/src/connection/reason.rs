//! Why NATS cannot be used.

use std::error::Error;
use std::fmt;
use std::io;

use async_nats::rustls::{self, AlertDescription, CertificateError};
use async_nats::{ConnectError, ConnectErrorKind, ServerError};

/// Why NATS cannot be used. What it shows holds neither a secret nor an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The process has not been without a connection for long, and is about to find out.
    Connecting,
    /// The server knows no such user, or knows them by another password, token, key or JWT.
    WrongCredentials,
    /// No known authority has signed the server's certificate.
    UnknownAuthority,
    /// The server's certificate is no longer valid.
    CertificateExpired,
    /// The server's certificate does not name the host by which the server was addressed.
    CertificateForAnotherName,
    /// The server asks for a client certificate, and got none or one that it does not accept.
    ClientCertificateRefused,
    /// Nobody listens at the address, or no route leads there.
    NoRoute,
    /// The host's name cannot be resolved.
    UnknownHost,
    /// The server requires TLS, which the settings do not ask for.
    TlsRequired,
    /// The settings require TLS, which the server does not offer.
    TlsNotOffered,
    /// The server has refused something that this user may not do.
    PermissionMissing {
        /// What the user may not do.
        action: Action,
        /// There.
        subject: String,
    },
    /// The server did not answer in time.
    NoAnswer,
    /// Anything else. The log has more.
    Other,
}

/// What a permission allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// To publish on a subject.
    Publish,
    /// To subscribe to a subject.
    Subscribe,
}

impl Reason {
    /// Why the client could not connect. With `requires_tls` the settings ask for TLS.
    pub(super) fn of(fault: &ConnectError, requires_tls: bool) -> Self {
        match fault.kind() {
            ConnectErrorKind::Dns => Self::UnknownHost,
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                Self::WrongCredentials
            }
            ConnectErrorKind::TimedOut => Self::NoAnswer,
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Tls
            | ConnectErrorKind::Io
            | ConnectErrorKind::MaxReconnects => {
                if let Some(fault) = tls_fault(fault) {
                    return Self::of_tls(fault, requires_tls);
                }
                io_fault(fault).map_or(Self::Other, Self::of_io)
            }
        }
    }

    fn of_tls(fault: &rustls::Error, requires_tls: bool) -> Self {
        use AlertDescription as Alert;
        match fault {
            rustls::Error::InvalidCertificate(fault) => Self::of_certificate(fault, requires_tls),
            // The server is the one who complains.
            rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA,
            ) => Self::ClientCertificateRefused,
            // It has answered in plain text.
            rustls::Error::InvalidMessage(_) => Self::TlsNotOffered,
            _ => Self::Other,
        }
    }

    fn of_certificate(fault: &CertificateError, requires_tls: bool) -> Self {
        match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::CertificateExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::CertificateForAnotherName
            }
            // The signature is bad when another authority has the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature if requires_tls => {
                Self::UnknownAuthority
            }
            // The client uses TLS only because the server requires it, and knows the system's authorities only.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::TlsRequired,
            _ => Self::Other,
        }
    }

    fn of_io(fault: &io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Self::NoRoute,
            io::ErrorKind::TimedOut => Self::NoAnswer,
            _ => Self::Other,
        }
    }

    /// What a server refuses to a user who is connected; `None` when it is about something else. The client has no kind
    /// for it, only the server's text, such as `Permissions Violation for Publish to "round.demo"`.
    pub(crate) fn of_refusal(fault: &ServerError) -> Option<(Action, String)> {
        let ServerError::Other(text) = fault else { return None };
        let rest = text.strip_prefix("Permissions Violation for ")?;
        let action = if rest.starts_with("Subscription") { Action::Subscribe } else { Action::Publish };
        let subject = rest.split('"').nth(1)?;
        Some((action, subject.to_owned()))
    }

    /// Whether another server of the same cluster may give a reason that tells more.
    pub(super) fn is_vague(&self) -> bool {
        matches!(self, Self::NoRoute | Self::UnknownHost | Self::NoAnswer | Self::Other)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::WrongCredentials => "wrong user or password",
            Self::UnknownAuthority => "unknown certificate authority",
            Self::CertificateExpired => "certificate expired",
            Self::CertificateForAnotherName => "certificate is for another name",
            Self::ClientCertificateRefused => "client certificate missing or refused",
            Self::NoRoute => "no route (nobody listens there)",
            Self::UnknownHost => "unknown host",
            Self::TlsRequired => "server requires TLS",
            Self::TlsNotOffered => "server does not offer TLS",
            Self::PermissionMissing { action, subject } => {
                return write!(f, "permission missing ({action} {subject})");
            }
            Self::NoAnswer => "no answer in time",
            Self::Other => "other",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish to",
            Self::Subscribe => "subscribe to",
        })
    }
}

/// What a log may show of a failure to connect: kinds, the server's own words and rustls's, and never an address or the
/// content of a file.
pub(super) fn shown(fault: &ConnectError) -> String {
    if let Some(fault) = tls_fault(fault) {
        return fault.to_string();
    }
    if let Some(fault) = fault.source().and_then(|source| source.downcast_ref::<ServerError>()) {
        return fault.to_string();
    }
    io_fault(fault).map_or_else(|| fault.kind().to_string(), |fault| fault.kind().to_string())
}

fn io_fault(fault: &ConnectError) -> Option<&io::Error> {
    fault.source()?.downcast_ref()
}

fn tls_fault(fault: &ConnectError) -> Option<&rustls::Error> {
    io_fault(fault)?.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_not_allowed_and_where() {
        let of = |text: &str| Reason::of_refusal(&ServerError::Other(text.to_owned()));
        let found = |action, subject: &str| Some((action, subject.to_owned()));
        assert_eq!(
            of("Permissions Violation for Publish to \"account.ann.changed\""),
            found(Action::Publish, "account.ann.changed")
        );
        assert_eq!(
            of("Permissions Violation for Publish with Reply of \"_INBOX.x\""),
            found(Action::Publish, "_INBOX.x")
        );
        assert_eq!(
            of("Permissions Violation for Subscription to \"round.>\" using queue \"q\""),
            found(Action::Subscribe, "round.>")
        );
        assert_eq!(of("Maximum Payload Violation"), None);
        assert_eq!(Reason::of_refusal(&ServerError::AuthorizationViolation), None);
    }

    #[test]
    fn a_failure_of_the_network_is_told_by_its_kind() {
        let of = |kind: io::ErrorKind| Reason::of(&ConnectError::from(io::Error::from(kind)), false);
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Reason::NoRoute);
        assert_eq!(of(io::ErrorKind::NetworkUnreachable), Reason::NoRoute);
        assert_eq!(of(io::ErrorKind::TimedOut), Reason::NoAnswer);
        assert_eq!(of(io::ErrorKind::ConnectionReset), Reason::Other);
    }

    #[test]
    fn what_is_shown_of_a_failure_is_not_what_a_file_holds() {
        let file = io::Error::new(io::ErrorKind::InvalidData, "could not load private key: s3cret");
        let fault = ConnectError::with_source(ConnectErrorKind::Tls, file);
        assert_eq!((Reason::of(&fault, true), shown(&fault).as_str()), (Reason::Other, "invalid data"));
    }
}
