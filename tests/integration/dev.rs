//! What `make dev` runs, on a workspace of a test's own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;
use urna_servers::Process;
use urna_world::{binary, eventually};

const MANIFEST: &str = "[workspace]\n[package]\nname = \"urna\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// A program that writes `word` and its process id to a file, and stays.
fn program(word: &str) -> String {
    let said = format!("format!(\"{word} {{}}\", std::process::id())");
    format!("fn main() {{ std::fs::write(\"said\", {said}).unwrap(); loop {{ std::thread::park() }} }}\n")
}

/// A workspace with a program `urna`, and the process that follows it.
struct Workspace {
    folder: TempDir,
    dev: Process,
}

impl Workspace {
    fn with(source: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::create_dir(folder.path().join("src")).expect("a folder can be made");
        std::fs::write(folder.path().join("Cargo.toml"), MANIFEST).expect("a file can be written");
        std::fs::write(folder.path().join("src/main.rs"), source).expect("a file can be written");
        let mut command = Command::new(binary("urna-dev"));
        command.current_dir(folder.path()).env("CARGO_TARGET_DIR", folder.path().join("target"));
        let dev = Process::start(command, "urna-dev", &folder.path().join("log")).expect("it can be started");
        Self { folder, dev }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn is_changed_to(&self, source: &str) {
        std::fs::write(self.path("src/main.rs"), source).expect("a file can be written");
    }

    /// Waits until the program says this word, and returns its process.
    async fn says(&self, word: &str) -> Pid {
        eventually(&format!("the program says {word}"), || async {
            let said = std::fs::read_to_string(self.path("said")).ok()?;
            let process = said.strip_prefix(word)?.trim().parse().ok()?;
            Some(Pid::from_raw(process))
        })
        .await
    }

    async fn logs(&self, words: &str) {
        eventually(&format!("it logs {words}"), || async {
            std::fs::read_to_string(self.path("log")).ok()?.contains(words).then_some(())
        })
        .await;
    }
}

fn is_there(process: Pid) -> bool {
    kill(process, None).is_ok()
}

#[tokio::test]
async fn changed_rust_is_built_and_started_again_and_a_failed_build_stops_nothing() {
    let mut workspace = Workspace::with(&program("one"));
    let one = workspace.says("one").await;
    workspace.is_changed_to("fn main() {");
    workspace.logs("the build failed, and the process from before goes on").await;
    assert!(is_there(one));
    workspace.is_changed_to(&program("two"));
    let two = workspace.says("two").await;
    assert!(!is_there(one), "it was stopped before the next began");
    let status = workspace.dev.stop(STOPS_WITHIN).await.expect("it stops");
    assert!(status.success(), "{status}");
    assert!(!is_there(two), "nothing is left");
}
