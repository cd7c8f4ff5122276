//! What each role may do in Postgres is what the table here says: tried, statement by statement, on every table there is.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use schema::deploy::{deploy, look};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use urna_servers::Server;
use urna_world::{house, programs};

use crate::unavailable::{administrator, folder, roles};

const ROLES: [&str; 4] = ["login", "recount", "round", "tally"];
const RULES: &str = "host all urna all trust\nhost all all all scram-sha-256\n";
/// What may be tried on a table.
const STATEMENTS: [&str; 9] =
    ["alter", "copy", "delete", "drop", "grant", "insert", "select", "truncate", "update"];

/// What a role may do with the tables of a schema.
fn may(role: &str, schema: &str) -> BTreeSet<&'static str> {
    match (role, schema) {
        ("login", "login") | ("round", "round") | ("tally", "tally") => STATEMENTS.into(),
        ("recount", "tally") => ["copy", "select"].into(),
        (_, "login" | "round" | "tally") => BTreeSet::new(),
        _ => panic!("a schema that this table does not have: {schema}"),
    }
}

struct Table {
    schema: String,
    name: String,
    column: String,
}

impl Table {
    fn statement(&self, kind: &str) -> String {
        let Self { schema, name, column } = self;
        let table = format!("{schema}.{name}");
        match kind {
            "alter" => format!("alter table {table} add column one_more int"),
            "copy" => format!("copy {table} to stdout"),
            "delete" => format!("delete from {table} where false"),
            "drop" => format!("drop table {table} cascade"),
            "grant" => format!("grant select on {table} to public"),
            "insert" => format!("insert into {table} select * from {table} where false"),
            "select" => format!("select from {table} limit 1"),
            "truncate" => format!("truncate {table} cascade"),
            "update" => format!("update {table} set {column} = {column} where false"),
            _ => unreachable!("a statement without words: {kind}"),
        }
    }
}

/// Whether Postgres lets a role do it. Nothing stays done.
async fn is_let(role: &mut PgConnection, statement: &str) -> bool {
    let mut transaction = role.begin().await.expect("a transaction");
    let done = transaction.execute(AssertSqlSafe(statement.to_owned())).await.map(|_| ());
    let is_let = match done {
        // Postgres only warns a role that may not give anything away.
        Ok(()) if statement.starts_with("grant") => {
            let given = "select exists (select from pg_class, aclexplode(relacl) where grantee = 0
                         and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))";
            sqlx::query_scalar(given).fetch_one(&mut *transaction).await.expect("an answer")
        }
        done => is_permitted(statement, done),
    };
    transaction.rollback().await.expect("rolled back");
    is_let
}

fn is_permitted(statement: &str, done: Result<(), sqlx::Error>) -> bool {
    let Err(fault) = done else { return true };
    let fault = fault.as_database_error().unwrap_or_else(|| panic!("{statement}: {fault}"));
    fault.code().as_deref() != Some("42501")
}

/// The same for `copy`, on a connection of its own: a refused copy leaves one in disorder.
async fn may_copy(options: &PgConnectOptions, statement: &str) -> bool {
    let mut connection = PgConnection::connect_with(options).await.expect("a connection");
    let copied = async {
        connection.copy_out_raw(statement).await?.try_for_each(|_| std::future::ready(Ok(()))).await
    };
    is_permitted(statement, copied.await)
}

async fn tables(administrator: &PgConnectOptions) -> Vec<Table> {
    let mut connection = PgConnection::connect_with(administrator).await.expect("a connection");
    let select = sqlx::query(
        "select relnamespace::regnamespace::text as schema, relname::text as name,
             (select attname::text from pg_attribute where attrelid = pg_class.oid and attnum > 0
              and attidentity = '' order by attnum limit 1) as column
         from pg_class where relkind in ('r', 'p', 'v', 'm', 'f')
         and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
         and not relnamespace::regnamespace::text like 'pg\\_%' order by 1, 2",
    );
    let rows = select.fetch_all(&mut connection).await.expect("the tables");
    rows.iter()
        .map(|row| Table { schema: row.get("schema"), name: row.get("name"), column: row.get("column") })
        .collect()
}

/// A server with roles and schemas, each schema migrated by the role that owns it.
async fn deployed(server: &Server) -> PgConnectOptions {
    let administrator = administrator(server).await;
    deploy(&administrator, &roles(PASSWORD)).await.expect("deployed");
    for name in ["login", "round", "tally"] {
        let options = administrator.clone().username(name).password(PASSWORD);
        let pool = PgPoolOptions::new().connect_lazy_with(options);
        let migrations = house().join("actors").join(name).join("migrations");
        let schema = schema::Schema::new(name, Migrator::new(migrations).await.expect("migrations"), pool);
        schema.pool().await.expect("migrated");
    }
    administrator
}

const PASSWORD: &str = "it's a \\ password";

#[tokio::test]
async fn each_role_may_do_what_the_table_says_and_nothing_else() {
    let folder = folder();
    let server = Server::postgres_with_rules(&programs(), folder.path(), RULES, None).unwrap();
    let administrator = deployed(&server).await;
    let tables = tables(&administrator).await;
    assert!(tables.len() >= 7, "the tables of three actors, and their migrations");
    for role in ROLES {
        let options = administrator.clone().username(role).password(PASSWORD);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        for table in &tables {
            let mut found = BTreeSet::new();
            for kind in STATEMENTS {
                let statement = table.statement(kind);
                let is_let = match kind {
                    "copy" => may_copy(&options, &statement).await,
                    _ => is_let(&mut connection, &statement).await,
                };
                if is_let {
                    found.insert(kind);
                }
            }
            assert_eq!(found, may(role, &table.schema), "{role} in {}.{}", table.schema, table.name);
        }
        for schema in ["login", "public", "round", "tally"] {
            let create = format!("create table {schema}.one_more (id int)");
            assert_eq!(is_let(&mut connection, &create).await, role == schema, "{role}: {create}");
            let drop = format!("drop schema {schema} cascade");
            assert_eq!(is_let(&mut connection, &drop).await, role == schema, "{role}: {drop}");
        }
        for never in [
            "create schema one_more",
            "create role one_more",
            "create temporary table one_more (id int)",
            "alter role tally createdb",
            "grant tally to recount",
            "set role urna",
            "copy (select 1) to program 'true'",
            "select pg_read_file('PG_VERSION')",
            "select rolpassword from pg_authid",
            "create extension file_fdw schema pg_catalog",
            "select pg_reload_conf()",
            "alter database postgres set work_mem = '1MB'",
        ] {
            assert!(!is_let(&mut connection, never).await, "{role}: {never}");
        }
        for outside_of_transactions in ["create database one_more", "alter system set work_mem = '1MB'"] {
            let done = connection.execute(outside_of_transactions).await.map(|_| ());
            assert!(!is_permitted(outside_of_transactions, done), "{role}: {outside_of_transactions}");
        }
    }
}

#[tokio::test]
async fn a_role_of_one_database_connects_to_no_other_that_is_deployed() {
    let folder = folder();
    let server = Server::postgres_with_rules(&programs(), folder.path(), RULES, None).unwrap();
    let administrator = deployed(&server).await;
    let mut connection = PgConnection::connect_with(&administrator).await.unwrap();
    connection.execute("create database another").await.unwrap();
    connection.execute("create role stranger login password 'secret'").await.unwrap();
    let stranger = administrator.clone().username("stranger").password("secret");
    assert!(PgConnection::connect_with(&stranger).await.is_err(), "the database is not everybody's");
    let another = administrator.clone().database("another");
    connection.execute("revoke connect on database another from public").await.unwrap();
    for role in ROLES {
        let options = another.clone().username(role).password(PASSWORD);
        let refused = PgConnection::connect_with(&options).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{role}");
    }
}

#[tokio::test]
async fn deploying_shows_what_it_would_do_does_it_and_then_has_nothing_to_do() {
    let folder = folder();
    let server = Server::postgres_with_rules(&programs(), folder.path(), RULES, None).unwrap();
    let administrator = administrator(&server).await;
    let shown = |differences: Vec<schema::deploy::Difference>| -> Vec<String> {
        differences.iter().map(ToString::to_string).collect()
    };
    let wanted = roles(PASSWORD);
    let first = look(&administrator, &wanted).await.unwrap();
    assert!(!format!("{first:?}").contains(PASSWORD));
    let first = shown(first);
    assert_eq!(first[0], "role login: create it");
    assert_eq!(shown(look(&administrator, &wanted).await.unwrap()), first, "looking has changed nothing");
    assert_eq!(shown(deploy(&administrator, &wanted).await.unwrap()), first);
    assert_eq!(shown(deploy(&administrator, &wanted).await.unwrap()), [""; 0]);

    let others = roles("another password");
    assert_eq!(shown(deploy(&administrator, &others).await.unwrap()).len(), 4, "a password for each");
    let mut connection = PgConnection::connect_with(&administrator).await.unwrap();
    for harm in [
        "grant create on schema public to public",
        "grant pg_read_all_data to login",
        "alter role round createdb",
        "create table tally.foreign_one (id int)",
        "grant usage on schema round to login",
        "grant create on database postgres to tally",
    ] {
        connection.execute(harm).await.unwrap();
        let found = shown(look(&administrator, &others).await.unwrap());
        assert!(!found.is_empty(), "{harm}");
        assert_eq!(shown(deploy(&administrator, &others).await.unwrap()), found, "{harm}");
        assert_eq!(shown(look(&administrator, &others).await.unwrap()), [""; 0], "{harm}");
    }
}

#[tokio::test]
async fn an_administrator_who_is_no_superuser_can_deploy_too() {
    let folder = folder();
    let server = Server::postgres_with_rules(&programs(), folder.path(), RULES, None).unwrap();
    let superuser = administrator(&server).await;
    let mut connection = PgConnection::connect_with(&superuser).await.unwrap();
    connection.execute("create role admin login createrole password 'secret'").await.unwrap();
    connection.execute("create database votes owner admin").await.unwrap();
    let admin = superuser.clone().username("admin").password("secret").database("votes");
    let wanted = roles(PASSWORD);
    // The schema public belongs to pg_database_owner, so to the admin as well.
    deploy(&admin, &wanted).await.unwrap();
    assert!(look(&admin, &wanted).await.unwrap().is_empty());
    let tally = admin.clone().username("tally").password(PASSWORD);
    let mut tally = PgConnection::connect_with(&tally).await.unwrap();
    tally.execute("create table tally.one (id int)").await.unwrap();
    let members =
        "select count(*) from pg_auth_members where roleid = 'tally'::regrole and member = 'admin'::regrole";
    let count: i64 = sqlx::query_scalar(members).fetch_one(&mut connection).await.unwrap();
    let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    // From version 16 on, whoever creates a role may give it away, and no more.
    assert_eq!(count, i64::from(version >= 160_000));
}
