//! The process `vote`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Vote)
}
