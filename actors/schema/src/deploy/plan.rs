//! What differs between what is there and what should be, and the statements that change it. Pure.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::found::{Found, FoundRole, FoundSchema, Password};
use super::{Change, Difference, Rights, Role, Subject};

/// What a role is, beside that it can log in.
const PLAIN: &str = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls";

/// What differs, in the order in which it is changed.
pub(super) fn differences(found: &Found, roles: &[Role]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for role in roles {
        of_role(&mut differences, found.roles.get(role.name), role);
    }
    of_everybody(&mut differences, found);
    for role in roles {
        of_database(&mut differences, found, role);
    }
    for role in roles {
        match role.rights {
            Rights::Owner => of_schema(&mut differences, found.schemas.get(role.name), role.name, roles),
            Rights::Reader(schema) => {
                of_reader(&mut differences, found.schemas.get(schema), role.name, schema)
            }
        }
    }
    differences
}

/// Their statements. An administrator who is not a superuser acts for the owners, and has to be one of them meanwhile.
pub(super) fn statements(differences: &[Difference], roles: &[Role], is_superuser: bool) -> Vec<String> {
    let owners: Vec<&str> =
        roles.iter().filter(|role| role.rights == Rights::Owner).map(|role| role.name).collect();
    let creates_role = |statement: &String| statement.starts_with("create role");
    let all = || differences.iter().flat_map(|difference| difference.statements.iter().cloned());
    let mut statements: Vec<String> = all().filter(creates_role).collect();
    if !is_superuser {
        statements.extend(owners.iter().map(|owner| format!("grant {} to current_user", quoted(owner))));
    }
    statements.extend(all().filter(|statement| !creates_role(statement)));
    if !is_superuser {
        statements.extend(owners.iter().map(|owner| format!("revoke {} from current_user", quoted(owner))));
    }
    statements
}

fn of_role(differences: &mut Vec<Difference>, found: Option<&FoundRole>, role: &Role) {
    let (name, password) = (role.name, literal(role.password.expose_secret()));
    let subject = Subject::Role(name);
    let Some(found) = found else {
        let create = format!("create role {} {PLAIN} password {password}", quoted(name));
        differences.push(Difference::creation(subject, create));
        return;
    };
    let mut alter = |change: String, statement: String| {
        differences.push(Difference::alteration(subject.clone(), change, [statement]));
    };
    if !found.is_plain {
        alter("leave it only the right to log in".into(), format!("alter role {} {PLAIN}", quoted(name)));
    }
    for group in &found.member_of {
        // Postgres has quoted the group where that is needed.
        alter(format!("take it out of the role {group}"), format!("revoke {group} from {}", quoted(name)));
    }
    let set = format!("alter role {} password {password}", quoted(name));
    match found.password {
        Password::Wanted => {}
        Password::Another => alter("set the password".into(), set),
        unknown @ (Password::NotAsked | Password::NotTried) => {
            let what = match unknown {
                Password::NotAsked => "set the password (this server lets it in with any)",
                _ => "set the password (this server does not let it in from here)",
            };
            let set = Difference::alteration(subject, what, [set]);
            differences.push(Difference { can_be_seen: false, ..set });
        }
    }
}

fn of_everybody(differences: &mut Vec<Difference>, found: &Found) {
    let database = quoted(&found.database);
    if !found.everybody_database.is_empty() {
        let revoke = format!("revoke all on database {database} from public");
        differences.push(Difference::alteration(Subject::Database, "take it from everybody", [revoke]));
    }
    if !found.everybody_public.is_empty() {
        let revoke = "revoke all on schema public from public".to_owned();
        let what = "take the schema public from everybody";
        differences.push(Difference::alteration(Subject::Database, what, [revoke]));
    }
}

fn of_database(differences: &mut Vec<Difference>, found: &Found, role: &Role) {
    let (database, name) = (quoted(&found.database), quoted(role.name));
    let none = BTreeSet::new();
    let rights = found.roles.get(role.name).map_or(&none, |found| &found.database);
    if rights.iter().map(String::as_str).eq(["CONNECT"]) {
        return;
    }
    let what = format!("let it connect to the database {}, and no more", found.database);
    let statements = [
        format!("revoke all on database {database} from {name}"),
        format!("grant connect on database {database} to {name}"),
    ];
    differences.push(Difference::alteration(Subject::Role(role.name), what, statements));
}

fn of_schema(
    differences: &mut Vec<Difference>,
    found: Option<&FoundSchema>,
    name: &'static str,
    roles: &[Role],
) {
    let (owner, subject) = (quoted(name), Subject::Schema(name));
    let Some(found) = found else {
        let create = format!("create schema {owner} authorization {owner}");
        differences.push(Difference::creation(subject, create));
        return;
    };
    let mut alter = |change: String, statement: String| {
        differences.push(Difference::alteration(subject.clone(), change, [statement]));
    };
    if found.owner != name {
        alter(format!("give it to the role {name}"), format!("alter schema {owner} owner to {owner}"));
    }
    for (object, kind) in &found.foreign {
        let give = format!("alter {kind} {owner}.{} owner to {owner}", quoted(object));
        alter(format!("give its {kind} {object} to the role {name}"), give);
    }
    let is_reader = |role: &&Role| matches!(role.rights, Rights::Reader(schema) if schema == name);
    let readers: Vec<&str> = roles.iter().filter(is_reader).map(|role| role.name).collect();
    let may = |grants: &BTreeSet<(String, String)>, right: &str| -> BTreeSet<String> {
        let wrong = grants.iter().filter(|(who, what)| !(readers.contains(&who.as_str()) && what == right));
        wrong.map(|(who, _)| who.clone()).collect()
    };
    for who in may(&found.grants, "USAGE") {
        alter(format!("take it from {who}"), format!("revoke all on schema {owner} from {who}"));
    }
    for (table, grants) in &found.tables {
        for who in may(grants, "SELECT") {
            let revoke = format!("revoke all on {owner}.{} from {who}", quoted(table));
            alter(format!("take its table {table} from {who}"), revoke);
        }
    }
    for who in may(&found.default_grants, "SELECT") {
        let revoke = format!(
            "alter default privileges for role {owner} in schema {owner} revoke all on tables from {who}"
        );
        alter(format!("take its tables to come from {who}"), revoke);
    }
}

fn of_reader(
    differences: &mut Vec<Difference>,
    found: Option<&FoundSchema>,
    name: &'static str,
    schema: &str,
) {
    let (role, owner) = (quoted(name), quoted(schema));
    let has = |grants: &BTreeSet<(String, String)>, right: &str| {
        grants.contains(&(name.to_owned(), right.to_owned()))
    };
    let mut statements = Vec::new();
    if !found.is_some_and(|found| has(&found.grants, "USAGE")) {
        statements.push(format!("grant usage on schema {owner} to {role}"));
    }
    if found.is_some_and(|found| !found.tables.values().all(|grants| has(grants, "SELECT"))) {
        statements.push(format!("grant select on all tables in schema {owner} to {role}"));
    }
    if !found.is_some_and(|found| has(&found.default_grants, "SELECT")) {
        statements.push(format!(
            "alter default privileges for role {owner} in schema {owner} grant select on tables to {role}"
        ));
    }
    if !statements.is_empty() {
        let what = format!("let it read the schema {schema}");
        differences.push(Difference::alteration(Subject::Role(name), what, statements));
    }
}

impl Difference {
    fn creation(subject: Subject, statement: String) -> Self {
        Self { subject, change: Change::Create, statements: vec![statement], can_be_seen: true }
    }

    fn alteration(subject: Subject, what: impl Into<String>, statements: impl Into<Vec<String>>) -> Self {
        let (change, statements) = (Change::Alter(what.into()), statements.into());
        Self { subject, change, statements, can_be_seen: true }
    }
}

/// An identifier, in the form of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, in the form of SQL. The E form means the same whatever the server is set to.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
