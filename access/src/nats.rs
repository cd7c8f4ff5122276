//! The accounts and users, as nats-server's configuration has them.

use crate::permissions::{self, Permissions};
use crate::user::{ServerAccount, User};

/// What the server's file says of itself.
const HEAD: &str = "\
# Who may do what on the NATS server. Generated from the table in access/src/permissions.rs: change the table, then run
# `urna permissions nats >nats/server/secure.conf`. A test compares the two.
#
# Every password is an environment variable of nats-server. compose/local/servers makes them up and sets them.
";

/// How accounts are called in one configuration, and how users prove who they are.
pub trait Naming {
    /// The name of an account.
    fn account(&self, account: ServerAccount) -> String;
    /// The settings by which the server knows a user: a name and a password, or a public key.
    fn identity(&self, user: User) -> String;
    /// Users that no table is about, each as the settings of one.
    fn more_users(&self, _account: ServerAccount) -> Vec<String> {
        Vec::new()
    }
}

/// The names as they are, and passwords from environment variables.
#[derive(Clone, Copy, Debug)]
pub struct FromEnvironment;

impl Naming for FromEnvironment {
    fn account(&self, account: ServerAccount) -> String {
        account.name().to_owned()
    }

    fn identity(&self, user: User) -> String {
        format!("user: \"{}\", password: ${}", user.name(), user.password_variable())
    }
}

/// The file `nats/server/secure.conf`.
pub fn secure_conf() -> String {
    let system = ServerAccount::System.name();
    format!(
        "{HEAD}\naccounts {{\n{}}}\n\nsystem_account: {system}\n",
        accounts(&FromEnvironment, &ServerAccount::ALL)
    )
}

/// The accounts with their users, for the block `accounts` of a configuration.
pub fn accounts(naming: &impl Naming, accounts: &[ServerAccount]) -> String {
    accounts.iter().map(|account| block(naming, *account)).collect()
}

fn block(naming: &impl Naming, account: ServerAccount) -> String {
    let mut block = format!("  {} {{\n", naming.account(account));
    if account.has_jetstream() {
        block += "    jetstream: enabled\n";
    }
    for (list, lines) in [("exports", exports(naming, account)), ("imports", imports(naming, account))] {
        if !lines.is_empty() {
            line(&mut block, &format!("    {list}: ["));
            lines.iter().for_each(|item| line(&mut block, &format!("      {{ {item} }}")));
            block += "    ]\n";
        }
    }
    block += "    users: [\n";
    for user in User::ALL.into_iter().filter(|user| user.account() == account) {
        block += &user_block(naming, user);
    }
    for user in naming.more_users(account) {
        line(&mut block, &format!("      {{ {user} }}"));
    }
    block + "    ]\n  }\n"
}

/// What an account lets others see: requests, and messages as they are published.
fn exports(naming: &impl Naming, account: ServerAccount) -> Vec<String> {
    let to = |to| format!("accounts: [\"{}\"]", naming.account(to));
    let mut lines = Vec::new();
    if let Some(onlookers) = onlookers_of(account) {
        let to = to(onlookers);
        lines.push(format!("service: \"$JS.API.>\", response_type: stream, {to}"));
        lines.push(format!("service: \"$JS.FC.>\", {to}"));
        lines.extend(watched_by(onlookers).iter().map(|stream| format!("stream: \"{stream}\", {to}")));
    }
    if let Some(asking) = asking(account) {
        lines.push(format!("service: \"$SRV.>\", response_type: stream, {}", to(asking)));
    }
    lines
}

fn imports(naming: &impl Naming, account: ServerAccount) -> Vec<String> {
    let of = |kind: &str, from, subject: &str| {
        format!("{kind}: {{ account: \"{}\", subject: \"{subject}\" }}", naming.account(from))
    };
    let mut lines = Vec::new();
    for from in ServerAccount::ALL {
        if onlookers_of(from) == Some(account) {
            lines.push(format!("{}, to: \"{}.>\"", of("service", from, "$JS.API.>"), account.api_prefix()));
            lines.push(of("service", from, "$JS.FC.>"));
            lines.extend(watched_by(account).iter().map(|stream| of("stream", from, stream)));
        }
        if asking(from) == Some(account) {
            lines.push(of("service", from, "$SRV.>"));
        }
    }
    lines
}

/// The account of the people who look at what an account stores.
fn onlookers_of(account: ServerAccount) -> Option<ServerAccount> {
    match account {
        ServerAccount::Elections => Some(ServerAccount::Audit),
        ServerAccount::People => Some(ServerAccount::Support),
        _ => None,
    }
}

/// The account that may ask the processes of an account for their entries in the service registry. One `nats micro ls` of
/// an auditor finds the processes of both accounts.
fn asking(account: ServerAccount) -> Option<ServerAccount> {
    match account {
        ServerAccount::People => Some(ServerAccount::Elections),
        ServerAccount::Elections => Some(ServerAccount::Audit),
        _ => None,
    }
}

/// What the users of an account may receive: messages as they are published, and what is delivered to their own inboxes.
fn watched_by(account: ServerAccount) -> Vec<String> {
    let users = User::ALL.into_iter().filter(|user| user.account() == account);
    let mut watched = Vec::new();
    for subject in users.filter_map(permissions::of).flat_map(|permissions| permissions.subscribe) {
        if !watched.contains(&subject) {
            watched.push(subject);
        }
    }
    watched
}

fn user_block(naming: &impl Naming, user: User) -> String {
    let begin = format!("      {{ {}", naming.identity(user));
    let Some(Permissions { publish, publish_denied, subscribe, responds }) = permissions::of(user) else {
        return begin + " }\n";
    };
    let mut block = begin + ", permissions {\n";
    line(&mut block, "        publish {");
    list(&mut block, "allow", &publish);
    list(&mut block, "deny", &publish_denied);
    line(&mut block, "        }");
    line(&mut block, "        subscribe {");
    list(&mut block, "allow", &subscribe);
    line(&mut block, "        }");
    if responds {
        block += "        allow_responses: true\n";
    }
    block + "      } }\n"
}

/// A list of subjects. An empty list is left out where it denies, and written where it allows: without it everything would be
/// allowed.
fn list(block: &mut String, verb: &str, subjects: &[String]) {
    if subjects.is_empty() && verb == "deny" {
        return;
    }
    line(block, &format!("          {verb}: ["));
    subjects.iter().for_each(|subject| line(block, &format!("            \"{subject}\"")));
    line(block, "          ]");
}

fn line(block: &mut String, text: &str) {
    block.push_str(text);
    block.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_file_is_the_one_generated_from_the_table() {
        let kept = include_str!("../../nats/server/secure.conf");
        assert!(secure_conf() == kept, "run `urna permissions nats >nats/server/secure.conf`");
    }

    #[test]
    fn no_two_users_have_the_same_name_or_password() {
        for (index, user) in User::ALL.iter().enumerate() {
            assert!(User::ALL[..index].iter().all(|other| other.name() != user.name()));
            assert!(
                User::ALL[..index].iter().all(|other| other.password_variable() != user.password_variable())
            );
        }
    }
}
