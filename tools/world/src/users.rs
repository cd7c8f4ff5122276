//! The users of the nats-server that one scenario has to itself: those of the table of permissions, and two for the tests
//! themselves, which may do anything in one account each.

use std::collections::HashMap;
use std::path::Path;

use async_nats::ConnectOptions;
use nkeys::KeyPair;
use schema::deploy::{Rights, Role};
use secrecy::SecretString;
use urna_access::nats::{Naming, accounts};
use urna_access::{ServerAccount, User};

/// The password of every user of Redis and every role of PostgreSQL.
const PASSWORD: &str = "only-for-tests";
/// The roles of PostgreSQL, and what each may do.
const ROLES: [(&str, Rights); 4] = [
    ("login", Rights::Owner),
    ("round", Rights::Owner),
    ("tally", Rights::Owner),
    ("recount", Rights::Reader("tally")),
];
/// The accounts that a scenario has to itself. That of the system belongs to a whole server.
const OWN: [ServerAccount; 4] =
    [ServerAccount::Elections, ServerAccount::People, ServerAccount::Audit, ServerAccount::Support];

/// Everybody who may connect for one scenario, by the key each proves itself with.
pub(crate) struct Users {
    /// What the names of the accounts begin with.
    prefix: String,
    keys: HashMap<&'static str, KeyPair>,
    elections: KeyPair,
    people: KeyPair,
}

impl Users {
    /// With new keys.
    pub fn new(prefix: &str) -> Self {
        let keys = User::ALL.map(|user| (user.name(), KeyPair::new_user())).into();
        let (elections, people) = (KeyPair::new_user(), KeyPair::new_user());
        Self { prefix: prefix.to_owned(), keys, elections, people }
    }

    /// As the configuration of a nats-server has them: part of its block `accounts`.
    pub fn configuration(&self) -> String {
        accounts(self, &OWN)
    }

    /// As whom tests connect that may do anything in one account.
    pub fn everything_in(&self, account: ServerAccount) -> ConnectOptions {
        ConnectOptions::with_nkey(self.seed_of_everything_in(account))
    }

    /// The seed of the same.
    pub fn seed_of_everything_in(&self, account: ServerAccount) -> String {
        let key = if account == ServerAccount::People { &self.people } else { &self.elections };
        key.seed().expect("a key that was created has a seed")
    }

    /// As whom a user of the table connects.
    pub fn user(&self, user: User) -> ConnectOptions {
        let options = ConnectOptions::with_nkey(self.seed(user));
        options.custom_inbox_prefix(user.inbox_prefix())
    }

    /// Writes the folder of credentials that processes and commands read.
    pub fn write_to(&self, credentials: &Path) -> std::io::Result<()> {
        let redis: Vec<&str> = urna_access::redis::names().collect();
        let roles = ROLES.map(|(role, _)| role);
        for (server, users) in [("redis", &redis[..]), ("postgres", &roles)] {
            let part = credentials.join(server);
            std::fs::create_dir_all(&part)?;
            for user in users {
                std::fs::write(part.join(format!("{user}.password")), PASSWORD)?;
            }
        }
        let part = credentials.join("nats");
        std::fs::create_dir_all(&part)?;
        for user in User::ALL {
            std::fs::write(part.join(format!("{}.nk", user.name())), self.seed(user))?;
        }
        Ok(())
    }

    fn seed(&self, user: User) -> String {
        self.keys[user.name()].seed().expect("a key that was created has a seed")
    }
}

/// The users of Redis, as lines of its ACL file.
pub(crate) fn of_redis() -> String {
    urna_access::redis::acl_users(|_| Some(PASSWORD))
}

/// The roles of PostgreSQL.
pub(crate) fn roles() -> Vec<Role> {
    let password = || SecretString::from(PASSWORD);
    ROLES.map(|(name, rights)| Role { name, password: password(), rights }).into()
}

/// The configuration of a nats-server with the users of these scenarios.
pub(crate) fn configuration(scenarios: &[Users]) -> String {
    let system = ServerAccount::System.name();
    let accounts: String = scenarios.iter().map(Users::configuration).collect();
    format!("accounts {{\n{accounts}  {system} {{}}\n}}\nsystem_account: {system}\n")
}

impl Naming for Users {
    fn account(&self, account: ServerAccount) -> String {
        format!("{}{}", self.prefix, account.name())
    }

    fn identity(&self, user: User) -> String {
        format!("nkey: {}", self.keys[user.name()].public_key())
    }

    fn more_users(&self, account: ServerAccount) -> Vec<String> {
        let key = match account {
            ServerAccount::Elections => &self.elections,
            ServerAccount::People => &self.people,
            ServerAccount::Audit | ServerAccount::Support | ServerAccount::System => return Vec::new(),
        };
        vec![format!("nkey: {}", key.public_key())]
    }
}
