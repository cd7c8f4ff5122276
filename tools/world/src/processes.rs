//! The processes of a world: starting them, harming them, and what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use urna_servers::{Process, free_port};

use crate::gateway::{Gateway, Ports};
use crate::programs::binary;
use crate::running::{Part, Running};
use crate::shape::{ACTORS, is_apart};
use crate::world::{ADMIN_PASSWORD, SECRET, World, eventually};

/// So many of everything in a minute: limits are kept, and no test reaches them that does not want to.
const LIMIT: &str = "1000000";
/// The limits.
const LIMITS: [&str; 7] = [
    "URNA_LIMIT_LOGINS_BY_ADDRESS",
    "URNA_LIMIT_LOGINS_BY_ACCOUNT",
    "URNA_LIMIT_REGISTRATIONS_BY_ADDRESS",
    "URNA_LIMIT_REGISTRATIONS_BY_EMAIL",
    "URNA_LIMIT_VOTES_BY_ADDRESS",
    "URNA_LIMIT_VOTES_BY_VOTER",
    "URNA_LIMIT_RECEIPTS_BY_ADDRESS",
];

impl World {
    /// Starts a process by the name of its binary, and waits until it is ready.
    pub async fn start(&mut self, name: &str) {
        self.start_as(name, name, &[]).await;
    }

    /// Starts a process under another name, so that there can be two, with settings of its own. An empty one takes back
    /// what every process of a world is given.
    pub async fn start_as(&mut self, name: &str, program: &str, settings: &[(&str, &str)]) {
        self.launch(name, program, settings);
        self.ready(name).await;
    }

    /// Starts a process and does not wait.
    pub fn launch(&mut self, name: &str, program: &str, settings: &[(&str, &str)]) {
        let port = self.processes.get(name).map_or_else(free_port, |running| running.port);
        // What is left of it from before listens there.
        self.processes.remove(name);
        let running = if is_apart(program) {
            self.apart(name, settings, port)
        } else {
            let command = self.command(program, &self.credentials(), settings, port);
            Running { port, parts: vec![self.part(program, command, name)], gateway: None }
        };
        self.processes.insert(name.to_owned(), running);
    }

    /// One process for each actor, with the credentials of that actor alone, behind one address.
    fn apart(&self, name: &str, settings: &[(&str, &str)], port: u16) -> Running {
        let ports: Ports = ACTORS.map(|actor| (actor, free_port())).into();
        let mut parts = Vec::new();
        for (actor, port) in &ports {
            let credentials = self.credentials_of(actor).expect("a folder of credentials can be copied");
            let command = self.command(actor, &credentials, settings, *port);
            parts.push(self.part(actor, command, &part_name(name, actor)));
        }
        Running { port, parts, gateway: Some(Gateway::on(port, ports)) }
    }

    fn command(&self, program: &str, credentials: &Path, settings: &[(&str, &str)], port: u16) -> Command {
        let mut command = Command::new(binary(program));
        command
            .envs(self.addresses())
            .env("URNA_CREDENTIALS", credentials)
            .env("URNA_SECRET", SECRET)
            .env("URNA_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .envs(LIMITS.map(|limit| (limit, LIMIT)))
            .env("URNA_HTTP_ADDR", format!("127.0.0.1:{port}"))
            .env("URNA_LOG", "debug,sqlx=warn,async_nats=warn")
            .envs(settings.iter().copied());
        for (without, _) in settings.iter().filter(|(_, value)| value.is_empty()) {
            command.env_remove(without);
        }
        command
    }

    fn part(&self, program: &str, command: Command, name: &str) -> Part {
        let process = Process::start_telling(command, name, &self.log_of(name), &self.told_by(name));
        Part { program: program.to_owned(), process: process.expect("our own can be started") }
    }

    pub(crate) fn log_of(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.log"))
    }

    fn told_by(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.told"))
    }

    /// The names of the processes behind a name, by which their logs are called.
    pub(crate) fn part_names(&self, name: &str) -> Vec<String> {
        match self.processes.get(name) {
            Some(Running { parts, .. }) if parts.len() > 1 => {
                parts.iter().map(|part| part_name(name, &part.program)).collect()
            }
            _ => vec![name.to_owned()],
        }
    }

    /// Waits until a process can do its work: it knows the demonstration round, if it serves it, and is healthy.
    pub async fn ready(&self, name: &str) {
        let running = &self.processes[name];
        for part in &running.parts {
            let page = match part.program.as_str() {
                "urna" | "vote" => "/vote/demo",
                "result" => "/result/demo",
                _ => "/live",
            };
            let page = format!("{}{page}", self.address(name));
            eventually(&format!("{name} knows the round"), || async {
                (reqwest::get(&page).await.ok()?.status() == 200).then_some(())
            })
            .await;
        }
        let health = format!("{}/health", self.address(name));
        eventually(&format!("{name} is ready"), || async {
            let answer = reqwest::get(&health).await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
    }

    /// Where a process is.
    pub fn address(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.processes[name].port)
    }

    /// Kills a process without warning; it keeps its port.
    pub fn kill(&mut self, name: &str) {
        self.running(name).kill();
    }

    /// Pauses a process.
    pub fn pause(&mut self, name: &str) {
        self.running(name).signal(Signal::SIGSTOP);
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self, name: &str) {
        self.running(name).signal(Signal::SIGCONT);
    }

    /// Waits until a process has ended by itself.
    pub async fn ended(&mut self, name: &str) {
        eventually(&format!("{name} has ended"), || {
            let ended = !self.running(name).is_running();
            async move { ended.then_some(()) }
        })
        .await;
    }

    /// The process behind a name.
    pub fn running(&mut self, name: &str) -> &mut Running {
        self.processes.get_mut(name).expect("the process was started")
    }

    /// The resident memory of a process in bytes; `None` when it is gone.
    pub fn memory(&self, name: &str) -> Option<u64> {
        self.processes.get(name)?.memory()
    }

    /// Whether one of the processes that are there counts ballots.
    pub fn runs_a_tally(&self) -> bool {
        self.processes.values().any(Running::counts)
    }

    /// Everything that a process has logged. Of several processes, each line begins with the name of its process.
    pub fn log(&self, name: &str) -> String {
        let names = self.part_names(name);
        let logs = names.iter().map(|name| (name, read(&self.log_of(name))));
        if names.len() == 1 {
            return logs.map(|(_, log)| log).collect();
        }
        logs.map(|(name, log)| log.lines().map(|line| format!("{name}: {line}\n")).collect::<String>())
            .collect()
    }

    /// Everything that a process has told people on its standard output.
    pub fn told(&self, name: &str) -> String {
        self.part_names(name).iter().map(|name| read(&self.told_by(name))).collect()
    }
}

/// The name of the process of one actor, where each has its own.
fn part_name(name: &str, actor: &str) -> String {
    format!("{name}-{actor}")
}

/// What is in a file; nothing if it is not there.
pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}
