//! The users of Redis: which commands each may use on which keys. Named for the actor that connects.
//!
//! Only `session` may write session records. The others look them up and extend them, and all that limit something share
//! the counters of limits. The tally has no user. The user `default` is off, so nobody may do anything without a password.
//!
//! One thing the rules of Redis cannot say: `EXPIRE` only with `GT`. So an actor that looks sessions up could end one,
//! and never open one or change a role.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// A session's record, or the word that it has ended.
pub const SESSION: &str = "urna:session:*";
/// A person's sessions.
pub const SESSIONS: &str = "urna:sessions:*";
/// What was last said of an account.
pub const LOGIN: &str = "urna:login:*";
/// The counters of sign-ins.
pub const LIMITS_OF_LOGIN: &str = "urna:limit:logins_*";
/// The counters of registrations.
pub const LIMITS_OF_REGISTRATION: &str = "urna:limit:registrations_*";
/// The counters of votes.
pub const LIMITS_OF_VOTE: &str = "urna:limit:votes_*";
/// The counters of receipts that were looked up.
pub const LIMITS_OF_RECEIPT: &str = "urna:limit:receipts_*";

/// What a connection needs before it asks anything. `CLIENT SETINFO`, by which the client names itself, is not among them:
/// Redis 7.0 does not know it, and the client does without.
const CONNECTION: &[&str] = &["ping", "select"];
const LOOK_UP: Rule = Rule { keys: &[SESSION], commands: &["expire", "get"] };
/// How a limit is counted together.
const COUNT: &[&str] = &["expire", "hset", "hvals"];
const COUNT_LOGINS: Rule = Rule { keys: &[LIMITS_OF_LOGIN, LIMITS_OF_REGISTRATION], commands: COUNT };
const COUNT_VOTES: Rule = Rule { keys: &[LIMITS_OF_VOTE, LIMITS_OF_RECEIPT], commands: COUNT };

/// A user, and what the user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: &'static str,
    /// Commands without a key, by their names in lower case; a subcommand after a bar.
    pub commands: &'static [&'static str],
    /// What the user may do with keys.
    pub rules: &'static [Rule],
}

/// Commands that a user may use on keys of some patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The patterns. Every key of a command has to match one of them.
    pub keys: &'static [&'static str],
    /// The commands, by their names in lower case.
    pub commands: &'static [&'static str],
}

/// Every user that is an actor. The tally needs no Redis.
pub const ACTORS: [User; 5] = [
    User { name: "login", commands: CONNECTION, rules: &[LOOK_UP, COUNT_LOGINS] },
    visitor("result"),
    visitor("round"),
    User {
        name: "session",
        commands: &["exec", "multi", "ping", "select"],
        rules: &[
            LOOK_UP,
            Rule { keys: &[SESSION], commands: &["pttl", "set"] },
            Rule { keys: &[SESSIONS], commands: &["pexpire", "zadd", "zcard", "zrem", "zscan", "zscore"] },
            Rule { keys: &[LOGIN], commands: &["hget", "hmget", "hset", "pexpire"] },
            // Its scripts read what was said of an account and write it into the account's sessions. What a script
            // does is checked like what a client does.
            Rule { keys: &[LOGIN, SESSION], commands: &["eval"] },
        ],
    },
    User { name: "vote", commands: CONNECTION, rules: &[LOOK_UP, COUNT_VOTES] },
];

/// Nobody may do anything without a user.
const DEFAULT_USER: &str = "user default off resetpass resetkeys resetchannels -@all\n";

/// The user for people who administer Redis, who may do everything.
pub const OPERATOR: &str = "operator";

/// The names of all users.
pub fn names() -> impl Iterator<Item = &'static str> {
    ACTORS.iter().map(|user| user.name).chain([OPERATOR])
}

/// An actor that looks up who is signed in.
const fn visitor(name: &'static str) -> User {
    User { name, commands: CONNECTION, rules: &[LOOK_UP] }
}

impl User {
    /// Whether the user may use a command on a key that matches this pattern of the table.
    pub fn may(&self, command: &str, keys: &str) -> bool {
        let is_in = |commands: &[&str]| commands.contains(&command);
        is_in(self.commands)
            || self.rules.iter().any(|rule| is_in(rule.commands) && rule.keys.contains(&keys))
    }

    /// The user's line in an ACL file: `user`, the name, whether it is on, its password, and its rules.
    fn line(&self, secret: &str) -> String {
        let mut line = format!("user {} {secret} resetkeys resetchannels -@all", self.name);
        for command in self.commands {
            let _ = write!(line, " +{command}");
        }
        for rule in self.rules {
            let keys = rule.keys.iter().map(|keys| format!("~{keys}"));
            let commands = rule.commands.iter().map(|command| format!("+{command}"));
            let rule: Vec<String> = keys.chain(commands).collect();
            let _ = write!(line, " ({})", rule.join(" "));
        }
        line
    }
}

/// The content of Redis's ACL file, for its setting `aclfile`. `password_of` tells the password of a user by name; a user
/// without one is off. It holds no password, only their hashes.
pub fn acl_file<P: AsRef<str>>(password_of: impl Fn(&str) -> Option<P>) -> String {
    DEFAULT_USER.to_owned() + &acl_users(password_of)
}

/// The same without the line about the user `default`, for a server whose default user is somebody else's.
pub fn acl_users<P: AsRef<str>>(password_of: impl Fn(&str) -> Option<P>) -> String {
    users(|user| secret(password_of(user).as_ref().map(AsRef::as_ref)))
}

/// The same with the name of a variable in the place of each password: `compose/local/redis.acl` is generated from it.
pub fn acl_template() -> String {
    DEFAULT_USER.to_owned() + &users(|user| format!("on >${}", password_variable(user)))
}

/// The variable that stands for the password of a user in [`acl_template`].
pub fn password_variable(user: &str) -> String {
    format!("REDIS_PASSWORD_{}", user.to_uppercase())
}

fn users(secret_of: impl Fn(&str) -> String) -> String {
    let mut lines = String::new();
    for user in ACTORS {
        let _ = writeln!(lines, "{}", user.line(&secret_of(user.name)));
    }
    let _ = writeln!(lines, "user {OPERATOR} {} allkeys allchannels +@all", secret_of(OPERATOR));
    lines
}

/// Whether the user is on, and the hash of the password.
fn secret(password: Option<&str>) -> String {
    let Some(password) = password else { return "off resetpass".to_owned() };
    let hash = Sha256::digest(password.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("on #{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
user default off resetpass resetkeys resetchannels -@all
user login off resetpass resetkeys resetchannels -@all +ping +select (~urna:session:* +expire +get) (~urna:limit:logins_* ~urna:limit:registrations_* +expire +hset +hvals)
user result off resetpass resetkeys resetchannels -@all +ping +select (~urna:session:* +expire +get)
user round off resetpass resetkeys resetchannels -@all +ping +select (~urna:session:* +expire +get)
user session off resetpass resetkeys resetchannels -@all +exec +multi +ping +select (~urna:session:* +expire +get) (~urna:session:* +pttl +set) (~urna:sessions:* +pexpire +zadd +zcard +zrem +zscan +zscore) (~urna:login:* +hget +hmget +hset +pexpire) (~urna:login:* ~urna:session:* +eval)
user vote on #5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 resetkeys resetchannels -@all +ping +select (~urna:session:* +expire +get) (~urna:limit:votes_* ~urna:limit:receipts_* +expire +hset +hvals)
user operator off resetpass allkeys allchannels +@all
";

    #[test]
    fn the_local_servers_users_are_those_of_the_table() {
        let kept = include_str!("../../compose/local/redis.acl");
        assert!(acl_template() == kept, "write what acl_template() returns into compose/local/redis.acl");
    }

    #[test]
    fn the_acl_file_is_as_the_table_says_and_holds_no_password() {
        let file = acl_file(|user| (user == "vote").then_some("password"));
        assert_eq!(file, FILE);
    }

    #[test]
    fn only_the_session_actor_may_write_session_records() {
        for user in ACTORS.iter().filter(|user| user.name != "session") {
            for command in ["set", "hset", "eval", "zadd", "del", "rename", "restore", "getset"] {
                for keys in [SESSION, SESSIONS, LOGIN] {
                    assert!(!user.may(command, keys), "{} {command} {keys}", user.name);
                }
            }
            assert!(user.may("get", SESSION) && user.may("expire", SESSION) && !user.may("get", SESSIONS));
        }
        assert!(ACTORS[3].may("set", SESSION) && !ACTORS[3].may("set", LIMITS_OF_VOTE));
    }
}
