//! Which servers a process trusts, and what it shows them.

use std::io;
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{ClientConfig, RootCertStore};

/// The files of TLS. They are read again each time the process connects, so that they can be renewed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    authorities: Option<PathBuf>,
    identity: Option<Identity>,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    certificate: PathBuf,
    key: PathBuf,
}

/// A file of TLS that cannot be used. It names the file and shows nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// It cannot be read.
    #[error("failed to read {}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no certificate, or something else as well that claims to be one.
    #[error("{} is not a certificate or several, as PEM", .0.display())]
    NotCertificates(PathBuf),
    /// It holds no private key.
    #[error("{} is not a private key without a password, as PEM", .0.display())]
    NotAKey(PathBuf),
    /// The certificate is that of another key.
    #[error("the key in {} is not that of the certificate in {}", .key.display(), .certificate.display())]
    KeyOfAnother {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

impl Tls {
    /// Trusts servers whose certificate one of these authorities has signed; without a file, those of the system.
    ///
    /// # Errors
    /// When the file is not certificates.
    pub fn with_authorities(mut self, file: &Path) -> Result<Self, TlsFileError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|_| TlsFileError::NotCertificates(file.to_owned()))?;
        }
        self.authorities = Some(file.to_owned());
        Ok(self)
    }

    /// Shows the server this certificate.
    ///
    /// # Errors
    /// When the files are not a certificate and its key.
    pub fn with_identity(mut self, certificate: &Path, key: &Path) -> Result<Self, TlsFileError> {
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_slice(&read(key)?);
        let private = private.map_err(|_| TlsFileError::NotAKey(key.to_owned()))?;
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let client = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
        if client.with_client_auth_cert(chain, private).is_err() {
            return Err(TlsFileError::KeyOfAnother { certificate, key });
        }
        self.identity = Some(Identity { certificate, key });
        Ok(self)
    }

    /// Whether there are any files, which make no sense without TLS.
    pub(super) fn is_configured(&self) -> bool {
        *self != Self::default()
    }

    pub(super) fn add_to(&self, mut options: ConnectOptions) -> ConnectOptions {
        if let Some(authorities) = &self.authorities {
            options = options.add_root_certificates(authorities.clone());
        }
        if let Some(Identity { certificate, key }) = &self.identity {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        options
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    // What the parser says shows the line that it did not understand.
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| TlsFileError::NotCertificates(file.to_owned()))
}

fn read(file: &Path) -> Result<Vec<u8>, TlsFileError> {
    std::fs::read(file).map_err(|source| TlsFileError::Unreadable { file: file.to_owned(), source })
}
