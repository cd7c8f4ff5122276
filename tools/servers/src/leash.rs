//! What outlives no test: servers that a whole test binary shares.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context;

/// Reads process ids until its input ends, which is when this process ends, however it ends. Then stops those
/// processes, waits until they are gone, and removes the folder. A signal from the terminal is for the tests, not for it.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
processes=
while read -r process; do processes="$processes $process"; done
kill -INT $processes 2>/dev/null
for process in $processes; do
  tries=0
  while kill -0 "$process" 2>/dev/null && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
  kill -KILL "$process" 2>/dev/null
done
rm -rf "$1"
"#;

/// Stops processes and removes a folder when this process ends, even when it is killed.
#[derive(Debug)]
pub struct Leash {
    input: ChildStdin,
    _script: Child,
}

impl Leash {
    /// Watches over this folder.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn on(folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "leash"]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut script = command.spawn().context("failed to start a shell")?;
        let input = script.stdin.take().context("a shell has no input")?;
        Ok(Self { input, _script: script })
    }

    /// Watches over a process as well.
    ///
    /// # Errors
    /// When the shell has ended.
    pub fn hold(&mut self, process: u32) -> anyhow::Result<()> {
        writeln!(self.input, "{process}").context("failed to tell the shell of a process")
    }
}
