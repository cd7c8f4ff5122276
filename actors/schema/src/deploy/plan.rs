//! What differs between what is there and what should be, and the statements that change it. Pure.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::found::{Found, FoundRole, FoundSchema, Password};
use super::{Difference, Rights, Role};

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
    let Some(found) = found else {
        let create = format!("create role {} {PLAIN} password {password}", quoted(name));
        differences.push(Difference::new(format!("create the role {name}"), [create]));
        return;
    };
    if !found.is_plain {
        let alter = format!("alter role {} {PLAIN}", quoted(name));
        differences.push(Difference::new(format!("leave the role {name} only the right to log in"), [alter]));
    }
    for group in &found.member_of {
        // Postgres has quoted the group where that is needed.
        let revoke = format!("revoke {group} from {}", quoted(name));
        differences.push(Difference::new(format!("take the role {name} out of the role {group}"), [revoke]));
    }
    let set = format!("alter role {} password {password}", quoted(name));
    match found.password {
        Password::Wanted => {}
        Password::Another => {
            differences.push(Difference::new(format!("set the password of the role {name}"), [set]));
        }
        Password::NotAsked => {
            let what = format!("set the password of the role {name} (this server lets it in with any)");
            differences.push(Difference { can_be_seen: false, ..Difference::new(what, [set]) });
        }
    }
}

fn of_everybody(differences: &mut Vec<Difference>, found: &Found) {
    let database = quoted(&found.database);
    if !found.everybody_database.is_empty() {
        let what = format!("take every right on the database {} from everybody", found.database);
        differences.push(Difference::new(what, [format!("revoke all on database {database} from public")]));
    }
    if !found.everybody_public.is_empty() {
        let revoke = "revoke all on schema public from public".to_owned();
        differences.push(Difference::new("take every right on the schema public from everybody", [revoke]));
    }
}

fn of_database(differences: &mut Vec<Difference>, found: &Found, role: &Role) {
    let (database, name) = (quoted(&found.database), quoted(role.name));
    let none = BTreeSet::new();
    let rights = found.roles.get(role.name).map_or(&none, |found| &found.database);
    if rights.iter().map(String::as_str).eq(["CONNECT"]) {
        return;
    }
    let what =
        format!("let the role {} connect to the database {}, and nothing else", role.name, found.database);
    let statements = [
        format!("revoke all on database {database} from {name}"),
        format!("grant connect on database {database} to {name}"),
    ];
    differences.push(Difference::new(what, statements));
}

fn of_schema(differences: &mut Vec<Difference>, found: Option<&FoundSchema>, name: &str, roles: &[Role]) {
    let owner = quoted(name);
    let Some(found) = found else {
        let create = format!("create schema {owner} authorization {owner}");
        differences.push(Difference::new(format!("create the schema {name}"), [create]));
        return;
    };
    if found.owner != name {
        let alter = format!("alter schema {owner} owner to {owner}");
        differences.push(Difference::new(format!("give the schema {name} to the role {name}"), [alter]));
    }
    for (object, kind) in &found.foreign {
        let alter = format!("alter {kind} {owner}.{} owner to {owner}", quoted(object));
        differences
            .push(Difference::new(format!("give the {kind} {name}.{object} to the role {name}"), [alter]));
    }
    let is_reader = |role: &&Role| matches!(role.rights, Rights::Reader(schema) if schema == name);
    let readers: Vec<&str> = roles.iter().filter(is_reader).map(|role| role.name).collect();
    let may = |grants: &BTreeSet<(String, String)>, right: &str| -> BTreeSet<String> {
        let wrong = grants.iter().filter(|(who, what)| !(readers.contains(&who.as_str()) && what == right));
        wrong.map(|(who, _)| who.clone()).collect()
    };
    for who in may(&found.grants, "USAGE") {
        let revoke = format!("revoke all on schema {owner} from {who}");
        differences.push(Difference::new(format!("take the schema {name} from {who}"), [revoke]));
    }
    for (table, grants) in &found.tables {
        for who in may(grants, "SELECT") {
            let revoke = format!("revoke all on {owner}.{} from {who}", quoted(table));
            differences.push(Difference::new(format!("take {name}.{table} from {who}"), [revoke]));
        }
    }
    for who in may(&found.default_grants, "SELECT") {
        let revoke = format!(
            "alter default privileges for role {owner} in schema {owner} revoke all on tables from {who}"
        );
        differences.push(Difference::new(format!("take the tables to come in {name} from {who}"), [revoke]));
    }
}

fn of_reader(differences: &mut Vec<Difference>, found: Option<&FoundSchema>, name: &str, schema: &str) {
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
        differences
            .push(Difference::new(format!("let the role {name} read the schema {schema}"), statements));
    }
}

impl Difference {
    fn new(what: impl Into<String>, statements: impl Into<Vec<String>>) -> Self {
        Self { what: what.into(), statements: statements.into(), can_be_seen: true }
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
