//! The process `session`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Session)
}
