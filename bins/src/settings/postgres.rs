//! Where Postgres is, which user connects, and what TLS needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, bail, ensure};
use clap::Args;
use schema::deploy::{Rights, Role};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tracing::warn;
use url::Url;

use super::credentials::{part_of, password, postgres_credentials_of};
use super::secret::given;

/// Default address.
const ADDRESS: &str = "postgres://127.0.0.1:5432/urna";
/// Default role.
const ROLE: &str = "urna";
/// Default administrator: the role that creates roles and schemas.
const ADMINISTRATOR: &str = "deploy";
/// What sqlx takes from an address, with its other names.
const PARAMETERS: [(&str, &[&str]); 12] = [
    ("sslmode", &["ssl-mode"]),
    ("sslrootcert", &["ssl-root-cert", "ssl-ca"]),
    ("sslcert", &["ssl-cert"]),
    ("sslkey", &["ssl-key"]),
    ("statement-cache-capacity", &[]),
    ("host", &["hostaddr"]),
    ("port", &[]),
    ("dbname", &[]),
    ("user", &[]),
    ("password", &[]),
    ("application_name", &[]),
    ("options", &[]),
];

/// The folder that holds the passwords of roles, in that of all credentials.
const FOLDER: &str = "postgres";
/// Every role, and what it may do.
const ROLES: [(&str, Rights); 4] = [
    ("login", Rights::Owner),
    ("round", Rights::Owner),
    ("tally", Rights::Owner),
    ("recount", Rights::Reader("tally")),
];

/// What to deploy to Postgres.
pub struct PostgresDeployment {
    /// How to connect as a role that may create others, and owns the database.
    pub administrator: PgConnectOptions,
    /// The roles.
    pub roles: Vec<Role>,
}

/// Everything about the connection to Postgres.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Postgres")]
pub struct Postgres {
    /// Where Postgres is: one host. May hold a user and a password: prefer the file [default:
    /// postgres://urna@127.0.0.1:5432/urna]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretString>,

    /// A file that holds the address of Postgres
    #[arg(long, env = "DATABASE_URL_FILE")]
    database_url_file: Option<PathBuf>,

    /// The role, unless the address says it
    #[arg(long, env = "DATABASE_USER")]
    database_user: Option<String>,

    /// The password of that role. Refused on the command line; prefer the file
    #[arg(long, env = "DATABASE_PASSWORD", hide_env_values = true)]
    database_password: Option<SecretString>,

    /// A file that holds the password of that role
    #[arg(long, env = "DATABASE_PASSWORD_FILE")]
    database_password_file: Option<PathBuf>,

    /// A file with the certificates of the authorities that sign the server's, in PEM. The server is verified then
    /// (sslmode=verify-full), unless the address says sslmode=verify-ca [default: Mozilla's, built into Urna]
    #[arg(long, env = "DATABASE_CA")]
    database_ca: Option<PathBuf>,

    /// A file with a client certificate, in PEM
    #[arg(long, env = "DATABASE_CERT")]
    database_cert: Option<PathBuf>,

    /// A file with the key of the client certificate, in PEM
    #[arg(long, env = "DATABASE_KEY")]
    database_key: Option<PathBuf>,
}

impl Postgres {
    /// How to connect as `role`: with its password from the folder of credentials, if it has a part for Postgres, and else
    /// as the other settings say.
    ///
    /// # Errors
    /// When a file cannot be read, a setting is not understood, two say the same, or one would be ignored.
    pub fn options(&self, folder: Option<&Path>, role: &str) -> anyhow::Result<PgConnectOptions> {
        self.options_by(part_of(folder, FOLDER)?.as_deref(), role)
    }

    /// What to deploy, and how to connect for it; `None` when the folder of credentials has no part for Postgres: then there
    /// is one role, and each schema is created by the process that uses it.
    ///
    /// The other settings say which user connects. If they do not, it is the role `deploy` of the folder.
    ///
    /// # Errors
    /// As with [`Postgres::options`].
    pub fn deployment(&self, folder: Option<&Path>) -> anyhow::Result<Option<PostgresDeployment>> {
        let Some(part) = part_of(folder, FOLDER)? else { return Ok(None) };
        let is_said = self.address()?.is_named || self.is_said_beside();
        let administrator =
            self.options_by(Some(&part).filter(|_| !is_said).map(PathBuf::as_path), ADMINISTRATOR)?;
        let mut roles = Vec::new();
        for (name, rights) in ROLES {
            let password = postgres_credentials_of(&part, name)?.password;
            roles.push(Role { name, password, rights });
        }
        Ok(Some(PostgresDeployment { administrator, roles }))
    }

    fn options_by(&self, part: Option<&Path>, role: &str) -> anyhow::Result<PgConnectOptions> {
        let address = self.address()?;
        let options = self.as_whom(&address, part, role)?;
        let options = self.tls(options, &address)?;
        Ok(match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("urna"),
        })
    }

    fn address(&self) -> anyhow::Result<Address> {
        match given(self.database_url_file.as_deref(), self.database_url.as_ref())? {
            Some(text) => Address::parse(text.expose_secret()),
            None => {
                let address = Address::parse(ADDRESS)?;
                Ok(Address { options: address.options.username(ROLE), ..address })
            }
        }
    }

    /// Whether the settings beside the address say which user connects.
    fn is_said_beside(&self) -> bool {
        self.database_user.is_some()
            || self.database_password.is_some()
            || self.database_password_file.is_some()
    }

    fn as_whom(
        &self,
        address: &Address,
        part: Option<&Path>,
        role: &str,
    ) -> anyhow::Result<PgConnectOptions> {
        let options = address.options.clone();
        let (file, own) = (self.database_password_file.as_deref(), self.database_password.as_ref());
        let password = password(file, own, "DATABASE_PASSWORD")?;
        let is_beside = self.is_said_beside();
        if address.is_named && is_beside {
            bail!(
                "DATABASE_URL holds a user or a password, and DATABASE_USER or DATABASE_PASSWORD is set too"
            );
        }
        if let Some(part) = part {
            let why = "URNA_CREDENTIALS has the roles of Postgres, and";
            ensure!(!address.is_named, "{why} DATABASE_URL holds a user or a password too");
            ensure!(!is_beside, "{why} DATABASE_USER or DATABASE_PASSWORD is set too");
            let credentials = postgres_credentials_of(part, role)?;
            let password = credentials.password.expose_secret();
            return Ok(options.username(&credentials.role).password(password));
        }
        let options = match &self.database_user {
            Some(user) => options.username(user),
            None if password.is_some() => {
                bail!("DATABASE_PASSWORD is set and there is no role: set DATABASE_USER")
            }
            None => options,
        };
        Ok(match password {
            Some(password) => options.password(password.expose_secret()),
            None => options,
        })
    }

    fn tls(&self, options: PgConnectOptions, address: &Address) -> anyhow::Result<PgConnectOptions> {
        let (own_ca, own_client) = (&self.database_ca, (&self.database_cert, &self.database_key));
        ensure!(
            own_ca.is_none() || !address.has("sslrootcert"),
            "DATABASE_CA is set, and DATABASE_URL has sslrootcert too"
        );
        let has_client = address.has("sslcert") || address.has("sslkey");
        let mut options = match own_client {
            (Some(certificate), Some(key)) => {
                ensure!(!has_client, "DATABASE_CERT is set, and DATABASE_URL has sslcert or sslkey too");
                readable(certificate)?;
                readable(key)?;
                options.ssl_client_cert(certificate).ssl_client_key(key)
            }
            (None, None) => options,
            _ => bail!("a client certificate has a key: set both DATABASE_CERT and DATABASE_KEY"),
        };
        if let Some(ca) = own_ca {
            readable(ca)?;
            options = options.ssl_root_cert(ca);
            if !address.has("sslmode") {
                options = options.ssl_mode(PgSslMode::VerifyFull);
            }
        }
        let has_ca = own_ca.is_some() || address.has("sslrootcert");
        let is_verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
        ensure!(
            !has_ca || is_verified,
            "a certificate authority for Postgres is set, but this sslmode does not verify the server: say sslmode=verify-full"
        );
        warn_of_an_unverified_server(&options);
        Ok(options)
    }
}

/// Once for a process, however many roles connect.
fn warn_of_an_unverified_server(options: &PgConnectOptions) {
    static WARN: Once = Once::new();
    if matches!(options.get_ssl_mode(), PgSslMode::Require) {
        WARN.call_once(|| {
            warn!("sslmode=require encrypts, and does not verify which server of Postgres this is: say sslmode=verify-full");
        });
    }
}

fn readable(file: &Path) -> anyhow::Result<()> {
    std::fs::File::open(file).with_context(|| format!("failed to read {}", file.display())).map(|_| ())
}

/// An address of Postgres, understood as sqlx does.
struct Address {
    options: PgConnectOptions,
    /// Whether it says which user connects.
    is_named: bool,
    /// The parameters that it has, by their first names.
    parameters: BTreeSet<&'static str>,
}

impl Address {
    /// The address is not shown in an error: it may hold a password.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.context("failed to understand DATABASE_URL: it must begin with postgres://")?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        let several =
            "DATABASE_URL has several hosts: give one, such as that of a proxy that follows the primary";
        ensure!(!hosts.contains(','), several);
        let url = Url::parse(text).ok().context("failed to understand DATABASE_URL")?;
        ensure!(url.fragment().is_none(), "DATABASE_URL has a fragment (#), which would be ignored");
        let mut parameters = BTreeSet::new();
        for (name, value) in url.query_pairs() {
            // sqlx takes each option for itself.
            if name.starts_with("options[") && name.ends_with(']') {
                continue;
            }
            let known = PARAMETERS.iter().find(|(first, others)| *first == name || others.contains(&&*name));
            let Some((name, _)) = known else {
                // A name with other letters may be a piece of a password.
                let is_word = name.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '_');
                let name = if is_word { &*name } else { "…" };
                bail!("DATABASE_URL has the parameter {name}, which would be ignored");
            };
            ensure!(parameters.insert(*name), "DATABASE_URL says {name} twice");
            ensure!(*name != "host" || !value.contains(','), several);
            ensure!(
                *name != "sslmode" || value != "allow",
                "DATABASE_URL has sslmode=allow, which would mean no TLS: say disable, prefer, require or verify-full"
            );
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        for (name, is_said) in [
            ("host", url.host_str().is_some_and(|host| !host.is_empty())),
            ("port", url.port().is_some()),
            ("dbname", !url.path().trim_start_matches('/').is_empty()),
            ("user", !url.username().is_empty()),
            ("password", url.password().is_some()),
        ] {
            ensure!(!(is_said && parameters.contains(name)), "DATABASE_URL says {name} twice");
        }
        let is_named = has_user || parameters.contains("user") || parameters.contains("password");
        let options = text.parse().ok().context("failed to understand DATABASE_URL")?;
        Ok(Self { options, is_named, parameters })
    }

    fn has(&self, parameter: &str) -> bool {
        self.parameters.contains(parameter)
    }
}
