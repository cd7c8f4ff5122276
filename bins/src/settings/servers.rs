//! Where the servers are, and which user connects.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use nats::{BusSettings, Clock};
use sqlx::postgres::PgConnectOptions;
use web::RedisSettings;

use super::bus::Nats;
use super::postgres::{Postgres, PostgresDeployment};
use super::redis::Redis;

/// How to connect to NATS, Postgres and Redis.
#[derive(Clone, Debug, Args)]
pub struct Servers {
    /// How to connect to NATS.
    #[command(flatten)]
    pub nats: Nats,

    /// How to connect to Postgres.
    #[command(flatten)]
    postgres: Postgres,

    /// How to connect to Redis.
    #[command(flatten)]
    redis: Redis,

    /// A folder with the credentials of each actor and command: nats/NAME.password (or .nk, .creds),
    /// postgres/NAME.password, redis/NAME.password. A server without a subfolder uses its own settings
    #[arg(long, env = "URNA_CREDENTIALS", help_heading = "Credentials")]
    credentials: Option<PathBuf>,
}

impl Servers {
    /// How an actor or a command connects to NATS under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn bus(&self, name: &str, clock: &Clock) -> anyhow::Result<BusSettings> {
        self.nats.bus(name, self.folder()?, clock)
    }

    /// How an actor or a command connects to Postgres under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn postgres(&self, role: &str) -> anyhow::Result<PgConnectOptions> {
        self.postgres.options(self.folder()?, role)
    }

    /// What to deploy to Postgres; `None` when all share one role.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn postgres_deployment(&self) -> anyhow::Result<Option<PostgresDeployment>> {
        self.postgres.deployment(self.folder()?)
    }

    /// The content of Redis's ACL file.
    ///
    /// # Errors
    /// When the passwords of the users cannot be read.
    pub fn redis_acl_file(&self) -> anyhow::Result<String> {
        Redis::acl_file(self.folder()?)
    }

    /// How an actor connects to Redis under this name.
    ///
    /// # Errors
    /// When a setting cannot be used, or a file that it names.
    pub fn redis(&self, user: &str) -> anyhow::Result<RedisSettings> {
        self.redis.connection(self.folder()?, user)
    }

    /// A folder that is not there must not pass for one that covers no server.
    fn folder(&self) -> anyhow::Result<Option<&Path>> {
        if let Some(folder) = &self.credentials {
            ensure!(folder.is_dir(), "URNA_CREDENTIALS is {}, which is not a folder", folder.display());
        }
        Ok(self.credentials.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use sqlx::postgres::PgSslMode;

    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        servers: Servers,
    }

    /// A folder of one test, gone when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn with(test: &str, files: &[(&str, &str)]) -> Self {
            let folder = Self(std::env::temp_dir().join(format!("urna-{test}-{}", std::process::id())));
            std::fs::create_dir_all(&folder.0).unwrap();
            for (name, text) in files {
                let file = folder.0.join(name);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, text).unwrap();
            }
            folder
        }

        fn servers(&self, flags: &[&str]) -> Servers {
            servers(&[&["--credentials", self.0.to_str().unwrap()], flags].concat())
        }

        fn file(&self, name: &str) -> String {
            self.0.join(name).display().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn servers(flags: &[&str]) -> Servers {
        Settings::parse_from([&["urna"], flags].concat()).servers
    }

    fn words<T>(refused: anyhow::Result<T>) -> String {
        refused.err().map_or_else(|| "nothing is wrong".to_owned(), |fault| format!("{fault:#}"))
    }

    #[test]
    fn each_actor_connects_as_itself_where_the_folder_covers_the_server() {
        let files = [
            ("postgres/tally.password", "one\n"),
            ("postgres/login.password", "two"),
            ("redis/vote.password", "three"),
            ("redis/empty.password", "\n"),
        ];
        let folder = Folder::with("covered", &files);
        let here = folder.servers(&["--database-url", "postgres://host/votes"]);
        assert_eq!(here.postgres("tally").unwrap().get_username(), "tally");
        assert_eq!(here.postgres("login").unwrap().get_username(), "login");
        let missing = words(here.postgres("round"));
        assert!(missing.contains(&folder.file("postgres/round.password")), "{missing}");
        let vote = here.redis("vote").unwrap().credentials.unwrap();
        assert_eq!(vote.user.as_deref(), Some("vote"));
        let empty = words(here.redis("empty"));
        assert_eq!(empty, format!("{} holds no password", folder.file("redis/empty.password")));
    }

    #[test]
    fn a_server_without_a_subfolder_uses_its_own_settings() {
        let folder = Folder::with("uncovered", &[("nats/vote.password", "one")]);
        let here = folder.servers(&["--database-url", "postgres://ann@host/votes"]);
        assert_eq!(here.postgres("tally").unwrap().get_username(), "ann");
        assert!(here.redis("vote").unwrap().credentials.is_none());
        assert!(here.postgres_deployment().unwrap().is_none());
        let nowhere = servers(&["--credentials", "/nonexistent"]);
        let refused = "URNA_CREDENTIALS is /nonexistent, which is not a folder";
        assert_eq!(words(nowhere.postgres("tally")), refused);
        assert_eq!(words(nowhere.redis("vote")), refused);
        assert_eq!(words(nowhere.bus("vote", &Clock::system())), refused);
    }

    #[test]
    fn the_folder_and_single_credentials_are_refused_together() {
        let files = [("postgres/tally.password", "one"), ("redis/vote.password", "two")];
        let folder = Folder::with("twice", &files);
        for flags in [
            ["--database-url", "postgres://ann@host/votes"],
            ["--database-url", "postgres://:pw@host/votes"],
            ["--database-url", "postgres://host/votes?user=ann"],
            ["--database-user", "ann"],
            ["--database-password", "s3cret"],
            ["--database-password-file", &folder.file("redis/vote.password")],
        ] {
            let refused = words(folder.servers(&flags).postgres("tally"));
            assert!(
                refused.starts_with("URNA_CREDENTIALS has the roles of Postgres, and"),
                "{flags:?}: {refused}"
            );
            assert!(!refused.contains("s3cret"));
        }
        let refused = words(folder.servers(&["--redis-password", "s3cret"]).redis("vote"));
        assert_eq!(refused, "URNA_CREDENTIALS has the users of Redis, and REDIS_PASSWORD is set too");
        // The address is read where it is used.
        let twice = folder.servers(&["--redis-url", "redis://:s3cret@host"]).redis("vote").unwrap();
        assert!(twice.credentials.is_some());
    }

    #[test]
    fn single_credentials_are_whole_and_given_once() {
        let postgres = |flags: &[&str]| words(servers(flags).postgres("tally"));
        let twice =
            "DATABASE_URL holds a user or a password, and DATABASE_USER or DATABASE_PASSWORD is set too";
        assert_eq!(postgres(&["--database-url", "postgres://ann@host", "--database-user", "bob"]), twice);
        let nobody = "DATABASE_PASSWORD is set and there is no role: set DATABASE_USER";
        assert_eq!(postgres(&["--database-url", "postgres://host", "--database-password", "pw"]), nobody);
        let both = ["--database-user", "a", "--database-password", "pw", "--database-password-file", "x"];
        assert_eq!(
            postgres(&both),
            "both DATABASE_PASSWORD and DATABASE_PASSWORD_FILE are set: set one of them"
        );
        let redis = |flags: &[&str]| words(servers(flags).redis("vote"));
        let no_password = "REDIS_USER is set and there is no password: set REDIS_PASSWORD_FILE";
        assert_eq!(redis(&["--redis-user", "ann"]), no_password);
        let half = "a client certificate has a key: set both REDIS_CERT and REDIS_KEY";
        assert_eq!(redis(&["--redis-cert", "x"]), half);
        let whole = servers(&["--redis-user", "ann", "--redis-password", "pw"]).redis("vote").unwrap();
        assert_eq!(whole.credentials.unwrap().user.as_deref(), Some("ann"));
        let whole =
            servers(&["--database-user", "ann", "--database-password", "pw"]).postgres("tally").unwrap();
        assert_eq!((whole.get_username(), whole.get_database()), ("ann", Some("urna")));
        assert_eq!(servers(&[]).postgres("tally").unwrap().get_username(), "urna", "the default");
    }

    #[test]
    fn what_an_address_of_postgres_says_in_vain_is_refused() {
        let refused = |url: &str| words(servers(&["--database-url", url]).postgres("tally"));
        let several =
            "DATABASE_URL has several hosts: give one, such as that of a proxy that follows the primary";
        assert_eq!(refused("postgres://one,two/votes"), several);
        assert_eq!(refused("postgres:///votes?host=one,two"), several);
        let vain = "DATABASE_URL has the parameter target_session_attrs, which would be ignored";
        assert_eq!(refused("postgres://host/votes?target_session_attrs=read-write"), vain);
        assert_eq!(
            refused("postgres://host/votes?s3-cret=1"),
            "DATABASE_URL has the parameter …, which would be ignored"
        );
        assert_eq!(refused("postgres://ann@host/votes?user=bob"), "DATABASE_URL says user twice");
        assert_eq!(
            refused("postgres://host/votes?ssl-mode=prefer&sslmode=require"),
            "DATABASE_URL says sslmode twice"
        );
        assert!(refused("postgres://host/votes?sslmode=allow").starts_with("DATABASE_URL has sslmode=allow"));
        assert!(refused("postgres://host/votes#s3cret").ends_with("fragment (#), which would be ignored"));
        let wrong = refused("postgres://ann:s3cret@host:port/votes");
        assert_eq!(wrong, "failed to understand DATABASE_URL");
        assert!(refused("http://host").ends_with("it must begin with postgres://"));
    }

    #[test]
    fn an_authority_is_asked_about_the_server() {
        let folder = Folder::with("authority", &[("ca.pem", "a certificate")]);
        let ca = folder.file("ca.pem");
        let mode = |url: &str| -> anyhow::Result<PgSslMode> {
            let url = format!("postgres://host/votes{url}");
            Ok(servers(&["--database-url", &url, "--database-ca", &ca]).postgres("tally")?.get_ssl_mode())
        };
        assert!(matches!(mode("").unwrap(), PgSslMode::VerifyFull));
        assert!(matches!(mode("?sslmode=verify-ca").unwrap(), PgSslMode::VerifyCa));
        assert!(words(mode("?sslmode=require")).ends_with("say sslmode=verify-full"));
        assert!(words(mode("?sslrootcert=x")).ends_with("and DATABASE_URL has sslrootcert too"));
        let missing = servers(&["--database-ca", "/nonexistent"]).postgres("tally");
        assert!(words(missing).starts_with("failed to read /nonexistent"));
        let half = servers(&["--database-cert", &ca]).postgres("tally");
        assert!(words(half).ends_with("set both DATABASE_CERT and DATABASE_KEY"));
    }

    #[test]
    fn the_administrator_is_who_the_settings_say_or_the_role_deploy() {
        let roles =
            ["deploy", "login", "recount", "round", "tally"].map(|role| format!("postgres/{role}.password"));
        let files: Vec<_> = roles.iter().map(|file| (file.as_str(), "pw")).collect();
        let folder = Folder::with("administrator", &files);
        let administrator = |flags: &[&str]| {
            let deployment = folder.servers(flags).postgres_deployment().unwrap().unwrap();
            assert_eq!(deployment.roles.len(), 4);
            deployment.administrator.get_username().to_owned()
        };
        assert_eq!(administrator(&[]), "deploy");
        assert_eq!(administrator(&["--database-url", "postgres://host/votes"]), "deploy");
        assert_eq!(administrator(&["--database-url", "postgres://ann:pw@host/votes"]), "ann");
        assert_eq!(administrator(&["--database-user", "bob", "--database-password", "pw"]), "bob");
        std::fs::remove_file(folder.file("postgres/round.password")).unwrap();
        let missing = words(folder.servers(&[]).postgres_deployment());
        assert!(missing.contains("round.password"), "{missing}");
    }
}
