//! The users of a system's nats-server, with the permissions that Urna ships: what is measured is what people run.

use std::path::Path;

use anyhow::Context;
use urna_access::nats::{Naming, accounts};
use urna_access::{ServerAccount, User};

/// The password of every user of a server that lives for some minutes on loopback.
const PASSWORD: &str = "only-for-the-benchmark";

/// The roles of PostgreSQL that `urna deploy` creates.
const ROLES: [&str; 4] = ["login", "round", "tally", "recount"];

struct Users;

impl Naming for Users {
    fn account(&self, account: ServerAccount) -> String {
        account.name().to_owned()
    }

    fn identity(&self, user: User) -> String {
        format!("user: \"{}\", password: \"{PASSWORD}\"", user.name())
    }

    /// The benchmark itself, which writes logs of its own.
    fn more_users(&self, account: ServerAccount) -> Vec<String> {
        match account {
            ServerAccount::Elections => vec![format!("user: \"{BENCH}\", password: \"{PASSWORD}\"")],
            _ => Vec::new(),
        }
    }
}

/// As whom the benchmark itself connects.
pub const BENCH: &str = "bench";

/// How the benchmark itself connects.
pub fn bench() -> async_nats::ConnectOptions {
    async_nats::ConnectOptions::with_user_and_password(BENCH.to_owned(), PASSWORD.to_owned())
}

/// The configuration of a nats-server with these users.
pub fn configuration() -> String {
    let system = ServerAccount::System.name();
    format!("accounts {{\n{}}}\nsystem_account: {system}\n", accounts(&Users, &ServerAccount::ALL))
}

/// The users of Redis, as lines of its ACL file.
pub fn of_redis() -> String {
    urna_access::redis::acl_users(|_| Some(PASSWORD))
}

/// Writes the folder of credentials that Urna reads.
///
/// # Errors
/// When it cannot be written.
pub fn write_credentials(folder: &Path) -> anyhow::Result<()> {
    let nats = User::ALL.map(User::name);
    let redis: Vec<&str> = urna_access::redis::names().collect();
    for (server, users) in [("nats", &nats[..]), ("redis", &redis), ("postgres", &ROLES)] {
        let part = folder.join(server);
        std::fs::create_dir_all(&part).context("failed to make a folder of credentials")?;
        for user in users {
            std::fs::write(part.join(format!("{user}.password")), PASSWORD)
                .context("failed to write credentials")?;
        }
    }
    Ok(())
}
