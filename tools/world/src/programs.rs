//! Where programs are.

use std::path::PathBuf;

use urna_servers::Programs;

/// A binary of the workspace. Tests lie in `target/<profile>/deps`, programs beside it in `target/<profile>`.
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it is");
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run `cargo build --workspace` first (make test does)"))
}

/// A program that `make test` has found, by the name of its variable.
#[expect(clippy::disallowed_methods, reason = "tests are told by `make test` where the servers are")]
pub fn program(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run `make test`, or first eval \"$(compose/local/servers paths)\"")
    })
}

/// The servers' programs that `make test` has found.
pub fn programs() -> Programs {
    Programs {
        nats: program("NATS_SERVER").into(),
        postgres: program("POSTGRES_BIN").into(),
        redis: program("REDIS_SERVER").into(),
    }
}
