//! Why Postgres is unavailable, found from the types of its errors.

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use web::Unavailable;
use web::unavailable::is_known;

use crate::away::{Away, Cause};

/// What the error says, as far as its type does.
pub(crate) fn why(fault: &Away) -> Unavailable {
    match fault.cause() {
        Cause::NotDeployed => Unavailable::NotDeployed,
        Cause::StillDiffers(_) => Unavailable::PermissionMissing,
        Cause::Sqlx(fault) => of_sqlx(fault),
    }
}

/// Why no connection can be made, or `None` when one can.
pub(crate) async fn of_connecting(options: &PgConnectOptions) -> Option<Unavailable> {
    let Err(fault) = connect(options).await else { return None };
    let why = of_sqlx(&fault);
    let is_plain = matches!(options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow);
    let (host, port) = (options.get_host(), options.get_port());
    Some(match why {
        // Postgres has one code for a wrong password and for a connection that its rules do not let in.
        Unavailable::WrongCredentials if is_plain && is_let_in_over_tls(options).await => {
            Unavailable::ServerRequiresTls
        }
        Unavailable::Other if options.get_socket().is_none() && !is_known(host, port).await => {
            Unavailable::UnknownHost
        }
        why => why,
    })
}

/// Whether TLS makes a difference. Nothing is sent but the user's name.
async fn is_let_in_over_tls(options: &PgConnectOptions) -> bool {
    match connect(&options.clone().ssl_mode(PgSslMode::Require)).await {
        Ok(()) => true,
        Err(sqlx::Error::Tls(_)) => false,
        Err(fault) => of_sqlx(&fault) != Unavailable::WrongCredentials,
    }
}

async fn connect(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    PgConnection::connect_with(options).await?.close().await
}

fn of_sqlx(fault: &sqlx::Error) -> Unavailable {
    match fault {
        sqlx::Error::Io(fault) => Unavailable::of_io(fault),
        sqlx::Error::Tls(fault) => fault.downcast_ref().map_or(Unavailable::Other, Unavailable::of_tls),
        sqlx::Error::Database(fault) => of_code(fault.code().as_deref()),
        sqlx::Error::PoolTimedOut => Unavailable::NoAnswer,
        sqlx::Error::Migrate(fault) => match &**fault {
            MigrateError::Execute(fault) | MigrateError::ExecuteMigration(fault, _) => of_sqlx(fault),
            _ => Unavailable::Other,
        },
        _ => Unavailable::Other,
    }
}

/// By the codes of PostgreSQL's documentation, appendix A.
fn of_code(code: Option<&str>) -> Unavailable {
    match code {
        // invalid_password, invalid_authorization_specification
        Some("28P01" | "28000") => Unavailable::WrongCredentials,
        // insufficient_privilege
        Some("42501") => Unavailable::PermissionMissing,
        // invalid_catalog_name (no such database), invalid_schema_name, undefined_table
        Some("3D000" | "3F000" | "42P01") => Unavailable::NotDeployed,
        _ => Unavailable::Other,
    }
}
