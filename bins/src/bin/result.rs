//! The process `result`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Result)
}
