//! nats-server, PostgreSQL and Redis.

use std::fs::set_permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};

use crate::{Certificate, Durability, Process, Programs, Tls, free_port};

/// nats-server for one machine, as `make run` has it.
const LOCAL: &str = include_str!("../../../nats/server/local.conf");
/// One nats-server of a cluster.
const CLUSTER: &str = include_str!("../../../nats/server/cluster.conf");
/// What makes nats-server wait for the disk.
const SYNCED: &str = "sync_interval: always";
/// Where the nats-servers of a cluster reach each other.
const ROUTES: &str = "routes: $NATS_ROUTES";
/// What says who may do what.
const USERS: &str = "include secure.conf";

/// The settings of a PostgreSQL that has a certificate.
const CERTIFIED: [&str; 3] = ["ssl=on", "ssl_cert_file=own.pem", "ssl_key_file=own.key"];
/// The rules of one that lets nobody in without TLS.
const OVER_TLS: &str = "hostssl all all 127.0.0.1/32 trust\n";
/// How many connections a PostgreSQL for one Urna takes.
pub const CONNECTIONS: u16 = 100;
/// How many tenants a shared Redis can have.
pub const SHARED_DATABASES: u32 = 1_000;
/// What everybody may do in a shared Redis: nothing that reaches beyond a tenant's own database.
const TENANT: &str =
    "user default on nopass ~* &* +@all -acl -config -debug -flushall -shutdown -swapdb -client|kill";
/// What everybody may do in a Redis of one tenant's own.
const EVERYTHING: &str = "user default on nopass ~* &* +@all";

/// A server that can be killed and started again with the data it had.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    programs: Programs,
    durability: Durability,
    folder: PathBuf,
    /// Where it listens on loopback.
    pub port: u16,
    process: Option<Process>,
    is_paused: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A nats-server with this text behind its configuration.
    Nats(String),
    /// A nats-server of a cluster: its name, where the others reach it, all of these addresses, and the texts of its
    /// configuration.
    Node { name: String, port: u16, routes: String, texts: ClusterTexts },
    /// A PostgreSQL that takes this many connections.
    Postgres { connections: u16, settings: Vec<String> },
    /// A Redis with these arguments, in which `{port}` is its port.
    Redis(Vec<String>),
}

/// What the configuration of each nats-server of a cluster holds besides the shipped one.
#[derive(Clone, Debug, Default)]
pub struct ClusterTexts {
    /// In its block `cluster`, such as certificates for routes.
    pub routes: String,
    /// Behind everything, such as users and certificates for clients.
    pub behind: String,
}

impl Server {
    /// A nats-server with JetStream, as configured for one machine, with this text behind its configuration, such as users
    /// and certificates. Its data is in a new folder of this name.
    ///
    /// # Errors
    /// When it cannot be started, as with all of these.
    pub fn nats(
        programs: &Programs,
        folder: &Path,
        durability: Durability,
        configuration: &str,
    ) -> anyhow::Result<Self> {
        Self::new(Kind::Nats(configuration.to_owned()), programs, folder.to_owned(), durability)?.started()
    }

    /// The nats-servers of a cluster on this machine, called `node-0` and so on, each with these texts in its configuration.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn nats_cluster(
        programs: &Programs,
        folder: &Path,
        size: usize,
        texts: &ClusterTexts,
    ) -> anyhow::Result<Vec<Self>> {
        let ports: Vec<u16> = (0..size).map(|_| free_port()).collect();
        let routes: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let routes = format!("[\"{}\"]", routes.join("\", \""));
        let node = |(number, port)| {
            let name = format!("node-{number}");
            let (routes, texts) = (routes.clone(), texts.clone());
            let kind = Kind::Node { name: name.clone(), port, routes, texts };
            Self::new(kind, programs, folder.join(name), Durability::Synced)?.started()
        };
        ports.into_iter().enumerate().map(node).collect()
    }

    /// A PostgreSQL with an empty cluster, for one Urna.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn postgres(programs: &Programs, folder: &Path, durability: Durability) -> anyhow::Result<Self> {
        let kind = Kind::Postgres { connections: CONNECTIONS, settings: Vec::new() };
        let server = Self::new(kind, programs, folder.join("postgres"), durability)?;
        initdb(programs, &server.folder)?;
        server.started()
    }

    /// A PostgreSQL with an empty cluster that lets in whom `rules` say, in the form of pg_hba.conf. With a certificate it
    /// speaks TLS, and asks these authorities about clients' certificates.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn postgres_with_rules(
        programs: &Programs,
        folder: &Path,
        rules: &str,
        tls: Option<(&Certificate, &Path)>,
    ) -> anyhow::Result<Self> {
        let settings = match tls {
            Some(_) => {
                ["ssl=on", "ssl_cert_file=own.pem", "ssl_key_file=own.key", "ssl_ca_file=ca.pem"].as_slice()
            }
            None => &[],
        };
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let kind = Kind::Postgres { connections: CONNECTIONS, settings };
        let server = Self::new(kind, programs, folder.join("postgres"), Durability::Unsynced)?;
        initdb(programs, &server.folder)?;
        std::fs::write(server.folder.join("pg_hba.conf"), rules).context("failed to write pg_hba.conf")?;
        if let Some((own, authorities)) = tls {
            server.certify(own)?;
            let to = server.folder.join("ca.pem");
            std::fs::copy(authorities, &to).with_context(|| format!("failed to write {}", to.display()))?;
            give_file_to_postgres(&to)?;
        }
        server.started()
    }

    /// A PostgreSQL with a copy of a cluster that [`initdb`] has made: that takes a tenth of the time. It does not wait
    /// for the disk, and takes so many connections: with a certificate, over TLS alone.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn postgres_from(
        ready: &Path,
        programs: &Programs,
        folder: &Path,
        connections: u16,
        own: Option<&Certificate>,
    ) -> anyhow::Result<Self> {
        let settings = if own.is_some() { &CERTIFIED[..] } else { &[] };
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let kind = Kind::Postgres { connections, settings };
        let server = Self::new(kind, programs, folder.join("postgres"), Durability::Unsynced)?;
        give_to_postgres(&server.folder)?;
        let copied = Command::new("cp").arg("-pR").arg(ready.join(".")).arg(&server.folder).output();
        let copied = copied.context("failed to start cp")?;
        ensure!(copied.status.success(), "cp failed: {}", String::from_utf8_lossy(&copied.stderr));
        if let Some(own) = own {
            server.certify(own)?;
            std::fs::write(server.folder.join("pg_hba.conf"), OVER_TLS)
                .context("failed to write pg_hba.conf")?;
        }
        server.started()
    }

    /// A Redis that is empty, with these users (lines of an ACL file) beside the default one, which may do anything. With
    /// certificates, over TLS alone.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn redis(programs: &Programs, folder: &Path, users: &str, tls: Option<&Tls>) -> anyhow::Result<Self> {
        let mut arguments = Vec::from(acl_file(folder, EVERYTHING, users)?);
        arguments.extend(tls.map(Tls::of_redis).unwrap_or_default());
        Self::redis_with(programs, folder, arguments)
    }

    /// One with arguments of its own, in which `{port}` is where it listens.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn redis_with(programs: &Programs, folder: &Path, arguments: Vec<String>) -> anyhow::Result<Self> {
        let kind = Kind::Redis(arguments);
        Self::new(kind, programs, folder.join("redis"), Durability::Unsynced)?.started()
    }

    /// The same with [`SHARED_DATABASES`] databases, for as many tenants. It refuses the commands by which one of them
    /// would harm the others.
    ///
    /// # Errors
    /// As with [`Server::nats`].
    pub fn shared_redis(programs: &Programs, folder: &Path, users: &str) -> anyhow::Result<Self> {
        let mut arguments = vec!["--databases".to_owned(), SHARED_DATABASES.to_string()];
        arguments.extend(acl_file(folder, TENANT, users)?);
        Self::redis_with(programs, folder, arguments)
    }

    /// Gives a PostgreSQL that speaks TLS another certificate, which it uses once it has read its configuration again.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn certify(&self, own: &Certificate) -> anyhow::Result<()> {
        for (from, to) in [(&own.certificate, "own.pem"), (&own.key, "own.key")] {
            let to = self.folder.join(to);
            std::fs::copy(from, &to).with_context(|| format!("failed to write {}", to.display()))?;
            give_file_to_postgres(&to)?;
        }
        Ok(())
    }

    fn new(kind: Kind, programs: &Programs, folder: PathBuf, durability: Durability) -> anyhow::Result<Self> {
        std::fs::create_dir(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
        let (programs, port) = (programs.clone(), free_port());
        Ok(Self { kind, programs, durability, folder, port, process: None, is_paused: false })
    }

    fn started(mut self) -> anyhow::Result<Self> {
        self.try_start()?;
        Ok(self)
    }

    /// Starts it again. Returns before it answers.
    ///
    /// # Panics
    /// When what could be started once no longer can be.
    pub fn start(&mut self) {
        self.try_start().expect("what was started once can be started again");
    }

    fn try_start(&mut self) -> anyhow::Result<()> {
        let (name, command) = match &self.kind {
            Kind::Nats(configuration) => ("nats-server", self.nats_command(LOCAL, configuration)?),
            Kind::Node { name, port, routes, texts } => {
                let template = CLUSTER.replace(ROUTES, &format!("{ROUTES}\n  {}", texts.routes));
                let mut command = self.nats_command(&template, &texts.behind)?;
                command.env("NATS_NAME", name).env("NATS_ROUTES", routes);
                command.env("NATS_CLUSTER_PORT", port.to_string());
                ("nats-server", command)
            }
            Kind::Postgres { connections, settings } => {
                ("postgres", self.postgres_command(*connections, settings)?)
            }
            Kind::Redis(arguments) => ("redis-server", self.redis_command(arguments)),
        };
        self.process = Some(Process::start(command, name, &self.log())?);
        Ok(())
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        // The processes that a paused PostgreSQL leaves behind end by themselves only when they can run.
        self.resume();
        self.process = None;
    }

    /// Pauses it: it neither answers nor writes, and its connections stay open.
    pub fn pause(&mut self) {
        self.is_paused = true;
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on, if it is paused.
    pub fn resume(&mut self) {
        if std::mem::take(&mut self.is_paused) {
            self.signal(Signal::SIGCONT);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal_family(signal);
        }
    }

    /// Whether its process is there, paused or not.
    pub fn is_there(&self) -> bool {
        self.memory().is_some()
    }

    /// Whether it was started and neither killed nor paused since.
    pub fn is_up(&self) -> bool {
        self.process.is_some() && !self.is_paused
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        Some(self.process.as_ref()?.id())
    }

    /// Its resident memory in bytes; `None` when it is gone.
    pub fn memory(&self) -> Option<u64> {
        self.process.as_ref()?.memory()
    }

    /// The file that holds what it has logged.
    pub fn log(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn nats_command(&self, template: &str, configuration: &str) -> anyhow::Result<Command> {
        let file = self.folder.with_extension("conf");
        std::fs::write(&file, configured(template, self.durability) + "\n" + configuration + "\n")
            .with_context(|| format!("failed to write {}", file.display()))?;
        let mut command = Command::new(&self.programs.nats);
        command
            .arg("-c")
            .arg(file)
            .env("NATS_PORT", self.port.to_string())
            .env("NATS_MONITOR", "\"127.0.0.1:0\"")
            .env("NATS_STORE", format!("\"{}\"", self.folder.display()));
        Ok(command)
    }

    fn redis_command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.programs.redis);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--save", "", "--appendonly", "yes"]);
        command.arg("--dir").arg(&self.folder);
        command.args(arguments.iter().map(|argument| argument.replace("{port}", &self.port.to_string())));
        command
    }

    fn postgres_command(&self, connections: u16, settings: &[String]) -> anyhow::Result<Command> {
        let mut command = as_postgres(&self.programs, "postgres")?;
        let fsync = match self.durability {
            Durability::Synced => "fsync=on",
            Durability::Unsynced => "fsync=off",
        };
        command.arg("-D").arg(&self.folder).arg("-p").arg(self.port.to_string());
        let connections = format!("max_connections={connections}");
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", fsync, &connections] {
            command.args(["-c", setting]);
        }
        for setting in settings {
            command.args(["-c", setting]);
        }
        Ok(command)
    }
}

/// Writes an ACL file, and returns the arguments that give it to Redis.
fn acl_file(folder: &Path, default: &str, users: &str) -> anyhow::Result<[String; 2]> {
    let file = folder.join("redis.acl");
    std::fs::write(&file, format!("{default}\n{users}"))
        .with_context(|| format!("failed to write {}", file.display()))?;
    Ok(["--aclfile".to_owned(), file.display().to_string()])
}

/// Makes an empty cluster of PostgreSQL in a folder that is there.
///
/// # Errors
/// When initdb fails.
pub fn initdb(programs: &Programs, folder: &Path) -> anyhow::Result<()> {
    give_to_postgres(folder)?;
    let mut initdb = as_postgres(programs, "initdb")?;
    initdb.args(["--username=urna", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]);
    initdb.arg("--pgdata").arg(folder);
    let made = initdb.output().with_context(|| format!("failed to start {:?}", initdb.get_program()))?;
    ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// PostgreSQL refuses to run as root: there it runs as the system's user for it.
fn as_postgres(programs: &Programs, tool: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(programs.postgres.join(tool));
    command.current_dir("/").env("LC_ALL", "C");
    if geteuid().is_root() {
        let user = postgres_user()?;
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    Ok(command)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The shipped configuration, without the shipped users: the caller brings its own.
fn configured(configuration: &str, durability: Durability) -> String {
    let configuration = configuration.replace(USERS, "");
    match durability {
        Durability::Synced => configuration,
        Durability::Unsynced => configuration.replace(SYNCED, ""),
    }
}

fn postgres_user() -> anyhow::Result<User> {
    let user = User::from_name("postgres").ok().flatten();
    user.context("PostgreSQL does not run as root, and there is no user postgres")
}

fn give_file_to_postgres(file: &Path) -> anyhow::Result<()> {
    if geteuid().is_root() {
        let user = postgres_user()?;
        chown(file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    set_permissions(file, PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// The folder belongs to whom PostgreSQL runs as.
fn give_to_postgres(folder: &Path) -> anyhow::Result<()> {
    if geteuid().is_root() {
        let user = postgres_user()?;
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        set_permissions(folder, PermissionsExt::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nats_waits_for_the_disk_unless_told_otherwise() {
        for configuration in [LOCAL, CLUSTER] {
            assert!(configured(configuration, Durability::Synced).contains(SYNCED));
            assert!(!configured(configuration, Durability::Unsynced).contains("sync_interval"));
            assert!(configuration.contains(USERS), "it limits who may do what");
            assert_eq!(configuration.contains(ROUTES), configuration == CLUSTER);
            assert!(
                !configured(configuration, Durability::Synced).contains(USERS),
                "the caller's users replace ours"
            );
        }
    }
}
