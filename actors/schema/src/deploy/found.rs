//! What is there: roles, schemas, and who may do what with them.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{Connection, PgConnection, Row};

use super::{Rights, Role};
use crate::INSUFFICIENT_PRIVILEGE;

/// What Postgres says to a wrong password.
const INVALID_PASSWORD: &str = "28P01";

/// What is there of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub database: String,
    pub roles: BTreeMap<String, FoundRole>,
    pub schemas: BTreeMap<String, FoundSchema>,
    /// What everybody may do with the database.
    pub everybody_database: BTreeSet<String>,
    /// What everybody may do with the schema `public`.
    pub everybody_public: BTreeSet<String>,
}

/// A role.
#[derive(Debug, Default)]
pub(super) struct FoundRole {
    /// Whether it can log in, and has no other attribute.
    pub is_plain: bool,
    /// The roles it is a member of.
    pub member_of: Vec<String>,
    /// What it may do with the database by itself.
    pub database: BTreeSet<String>,
    pub password: Password,
}

/// What is known of a role's password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Password {
    /// It is the wanted one.
    Wanted,
    /// It is another one.
    Another,
    /// The server does not let this role in from here, such as without TLS, whatever the password.
    #[default]
    NotTried,
    /// The server lets this role in whatever the password.
    NotAsked,
}

/// A schema.
#[derive(Debug, Default)]
pub(super) struct FoundSchema {
    pub owner: String,
    /// The tables, views and sequences that another role owns, by the kind of it.
    pub foreign: Vec<(String, String)>,
    /// Who but its owner may do something with it.
    pub grants: BTreeSet<(String, String)>,
    /// The tables and views, with who but the owner may do what with each.
    pub tables: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Who but its owner will be able to do what with tables to come.
    pub default_grants: BTreeSet<(String, String)>,
}

impl Found {
    pub async fn read(
        connection: &mut PgConnection,
        admin: &PgConnectOptions,
        roles: &[Role],
    ) -> Result<Self, sqlx::Error> {
        let database: String =
            sqlx::query_scalar("select current_database()::text").fetch_one(&mut *connection).await?;
        let mut found = Self { database, ..Self::default() };
        for role in roles {
            if let Some(mut there) = role_of(connection, role.name).await? {
                there.password = password_of(admin, role).await;
                found.roles.insert(role.name.to_owned(), there);
            }
            if role.rights == Rights::Owner
                && let Some(there) = schema_of(connection, role.name).await?
            {
                found.schemas.insert(role.name.to_owned(), there);
            }
        }
        let everybody = sqlx::query_scalar(
            "select privilege_type from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
             where datname = current_database() and grantee = 0",
        );
        found.everybody_database = everybody.fetch_all(&mut *connection).await?.into_iter().collect();
        let everybody = sqlx::query_scalar(
            "select privilege_type from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
             where nspname = 'public' and grantee = 0",
        );
        found.everybody_public = everybody.fetch_all(&mut *connection).await?.into_iter().collect();
        Ok(found)
    }
}

async fn role_of(connection: &mut PgConnection, name: &str) -> Result<Option<FoundRole>, sqlx::Error> {
    let select = sqlx::query_scalar(
        "select rolcanlogin and not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)
         from pg_roles where rolname = $1",
    );
    let Some(is_plain) = select.bind(name).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let member_of = sqlx::query_scalar(
        "select roleid::regrole::text from pg_auth_members where member = $1::text::regrole order by 1",
    );
    let member_of = member_of.bind(name).fetch_all(&mut *connection).await?;
    let database = sqlx::query_scalar(
        "select privilege_type from pg_database, aclexplode(datacl)
         where datname = current_database() and grantee = $1::text::regrole",
    );
    let database = database.bind(name).fetch_all(&mut *connection).await?.into_iter().collect();
    Ok(Some(FoundRole { is_plain, member_of, database, password: Password::default() }))
}

/// Found by logging in, with the password and with another one.
async fn password_of(admin: &PgConnectOptions, role: &Role) -> Password {
    let options = admin.clone().username(role.name);
    let password = role.password.expose_secret();
    match try_to_log_in(&options.clone().password(password)).await {
        LogIn::WrongPassword => return Password::Another,
        LogIn::Refused => return Password::NotTried,
        LogIn::LetIn => {}
    }
    match try_to_log_in(&options.password(&format!("not {password}"))).await {
        LogIn::LetIn => Password::NotAsked,
        LogIn::WrongPassword | LogIn::Refused => Password::Wanted,
    }
}

enum LogIn {
    LetIn,
    WrongPassword,
    Refused,
}

async fn try_to_log_in(options: &PgConnectOptions) -> LogIn {
    let fault = match PgConnection::connect_with(options).await {
        Ok(connection) => {
            let _ = connection.close().await;
            return LogIn::LetIn;
        }
        Err(fault) => fault,
    };
    match crate::code_of(&fault).as_deref() {
        Some(INVALID_PASSWORD) => LogIn::WrongPassword,
        // It is who it says, and may not connect to this database.
        Some(INSUFFICIENT_PRIVILEGE) => LogIn::LetIn,
        _ => LogIn::Refused,
    }
}

async fn schema_of(connection: &mut PgConnection, name: &str) -> Result<Option<FoundSchema>, sqlx::Error> {
    let owner = sqlx::query_scalar("select nspowner::regrole::text from pg_namespace where nspname = $1");
    let Some(owner) = owner.bind(name).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let foreign = sqlx::query(
        "select relname::text as name, case relkind when 'S' then 'sequence' when 'v' then 'view'
             when 'm' then 'materialized view' else 'table' end as privilege
         from pg_class where relnamespace = $1::text::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
         and relowner::regrole::text <> $1
         and not exists (select from pg_depend where objid = pg_class.oid and deptype in ('a', 'i'))
         order by 1",
    );
    let foreign = pairs(foreign.bind(name).fetch_all(&mut *connection).await?)?;
    let grants = sqlx::query(
        "select case grantee when 0 then 'public' else grantee::regrole::text end as name,
             privilege_type as privilege
         from pg_namespace, aclexplode(nspacl) where nspname = $1 and grantee <> nspowner",
    );
    let grants = pairs(grants.bind(name).fetch_all(&mut *connection).await?)?.into_iter().collect();
    let default_grants = sqlx::query(
        "select case grantee when 0 then 'public' else grantee::regrole::text end as name,
             privilege_type as privilege
         from pg_default_acl, aclexplode(defaclacl)
         where defaclnamespace = $1::text::regnamespace and defaclobjtype = 'r' and grantee <> defaclrole
         and defaclrole::regrole::text = $1",
    );
    let default_grants = pairs(default_grants.bind(name).fetch_all(&mut *connection).await?)?;
    let tables = tables_of(connection, name).await?;
    Ok(Some(FoundSchema {
        owner,
        foreign,
        grants,
        tables,
        default_grants: default_grants.into_iter().collect(),
    }))
}

async fn tables_of(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<BTreeMap<String, BTreeSet<(String, String)>>, sqlx::Error> {
    let select = sqlx::query(
        "select relname::text as table,
             case grantee when 0 then 'public' else grantee::regrole::text end as name,
             privilege_type as privilege
         from pg_class left join lateral aclexplode(relacl) on grantee <> relowner
         where relnamespace = $1::text::regnamespace and relkind in ('r', 'p', 'v', 'm')",
    );
    let mut tables: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in select.bind(schema).fetch_all(connection).await? {
        let grants = tables.entry(row.try_get("table")?).or_default();
        if let Some(name) = row.try_get::<Option<String>, _>("name")? {
            grants.insert((name, row.try_get("privilege")?));
        }
    }
    Ok(tables)
}

fn pairs(rows: Vec<PgRow>) -> Result<Vec<(String, String)>, sqlx::Error> {
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("privilege")?))).collect()
}
