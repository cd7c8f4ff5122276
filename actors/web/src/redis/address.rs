//! Where Redis is and as whom to connect: one address and what is given beside it, read and checked before anything is
//! connected. What would be ignored is refused.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates, TlsMode,
    parse_redis_url,
};
use secrecy::{ExposeSecret, SecretString};

use super::line::Source;

/// How long the other end may be silent about what was sent before the connection counts as broken.
#[cfg(target_os = "linux")]
const SILENT_WITHIN: std::time::Duration = std::time::Duration::from_secs(3);
/// Where a Sentinel listens, if its address does not say so.
const SENTINEL_PORT: &str = "26379";

/// Which user connects.
#[derive(Clone, Debug)]
pub struct RedisCredentials {
    /// The ACL user; the user `default` without it.
    pub user: Option<String>,
    /// The user's password.
    pub password: SecretString,
}

/// What TLS needs beside the address, as PEM.
#[derive(Clone, Debug, Default)]
pub struct RedisTls {
    /// The authorities that sign the server's certificate, and no others; Mozilla's, built into Urna, without them.
    pub authorities: Option<Vec<u8>>,
    /// This client's certificate and its key.
    pub client: Option<RedisClientCertificate>,
}

/// A client's certificate and its key, as PEM.
#[derive(Clone)]
pub struct RedisClientCertificate {
    /// The certificate, and those between it and its authority.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: SecretString,
}

/// Everything about the connection to Redis.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis[s]://[user:password@]host[:port][/database]`, or
    /// `redis[s]+sentinel://[user:password@]host[:port][,host[:port]]/master[/database]`. With `s`, over TLS.
    pub url: SecretString,
    /// As whom, unless the address says so.
    pub credentials: Option<RedisCredentials>,
    /// As whom with the Sentinels, which have users of their own.
    pub sentinel: Option<RedisCredentials>,
    /// What TLS needs beside the address.
    pub tls: RedisTls,
}

/// Why the settings cannot be used. Nothing of them is shown: they may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisSettingsError {
    /// Not an address.
    #[error(
        "the address of redis must be one such as redis://127.0.0.1:6379 or redis+sentinel://host:26379/master"
    )]
    Address,
    /// A part of the address that would have no effect.
    #[error("the address of redis may hold no parameters and no fragment")]
    Parameters,
    /// Both the address and something beside it say as whom to connect.
    #[error("the address of redis holds a user or password, and another one is given beside it")]
    CredentialsTwice,
    /// Users of Sentinels without Sentinels.
    #[error("a user or password for sentinels is given, and the address of redis is not redis+sentinel://")]
    NoSentinels,
    /// A certificate that would not be used.
    #[error("a certificate for redis is given, and the address of redis does not begin with rediss")]
    NoTls,
    /// Not a certificate, or not a key.
    #[error("the certificate or the key for redis is not PEM")]
    Certificate,
}

impl RedisSettings {
    /// An address alone.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self { url: url.into(), credentials: None, sentinel: None, tls: RedisTls::default() }
    }

    /// What opens connections, and whom they are opened as.
    pub(super) fn source(&self) -> Result<(Source, Option<String>), RedisSettingsError> {
        let address = Address::parse(self.url.expose_secret())?;
        let tls = self.certificates(address.is_tls)?;
        let first = &address.servers[0];
        let own = first.redis_settings();
        let is_named = own.username().is_some() || own.password().is_some();
        if is_named && self.credentials.is_some() {
            return Err(RedisSettingsError::CredentialsTwice);
        }
        if address.master.is_none() && self.sentinel.is_some() {
            return Err(RedisSettingsError::NoSentinels);
        }
        let redis = match &self.credentials {
            Some(RedisCredentials { user, password }) => {
                let redis = own.clone().set_password(password.expose_secret());
                user.iter().fold(redis, |redis, user| redis.set_username(user))
            }
            None => own.clone(),
        };
        let user = redis.username().map(str::to_owned);
        let source = match &address.master {
            None => {
                // Its users may not name the client's library, and each refusal would be an entry in its log.
                let redis = redis.set_skip_set_lib_name();
                let server = first.clone().set_redis_settings(redis).set_tcp_settings(tcp_settings());
                Source::Server(client(server, tls)?)
            }
            Some(master) => {
                let server = first.clone().set_redis_settings(redis);
                Source::sentinels(self.sentinels(&address, master, &server, tls)?, address.hosts())
            }
        };
        Ok((source, user))
    }

    fn certificates(&self, is_tls: bool) -> Result<Option<TlsCertificates>, RedisSettingsError> {
        let RedisTls { authorities, client } = &self.tls;
        if authorities.is_none() && client.is_none() {
            return Ok(None);
        }
        if !is_tls {
            return Err(RedisSettingsError::NoTls);
        }
        // Without this, a file that holds no certificate would trust nobody, and say "unknown authority" only later.
        let holds_one = |pem: &[u8]| String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----");
        let pems = authorities.iter().chain(client.iter().map(|client| &client.certificate));
        if !pems.into_iter().all(|pem| holds_one(pem)) {
            return Err(RedisSettingsError::Certificate);
        }
        let client_tls = client.as_ref().map(|client| ClientTlsConfig {
            client_cert: client.certificate.clone(),
            client_key: client.key.expose_secret().as_bytes().to_vec(),
        });
        Ok(Some(TlsCertificates { client_tls, root_cert: authorities.clone() }))
    }

    fn sentinels(
        &self,
        address: &Address,
        master: &str,
        server: &ConnectionInfo,
        tls: Option<TlsCertificates>,
    ) -> Result<SentinelClient, RedisSettingsError> {
        let sentinels = address.servers.iter().map(|server| server.addr().clone());
        let builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master);
        let mut builder = builder.map_err(|_| RedisSettingsError::Address)?;
        let redis = server.redis_settings();
        builder = builder.set_client_to_redis_db(redis.db()).set_client_to_redis_tcp_settings(tcp_settings());
        builder = builder.set_client_to_sentinel_tcp_settings(tcp_settings());
        if let Some(user) = redis.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = redis.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(RedisCredentials { user, password }) = &self.sentinel {
            builder = builder.set_client_to_sentinel_password(password.expose_secret());
            if let Some(user) = user {
                builder = builder.set_client_to_sentinel_username(user);
            }
        }
        if address.is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(tls) = tls {
            builder = builder.set_client_to_redis_certificates(tls.clone());
            builder = builder.set_client_to_sentinel_certificates(tls);
        }
        builder.build().map_err(|_| RedisSettingsError::Certificate)
    }
}

impl fmt::Debug for RedisClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisClientCertificate(…)")
    }
}

/// An address, taken apart.
struct Address {
    is_tls: bool,
    /// What the Sentinels call the server; `None` when the address is that of the server itself.
    master: Option<String>,
    /// The server, or the Sentinels, each with the user, the password and the database of the server; at least one.
    servers: Vec<ConnectionInfo>,
}

impl Address {
    fn parse(url: &str) -> Result<Self, RedisSettingsError> {
        if url.contains(['?', '#']) {
            return Err(RedisSettingsError::Parameters);
        }
        let (scheme, rest) = url.split_once("://").ok_or(RedisSettingsError::Address)?;
        let (is_tls, has_sentinels) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis+sentinel" => (false, true),
            "rediss+sentinel" => (true, true),
            _ => return Err(RedisSettingsError::Address),
        };
        let scheme = if is_tls { "rediss" } else { "redis" };
        if !has_sentinels {
            let server = info(&format!("{scheme}://{rest}"))?;
            return Ok(Self { is_tls, master: None, servers: vec![server] });
        }
        let (authority, path) = rest.split_once('/').ok_or(RedisSettingsError::Address)?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        if master.is_empty() {
            return Err(RedisSettingsError::Address);
        }
        let servers = hosts.split(',').map(|host| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
            info(&format!("{scheme}://{user}{host}{port}/{database}"))
        });
        let servers = servers.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { is_tls, master: Some(master.to_owned()), servers })
    }

    fn hosts(&self) -> Vec<(String, u16)> {
        self.servers.iter().filter_map(|server| host_of(server.addr())).collect()
    }
}

/// The host and the port of an address of the network.
pub(super) fn host_of(address: &ConnectionAddr) -> Option<(String, u16)> {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some((host.clone(), *port))
        }
        _ => None,
    }
}

/// The crate reads `redis://` and `rediss://`.
fn info(url: &str) -> Result<ConnectionInfo, RedisSettingsError> {
    let url = parse_redis_url(url).ok_or(RedisSettingsError::Address)?;
    // The crate would read a password without a user, and a user without a password would be ignored.
    if !url.username().is_empty() && url.password().is_none() {
        return Err(RedisSettingsError::Address);
    }
    url.into_connection_info().map_err(|_| RedisSettingsError::Address)
}

fn client(server: ConnectionInfo, tls: Option<TlsCertificates>) -> Result<Client, RedisSettingsError> {
    match tls {
        Some(tls) => Client::build_with_tls(server, tls).map_err(|_| RedisSettingsError::Certificate),
        None => Client::open(server).map_err(|_| RedisSettingsError::Address),
    }
}

fn tcp_settings() -> TcpSettings {
    let tcp = TcpSettings::default().set_nodelay(true);
    // Without it, a server that vanished would be written to for a quarter of an hour.
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(SILENT_WITHIN);
    tcp
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &RedisSettings) -> Option<RedisSettingsError> {
        settings.source().err()
    }

    fn credentials(user: &str) -> Option<RedisCredentials> {
        Some(RedisCredentials { user: Some(user.to_owned()), password: "hunter2".into() })
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "127.0.0.1:6379",
            "http://127.0.0.1",
            "redis://user:hunter2@[::1",
            "redis://user@host",
            "redis+sentinel://one,two",
            "redis+sentinel://one,,two/master",
            "redis+sentinel://one/master/database",
        ] {
            assert_eq!(refused(&RedisSettings::new(wrong)), Some(RedisSettingsError::Address), "{wrong}");
        }
        for ignored in ["rediss://host/#insecure", "redis://host/?db=2", "redis+sentinel://host/master?a=b"] {
            assert_eq!(refused(&RedisSettings::new(ignored)), Some(RedisSettingsError::Parameters));
        }
    }

    #[test]
    fn sentinels_are_read_with_their_ports_and_the_servers_database() {
        let url = "rediss+sentinel://ann:a%40b@one,two:7,[::1]:8/main/3";
        let address = Address::parse(url).ok().unwrap();
        let hosts = [("one".to_owned(), 26379), ("two".to_owned(), 7), ("::1".to_owned(), 8)];
        assert_eq!((address.is_tls, address.master.as_deref()), (true, Some("main")));
        assert_eq!(address.hosts(), hosts);
        let redis = address.servers[0].redis_settings();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("ann"), Some("a@b"), 3));
    }

    #[test]
    fn credentials_are_given_once() {
        for url in ["redis://ann:pw@host", "redis://:pw@host", "redis+sentinel://:pw@host/main"] {
            assert_eq!(refused(&RedisSettings::new(url)), None);
            let twice = RedisSettings { credentials: credentials("bob"), ..RedisSettings::new(url) };
            assert_eq!(refused(&twice), Some(RedisSettingsError::CredentialsTwice));
        }
        let once = RedisSettings { credentials: credentials("bob"), ..RedisSettings::new("redis://host") };
        assert_eq!(once.source().ok().unwrap().1.as_deref(), Some("bob"));
    }

    #[test]
    fn what_would_have_no_effect_is_refused() {
        let url = "redis://host";
        let settings = RedisSettings { sentinel: credentials("bob"), ..RedisSettings::new(url) };
        assert_eq!(refused(&settings), Some(RedisSettingsError::NoSentinels));
        let tls = RedisTls { authorities: Some(Vec::new()), client: None };
        let settings = RedisSettings { tls: tls.clone(), ..RedisSettings::new(url) };
        assert_eq!(refused(&settings), Some(RedisSettingsError::NoTls));
        let settings = RedisSettings { tls, ..RedisSettings::new("rediss://host") };
        assert_eq!(refused(&settings), Some(RedisSettingsError::Certificate));
    }

    #[test]
    fn no_secret_is_shown() {
        let key = "a private key of this test";
        let client = RedisClientCertificate { certificate: Vec::new(), key: key.into() };
        let tls = RedisTls { authorities: None, client: Some(client) };
        let url = "redis://ann:hunter2@host";
        let settings = RedisSettings { credentials: credentials("bob"), tls, ..RedisSettings::new(url) };
        let shown = format!("{settings:?} {:?} {}", settings, RedisSettingsError::Address);
        assert!(!shown.contains("hunter2") && !shown.contains(key));
    }
}
