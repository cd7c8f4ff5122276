//! Why something that a process depends on is unavailable, in fixed words: they never hold an address or a secret.

use std::borrow::Cow;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why a dependency is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub enum Unavailable {
    /// The server does not accept the user, the password or the client certificate.
    WrongCredentials,
    /// The server's certificate is signed by an authority that this process was not given.
    UnknownAuthority,
    /// The server's certificate is not valid now.
    CertificateExpired,
    /// The server's certificate does not hold the host that was asked for.
    CertificateForAnotherName,
    /// No program listens at the address.
    NoRoute,
    /// The host has no address.
    UnknownHost,
    /// The user or role may not do what this process needs.
    PermissionMissing,
    /// A database or a schema is missing.
    NotDeployed,
    /// The server does not accept connections without TLS.
    ServerRequiresTls,
    /// No answer came in time.
    NoAnswer,
    /// Something else.
    Other,
}

impl Unavailable {
    /// Its words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong user or password",
            Self::UnknownAuthority => "unknown certificate authority",
            Self::CertificateExpired => "certificate expired",
            Self::CertificateForAnotherName => "certificate is for another name",
            Self::NoRoute => "no route (nobody listens there)",
            Self::UnknownHost => "unknown host",
            Self::PermissionMissing => "permission missing",
            Self::NotDeployed => "not deployed (run urna deploy)",
            Self::ServerRequiresTls => "server requires TLS",
            Self::NoAnswer => "no answer in time",
            Self::Other => "other",
        }
    }

    /// What a failed connection says, as far as its type does.
    pub fn of_io(fault: &io::Error) -> Self {
        let tls = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls {
            return Self::of_tls(tls);
        }
        match fault.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::NotFound => Self::NoRoute,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::NoAnswer,
            io::ErrorKind::PermissionDenied => Self::PermissionMissing,
            _ => Self::Other,
        }
    }

    /// What a failed TLS handshake says.
    pub fn of_tls(fault: &rustls::Error) -> Self {
        match fault {
            rustls::Error::InvalidCertificate(why) => match why {
                // The signature is bad when another authority has the same name.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownAuthority,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::CertificateExpired,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::CertificateForAnotherName
                }
                _ => Self::Other,
            },
            // It is our certificate that the server refuses.
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
            ) => Self::WrongCredentials,
            _ => Self::Other,
        }
    }
}

impl From<Unavailable> for Cow<'static, str> {
    fn from(why: Unavailable) -> Self {
        Self::Borrowed(why.words())
    }
}

/// Whether the system knows an address of `host`.
pub async fn is_known(host: &str, port: u16) -> bool {
    tokio::net::lookup_host((host, port)).await.is_ok_and(|mut found| found.next().is_some())
}
