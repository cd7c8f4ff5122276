//! Real servers and real processes, each on a port of its own and gone with its test.

use std::fs::{File, set_permissions};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

/// Ports that no system gives to outgoing connections: while a server is down, none can take its port.
const PORTS: Range<u16> = 20_000..32_000;

/// A port of loopback that was free a moment ago, and that this process gets only once.
pub fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Test binaries that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(977);
    let size = u32::from(PORTS.end - PORTS.start);
    for _ in 0..size {
        let offset = begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % size;
        let port = PORTS.start + u16::try_from(offset).expect("an offset below the number of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("loopback has no free port in {PORTS:?}");
}

/// A binary of the workspace. Tests lie in `target/<profile>/deps`, programs beside it in `target/<profile>`.
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it is");
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run `cargo build --workspace` first (make test does)"))
}

/// A program that `make test` has found, by the name of its variable.
#[expect(clippy::disallowed_methods, reason = "tests are told by `make test` where the servers are")]
pub fn program(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run `make test`, or first eval \"$(compose/local/servers paths)\"")
    })
}

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program that writes to `log`.
    pub fn start(command: Command, name: &str, log: &Path) -> Self {
        Self::start_telling(command, name, log, log)
    }

    /// Starts a program that writes its errors and its log to `log`, and what is for people to `told`.
    pub fn start_telling(mut command: Command, name: &str, log: &Path, told: &Path) -> Self {
        let open = |path| File::options().create(true).append(true).open(path).expect("a log can be opened");
        command.stdin(Stdio::null()).stdout(open(told)).stderr(open(log));
        let child = command.spawn().unwrap_or_else(|fault| panic!("failed to start {name}: {fault}"));
        Self { child, name: name.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal).unwrap_or_else(|fault| panic!("failed to signal {}: {fault}", self.name));
    }

    /// Sends a signal to it, and then to every process that it has started.
    pub fn signal_family(&self, signal: Signal) {
        self.signal(signal);
        for child in crate::memory::children_of(self.id()) {
            // It may have ended since.
            let _ = send(child, signal);
        }
    }

    /// Its resident memory in bytes; `None` when it is gone.
    pub fn memory(&self) -> Option<u64> {
        crate::memory::resident(self.id())
    }

    /// Kills it without warning and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits for its status.
    pub async fn stop(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(asked.elapsed() < within, "{} did not stop within {within:?}", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How it has ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

fn send(process: u32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(i32::try_from(process).expect("a process id is small")), signal)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server that can be killed and started again with the data it had.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    folder: PathBuf,
    /// Where it listens on loopback.
    pub port: u16,
    process: Option<Process>,
    is_paused: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Nats,
    /// A nats-server of a cluster: its name, where the others reach it, and all of these addresses.
    Node {
        name: String,
        port: u16,
        routes: String,
    },
    Postgres,
    Redis,
}

impl Server {
    /// A nats-server with JetStream, as configured for one machine.
    pub fn nats(folder: &Path) -> Self {
        Self::new(Kind::Nats, folder.join("nats"))
    }

    /// The nats-servers of a cluster on this machine, called `node-0` and so on.
    pub fn nats_cluster(folder: &Path, size: usize) -> Vec<Self> {
        let ports: Vec<u16> = (0..size).map(|_| free_port()).collect();
        let routes: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let routes = format!("[\"{}\"]", routes.join("\", \""));
        let node = |(number, port)| {
            let name = format!("node-{number}");
            let kind = Kind::Node { name: name.clone(), port, routes: routes.clone() };
            Self::new(kind, folder.join(name))
        };
        ports.into_iter().enumerate().map(node).collect()
    }

    /// A PostgreSQL with an empty cluster.
    pub fn postgres(folder: &Path) -> Self {
        let server = Self::new(Kind::Postgres, folder.join("postgres"));
        let mut initdb = as_postgres(&server.folder, "initdb");
        initdb.args([
            "--username=urna",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--no-locale",
            "--pgdata",
        ]);
        let made = initdb.arg(&server.folder).stdout(Stdio::null()).status().expect("initdb can be started");
        assert!(made.success(), "initdb failed");
        server
    }

    /// A Redis that is empty.
    pub fn redis(folder: &Path) -> Self {
        Self::new(Kind::Redis, folder.join("redis"))
    }

    fn new(kind: Kind, folder: PathBuf) -> Self {
        std::fs::create_dir(&folder).expect("the world's folder can be written to");
        let mut server = Self { kind, folder, port: free_port(), process: None, is_paused: false };
        if !matches!(server.kind, Kind::Postgres) {
            server.start();
        }
        server
    }

    /// Starts it. Returns before it answers.
    pub fn start(&mut self) {
        let log = self.folder.with_extension("log");
        let (name, command) = match &self.kind {
            Kind::Nats => ("nats-server", self.nats_command("local.conf")),
            Kind::Node { name, port, routes } => {
                let mut command = self.nats_command("cluster.conf");
                command.env("NATS_NAME", name).env("NATS_ROUTES", routes);
                command.env("NATS_CLUSTER_PORT", port.to_string());
                ("nats-server", command)
            }
            Kind::Postgres => ("postgres", self.postgres_command()),
            Kind::Redis => ("redis-server", self.redis_command()),
        };
        self.process = Some(Process::start(command, name, &log));
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

    /// Whether it was started and neither killed nor paused since.
    pub fn is_up(&self) -> bool {
        self.process.is_some() && !self.is_paused
    }

    /// Its resident memory in bytes; `None` when it is gone.
    pub fn memory(&self) -> Option<u64> {
        self.process.as_ref()?.memory()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    fn nats_command(&self, configuration: &str) -> Command {
        let mut command = Command::new(program("NATS_SERVER"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nats/server");
        command
            .arg("-c")
            .arg(folder.join(configuration))
            .env("NATS_PORT", self.port.to_string())
            .env("NATS_MONITOR", "\"127.0.0.1:0\"")
            .env("NATS_STORE", format!("\"{}\"", self.folder.display()));
        command
    }

    fn redis_command(&self) -> Command {
        let mut command = Command::new(program("REDIS_SERVER"));
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &self.port.to_string(),
            "--save",
            "",
            "--appendonly",
            "yes",
            "--dir",
        ]);
        command.arg(&self.folder);
        command
    }

    fn postgres_command(&self) -> Command {
        let mut command = as_postgres(&self.folder, "postgres");
        // fsync protects from power cuts, which no test causes.
        let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        command.arg("-D").arg(&self.folder).arg("-p").arg(self.port.to_string());
        for setting in settings {
            command.args(["-c", setting]);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// PostgreSQL refuses to run as root: there it runs as the system's user for it, who gets the folder.
fn as_postgres(folder: &Path, tool: &str) -> Command {
    let mut command = Command::new(Path::new(&program("POSTGRES_BIN")).join(tool));
    command.current_dir("/").env("LC_ALL", "C");
    if geteuid().is_root() {
        let user = User::from_name("postgres").ok().flatten().expect("there is a user postgres");
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root can give a folder away");
        set_permissions(folder, PermissionsExt::from_mode(0o700)).expect("a folder's mode can be set");
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}
