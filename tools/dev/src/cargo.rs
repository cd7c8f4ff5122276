//! Building, in such a way that little of it is done twice.
//!
//! It is the same build as the one of `make test`: the whole workspace decides about the features of dependencies, and no
//! flag differs, so both find what the other has built. mold takes over from the linker of each build it starts, without
//! a flag. Where there is none, the linker is rustc's choice: LLD on x86-64 Linux, and on macOS that of Apple.

use std::path::Path;

use anyhow::Context;
use tokio::process::Command;

/// A linker that is faster than any other.
const MOLD: &str = "mold";
/// What is built.
const BUILD: [&str; 4] = ["build", "--workspace", "--bin", "urna"];

/// Builds the program, and says whether that went well. cargo tells the developer what is wrong.
///
/// # Errors
/// When cargo cannot be started.
pub async fn build(target_dir: &Path) -> anyhow::Result<bool> {
    let mut command = Command::new("cargo");
    if mold_runs().await {
        command = Command::new(MOLD);
        command.args(["-run", "cargo"]);
    }
    command.args(BUILD).env("CARGO_TARGET_DIR", target_dir).kill_on_drop(true);
    let status = command.status().await.context("failed to start cargo")?;
    Ok(status.success())
}

/// Whether mold is here, with all it needs to take over from another linker.
async fn mold_runs() -> bool {
    let tried = Command::new(MOLD).args(["-run", "true"]).output().await;
    tried.is_ok_and(|tried| tried.status.success())
}
