//! The process `tally`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Tally)
}
