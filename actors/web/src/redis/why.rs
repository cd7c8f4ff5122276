//! Why Redis is unavailable, found from the types of its errors.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, ServerErrorKind};

use super::address::host_of;
use super::line::Source;
use crate::unavailable::{Unavailable, is_known};

/// What the error says, as far as its type does.
pub(super) fn why(fault: &RedisError) -> Unavailable {
    match fault.kind() {
        ErrorKind::AuthenticationFailed => Unavailable::WrongCredentials,
        ErrorKind::Server(ServerErrorKind::NoPerm) => Unavailable::PermissionMissing,
        ErrorKind::Io => io_error(fault).map_or(Unavailable::Other, Unavailable::of_io),
        _ => match fault.code() {
            Some("NOAUTH" | "WRONGPASS") => Unavailable::WrongCredentials,
            _ => Unavailable::Other,
        },
    }
}

/// The same, and what is found out by asking further where the error does not say it.
pub(super) async fn find_out(fault: &RedisError, source: &Source) -> Unavailable {
    let why = why(fault);
    if why != Unavailable::Other || fault.kind() != ErrorKind::Io {
        return why;
    }
    let hosts = match source {
        Source::Server(client) => host_of(client.get_connection_info().addr()).into_iter().collect(),
        Source::Sentinels { hosts, .. } => hosts.clone(),
    };
    for (host, port) in hosts {
        if !is_known(&host, port).await {
            return Unavailable::UnknownHost;
        }
    }
    match source {
        Source::Server(client) if speaks_tls(client).await => Unavailable::ServerRequiresTls,
        _ => Unavailable::Other,
    }
}

/// Whether a server that ended a plain connection answers to the beginning of a TLS handshake.
async fn speaks_tls(plain: &Client) -> bool {
    let ConnectionAddr::Tcp(host, port) = plain.get_connection_info().addr() else { return false };
    let address =
        ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None };
    let Ok(client) = Client::open(address) else { return false };
    let config = AsyncConnectionConfig::new();
    match client.get_multiplexed_async_connection_with_config(&config).await {
        Ok(_) => true,
        // Any certificate proves that it speaks TLS.
        Err(fault) => io_error(&fault).and_then(tls_error).is_some_and(|fault| {
            matches!(fault, rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
        }),
    }
}

fn io_error(fault: &RedisError) -> Option<&io::Error> {
    let shared = fault.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    shared.downcast_ref()
}

fn tls_error(fault: &io::Error) -> Option<&rustls::Error> {
    fault.get_ref()?.downcast_ref()
}
