//! The process `round`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Round)
}
