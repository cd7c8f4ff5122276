//! docs/api.md: its commands are run, one after another, as somebody would who copies them.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use urna_world::{ADMIN, ADMIN_PASSWORD, World};

/// How long all of them may take.
const WITHIN: Duration = Duration::from_secs(120);

/// The commands: what stands indented by four blanks.
fn commands(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_commands_of_the_guide_do_what_it_says() {
    let world = World::with_urna().await;
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let guide = std::fs::read_to_string(guide).expect("the guide can be read");
    // The pipe shows a command that fails; curl fails for a refusal.
    let script = format!("set -euo pipefail\n{}\n", commands(&guide));
    let script =
        script.replace("curl -s", "curl --fail-with-body --retry 9 --retry-all-errors --retry-delay 1 -s");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(world.folder()).kill_on_drop(true);
    command.env("URNA", world.address("urna")).env("ADMIN", ADMIN).env("ADMIN_PASSWORD", ADMIN_PASSWORD);
    let output = tokio::time::timeout(WITHIN, command.output()).await.expect("they end in time");
    let output = output.expect("bash can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("\"results\":{\"Ann\":1,\"Bob\":0}"), "{said}");
    world.close().await;
}
