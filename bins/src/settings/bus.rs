//! How to connect to NATS. The variables have the names that the `nats` command uses.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use nats::{Authentication, BusSettings, Clock, Credentials, NkeySeed, ServerUrls, Tls, inbox_prefix_of};
use secrecy::{ExposeSecret, SecretString};

use super::credentials::part_of;
use super::secret::given;

/// Where NATS is, and as which user to connect.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct Nats {
    /// Where NATS is: one address, or several of one cluster separated by commas. tls:// requires TLS. Credentials do not
    /// belong here
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    nats_url: SecretString,

    /// The user, where the server asks for one
    #[arg(long, env = "NATS_USER")]
    nats_user: Option<String>,

    /// The user's password. Refused on the command line; prefer the file
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true)]
    nats_password: Option<SecretString>,

    /// A file that contains the user's password
    #[arg(long, env = "NATS_PASSWORD_FILE")]
    nats_password_file: Option<PathBuf>,

    /// The token, where the server asks for one. Refused on the command line; prefer the file
    #[arg(long, env = "NATS_TOKEN", hide_env_values = true)]
    nats_token: Option<SecretString>,

    /// A file that contains the token
    #[arg(long, env = "NATS_TOKEN_FILE")]
    nats_token_file: Option<PathBuf>,

    /// A file that contains the user's JWT and nkey seed, as nsc writes it
    #[arg(long, env = "NATS_CREDS")]
    nats_creds: Option<PathBuf>,

    /// A file that contains the user's nkey seed
    #[arg(long, env = "NATS_NKEY")]
    nats_nkey: Option<PathBuf>,

    /// A file with the certificate authorities that sign the servers' certificates. Requires TLS [default: those of the
    /// system]
    #[arg(long, env = "NATS_CA")]
    nats_ca: Option<PathBuf>,

    /// A file with the client certificate, where the server asks for one. Requires TLS
    #[arg(long, env = "NATS_CERT")]
    nats_cert: Option<PathBuf>,

    /// A file with the client certificate's private key
    #[arg(long, env = "NATS_KEY")]
    nats_key: Option<PathBuf>,

    /// The beginning of the subjects on which answers are received [default: _INBOX_ and the process's name]
    #[arg(long, env = "NATS_INBOX_PREFIX")]
    nats_inbox_prefix: Option<String>,

    /// How many NATS servers keep a copy of each stream: 1 on a single server, 3 in a cluster
    #[arg(long, env = "URNA_NATS_REPLICAS", default_value_t = 1)]
    pub nats_replicas: usize,
}

impl Nats {
    /// How an actor or a command connects under this name: as the user of this name if there is a folder of credentials for
    /// NATS, else as these settings say.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn bus(&self, name: &str, folder: Option<&Path>, clock: &Clock) -> anyhow::Result<BusSettings> {
        Ok(BusSettings {
            authentication: self.authentication_of(name, folder)?,
            tls: self.tls()?,
            inbox_prefix: self.nats_inbox_prefix.clone().unwrap_or_else(|| inbox_prefix_of(name)),
            replicas: self.nats_replicas,
            ..BusSettings::new(self.url()?, name, clock)
        })
    }

    /// Where NATS is.
    ///
    /// # Errors
    /// When it is not an address, or contains credentials.
    pub fn url(&self) -> anyhow::Result<ServerUrls> {
        ServerUrls::parse(self.nats_url.expose_secret()).map_err(|error| anyhow::anyhow!("NATS_URL {error}"))
    }

    /// Which user connects, by these settings alone; `None` when they do not say.
    ///
    /// # Errors
    /// When they say it in two ways or only half, and when a file cannot be used.
    pub fn authentication(&self) -> anyhow::Result<Option<Authentication>> {
        let ways = self.ways();
        if let [first, second, ..] = ways[..] {
            bail!("{first} and {second} are two ways to authenticate with NATS: set one of them");
        }
        let (file, password) = (self.nats_password_file.as_deref(), self.nats_password.as_ref());
        match (&self.nats_user, secret(file, password, "NATS_PASSWORD")?) {
            (Some(user), Some(password)) => {
                return Ok(Some(Authentication::Password { user: user.clone(), password }));
            }
            (Some(_), None) => bail!("NATS_USER is set and there is no password: set NATS_PASSWORD_FILE"),
            (None, Some(_)) => bail!("NATS has a password and no user: set NATS_USER"),
            (None, None) => {}
        }
        if let Some(token) = secret(self.nats_token_file.as_deref(), self.nats_token.as_ref(), "NATS_TOKEN")?
        {
            return Ok(Some(Authentication::Token(token)));
        }
        if let Some(file) = &self.nats_creds {
            return Ok(Some(credentials_in(file)?));
        }
        self.nats_nkey.as_deref().map(nkey_in).transpose()
    }

    fn authentication_of(&self, user: &str, folder: Option<&Path>) -> anyhow::Result<Option<Authentication>> {
        let (Some(folder), Some(_)) = (folder, part_of(folder, "nats")?) else {
            return self.authentication();
        };
        if let [way, ..] = self.ways()[..] {
            bail!("URNA_CREDENTIALS and {way} both say as whom to connect to NATS: set one of them");
        }
        ensure!(
            self.nats_inbox_prefix.is_none(),
            "URNA_CREDENTIALS and NATS_INBOX_PREFIX are both set: with the folder each user has a prefix of its own"
        );
        credentials_of(folder, user).map(Some)
    }

    /// The settings that say as whom to connect, one for each way.
    fn ways(&self) -> Vec<&'static str> {
        let has_password =
            self.nats_user.is_some() || self.nats_password.is_some() || self.nats_password_file.is_some();
        let ways = [
            ("NATS_USER", has_password),
            ("NATS_TOKEN", self.nats_token.is_some() || self.nats_token_file.is_some()),
            ("NATS_CREDS", self.nats_creds.is_some()),
            ("NATS_NKEY", self.nats_nkey.is_some()),
        ];
        ways.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }

    fn tls(&self) -> anyhow::Result<Tls> {
        let mut tls = Tls::default();
        if let Some(file) = &self.nats_ca {
            tls = tls.with_authorities(file).context("NATS_CA cannot be used")?;
        }
        match (&self.nats_cert, &self.nats_key) {
            (Some(certificate), Some(key)) => {
                tls.with_identity(certificate, key).context("NATS_CERT with NATS_KEY cannot be used")
            }
            (None, None) => Ok(tls),
            (Some(_), None) => bail!("NATS_CERT is a client certificate without its key: set NATS_KEY"),
            (None, Some(_)) => bail!("NATS_KEY is the key of no client certificate: set NATS_CERT"),
        }
    }
}

/// How `user` authenticates, from a folder of credentials: `nats/<user>.password`, `nats/<user>.nk` (an nkey seed) or
/// `nats/<user>.creds` (a JWT and an nkey seed).
///
/// # Errors
/// When the folder has no such file, or more than one, and when the file cannot be used.
fn credentials_of(folder: &Path, user: &str) -> anyhow::Result<Authentication> {
    let file = |ending: &str| folder.join("nats").join(format!("{user}.{ending}"));
    let mut found = Vec::new();
    for ending in ["password", "nk", "creds"] {
        let file = file(ending);
        let is_there = file.try_exists().with_context(|| format!("failed to look for {}", file.display()))?;
        if is_there {
            found.push((ending, file));
        }
    }
    match &found[..] {
        [] => bail!("{} is missing (or the same with .nk or .creds)", file("password").display()),
        [("nk", file)] => nkey_in(file),
        [("creds", file)] => credentials_in(file),
        [(_, file)] => Ok(Authentication::Password { user: user.to_owned(), password: secret_in(file)? }),
        [(_, first), (_, second), ..] => {
            let (first, second) = (first.display(), second.display());
            bail!("{first} and {second} are two ways to authenticate with NATS: remove one of them")
        }
    }
}

/// The secret that was given, by its file or as it is, which must not be empty.
fn secret(
    file: Option<&Path>,
    secret: Option<&SecretString>,
    name: &str,
) -> anyhow::Result<Option<SecretString>> {
    let Some(file) = file else {
        ensure!(secret.is_none_or(|secret| !secret.expose_secret().is_empty()), "{name} is empty");
        return Ok(secret.cloned());
    };
    secret_in(file).map(Some)
}

fn secret_in(file: &Path) -> anyhow::Result<SecretString> {
    let secret = given(Some(file), None)?.unwrap_or_default();
    ensure!(!secret.expose_secret().is_empty(), "{} is empty", file.display());
    Ok(secret)
}

fn nkey_in(file: &Path) -> anyhow::Result<Authentication> {
    let seed = NkeySeed::parse(secret_in(file)?.expose_secret());
    seed.map(Authentication::NkeySeed).map_err(|error| anyhow::anyhow!("{} {error}", file.display()))
}

fn credentials_in(file: &Path) -> anyhow::Result<Authentication> {
    // Its last line must have an end, which reading takes off.
    let text = format!("{}\n", secret_in(file)?.expose_secret());
    let credentials = Credentials::parse(&text);
    credentials
        .map(Authentication::CredentialsFile)
        .map_err(|error| anyhow::anyhow!("{} {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        nats: Nats,
    }

    fn nats(flags: &[&str]) -> Nats {
        Settings::parse_from([&["urna"], flags].concat()).nats
    }

    fn refused(flags: &[&str]) -> String {
        format!("{:#}", nats(flags).bus("urna", None, &Clock::system()).unwrap_err())
    }

    /// A folder of one test, gone when dropped.
    struct Folder(PathBuf);

    impl Folder {
        /// With these files in its folder `nats`.
        fn with(test: &str, files: &[(&str, &str)]) -> Self {
            let folder = Self(std::env::temp_dir().join(format!("urna-{test}-{}", std::process::id())));
            std::fs::create_dir_all(folder.0.join("nats")).unwrap();
            for (name, text) in files {
                std::fs::write(folder.0.join("nats").join(name), text).unwrap();
            }
            folder
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_user_of_nats_has_a_password_and_a_password_a_user() {
        let given = |flags: &[&str]| nats(flags).authentication();
        assert!(given(&[]).unwrap().is_none());
        let both = given(&["--nats-user", "ann", "--nats-password", "s3cret"]).unwrap().unwrap();
        assert!(!format!("{both:?}").contains("s3cret"));
        let Authentication::Password { user, password } = both else { panic!("{both:?}") };
        assert_eq!((user.as_str(), password.expose_secret()), ("ann", "s3cret"));
        assert_eq!(
            refused(&["--nats-user", "ann"]),
            "NATS_USER is set and there is no password: set NATS_PASSWORD_FILE"
        );
        assert_eq!(refused(&["--nats-password", "s3cret"]), "NATS has a password and no user: set NATS_USER");
        assert_eq!(refused(&["--nats-user", "ann", "--nats-password", ""]), "NATS_PASSWORD is empty");
        assert_eq!(refused(&["--nats-token", ""]), "NATS_TOKEN is empty");
    }

    #[test]
    fn two_ways_to_authenticate_are_refused() {
        let ways = [
            ("NATS_USER", "--nats-user"),
            ("NATS_TOKEN", "--nats-token-file"),
            ("NATS_CREDS", "--nats-creds"),
            ("NATS_NKEY", "--nats-nkey"),
        ];
        for (number, (first, first_flag)) in ways.into_iter().enumerate() {
            for (second, second_flag) in &ways[number + 1..] {
                assert_eq!(
                    refused(&[first_flag, "x", second_flag, "y"]),
                    format!("{first} and {second} are two ways to authenticate with NATS: set one of them")
                );
            }
        }
    }

    #[test]
    fn an_address_with_credentials_is_refused_and_not_echoed() {
        let refused = refused(&["--nats-url", "nats://ann:s3cret@host"]);
        assert_eq!(
            refused,
            "NATS_URL contains a user and a password: set NATS_USER and NATS_PASSWORD_FILE instead"
        );
        let token = nats(&["--nats-url", "nats://s3cret@host"]);
        assert!(token.url().unwrap_err().to_string().contains("set NATS_TOKEN_FILE instead"));
        assert!(!format!("{token:?}").contains("s3cret"));
    }

    #[test]
    fn a_client_certificate_comes_with_its_key() {
        assert_eq!(
            refused(&["--nats-cert", "x"]),
            "NATS_CERT is a client certificate without its key: set NATS_KEY"
        );
        assert_eq!(
            refused(&["--nats-key", "x"]),
            "NATS_KEY is the key of no client certificate: set NATS_CERT"
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_and_not_shown() {
        let folder = Folder::with("tls", &[("text", "s3cret\n-----BEGIN s3cret\n"), ("empty", "\n")]);
        let path = |name: &str| folder.0.join("nats").join(name).display().to_string();
        let (text, empty, missing) = (path("text"), path("empty"), path("missing"));
        for flag in ["--nats-creds", "--nats-nkey", "--nats-ca"] {
            let refused = refused(&[flag, &text]);
            assert!(refused.contains(&text) && !refused.contains("s3cret"), "{refused}");
        }
        let refused_key = refused(&["--nats-cert", &text, "--nats-key", &text]);
        assert!(refused_key.contains(&text) && !refused_key.contains("s3cret"), "{refused_key}");
        for flag in ["--nats-creds", "--nats-nkey", "--nats-ca", "--nats-token-file"] {
            assert!(refused(&[flag, &missing]).contains(&format!("failed to read {missing}")), "{flag}");
            assert!(refused(&[flag, &empty]).contains(&empty), "{flag}");
        }
        let refused = refused(&["--nats-user", "ann", "--nats-password-file", &empty]);
        assert_eq!(refused, format!("{empty} is empty"));
    }

    #[test]
    fn the_inbox_prefix_is_that_of_the_name_unless_it_is_set() {
        let prefix = |flags: &[&str]| nats(flags).bus("vote", None, &Clock::system()).unwrap().inbox_prefix;
        assert_eq!(prefix(&[]), "_INBOX_vote");
        assert_eq!(prefix(&["--nats-inbox-prefix", "_INBOX_ours"]), "_INBOX_ours");
    }

    #[test]
    fn every_user_may_subscribe_to_the_inbox_that_it_uses() {
        for user in urna_access::User::ALL {
            assert_eq!(user.inbox_prefix(), inbox_prefix_of(user.name()));
        }
    }

    #[test]
    fn a_folder_of_credentials_has_one_file_for_each_user() {
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
        let files = [
            ("vote.password", "s3cret\n"),
            ("round.nk", seed),
            ("tally.password", "s3cret"),
            ("tally.nk", seed),
            ("result.nk", "s3cret"),
            ("login.creds", "s3cret"),
        ];
        let folder = Folder::with("credentials", &files);
        let of = |user: &str| credentials_of(&folder.0, user);
        let Authentication::Password { user, password } = of("vote").unwrap() else { panic!() };
        assert_eq!((user.as_str(), password.expose_secret()), ("vote", "s3cret"));
        assert!(matches!(of("round").unwrap(), Authentication::NkeySeed(_)));
        for (user, file) in [
            ("tally", "tally.nk"),
            ("result", "result.nk"),
            ("login", "login.creds"),
            ("session", "session.password"),
        ] {
            let refused = of(user).unwrap_err().to_string();
            assert!(refused.contains(file) && !refused.contains("s3cret"), "{refused}");
        }
    }
}
