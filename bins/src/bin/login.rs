//! The process `login`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Login)
}
