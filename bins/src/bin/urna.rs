//! Every process in one.

use std::process::ExitCode;

fn main() -> ExitCode {
    bins::main(bins::Process::Urna)
}
