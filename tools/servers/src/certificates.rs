//! A certificate authority for tests: it makes certificates in a folder, as PEM files.

use std::fs::{create_dir_all, write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Signs certificates. Two authorities do not know each other.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, which only the owner of the file can read.
    pub key: PathBuf,
}

/// What a server on loopback needs for TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate of the authority that has signed the server's.
    pub authority: PathBuf,
    /// The server's certificate.
    pub own: Certificate,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Now.
    Current,
    /// No longer.
    Expired,
}

impl Authority {
    /// A new authority, whose own certificate is `ca.pem` in this folder. The folder is made if it is missing.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let mut params = params("Authority of a test", Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("failed to make the key of an authority")?;
        let own = params.self_signed(&key).context("failed to sign the certificate of an authority")?;
        let authority = Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) };
        create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        write(authority.file(), own.pem()).context("failed to write the certificate of an authority")?;
        Ok(authority)
    }

    /// The file that holds the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for a host or for a client. Its common name and its only alternative name are `name`, which is an
    /// address of the network if it can be read as one. An earlier certificate of the same name and validity is replaced.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn certificate(&self, name: &str, validity: Validity) -> anyhow::Result<Certificate> {
        let mut params = params(name, vec![name.to_owned()])?;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let file_name = match validity {
            Validity::Current => name.to_owned(),
            Validity::Expired => {
                params.not_after = date_time_ymd(2001, 1, 1);
                format!("{name}-expired")
            }
        };
        let key = KeyPair::generate().context("failed to make a key")?;
        let signed = params.signed_by(&key, &self.issuer).context("failed to sign a certificate")?;
        let file = |ending: &str| self.folder.join(format!("{file_name}.{ending}"));
        let made = Certificate { certificate: file("pem"), key: file("key") };
        write(&made.certificate, signed.pem()).context("failed to write a certificate")?;
        write(&made.key, key.serialize_pem()).context("failed to write a key")?;
        std::fs::set_permissions(&made.key, PermissionsExt::from_mode(0o600))?;
        Ok(made)
    }
}

impl Tls {
    /// A certificate for loopback of a new authority, in this folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let authority = Authority::new(folder)?;
        let own = authority.certificate("127.0.0.1", Validity::Current)?;
        Ok(Self { authority: authority.file(), own })
    }

    /// The block of a nats-server's configuration by which it requires TLS of clients.
    pub fn of_clients(&self) -> String {
        self.block("")
    }

    /// The block by which the nats-servers of a cluster show each other their certificates. It belongs into `cluster`.
    pub fn of_routes(&self) -> String {
        self.block(", verify: true")
    }

    /// The arguments by which a Redis takes connections over TLS alone.
    pub fn of_redis(&self) -> Vec<String> {
        let file = |path: &Path| path.display().to_string();
        [
            ("--port", "0".to_owned()),
            ("--tls-port", "{port}".to_owned()),
            ("--tls-cert-file", file(&self.own.certificate)),
            ("--tls-key-file", file(&self.own.key)),
            ("--tls-ca-cert-file", file(&self.authority)),
            ("--tls-auth-clients", "no".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    fn block(&self, more: &str) -> String {
        let [certificate, key, authority] = [&self.own.certificate, &self.own.key, &self.authority];
        format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {authority:?}{more} }}")
    }
}

fn params(common_name: &str, alternatives: Vec<String>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(alternatives).context("failed to understand a name")?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
