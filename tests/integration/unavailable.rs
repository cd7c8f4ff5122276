//! Why Redis and Postgres are unavailable is found from real servers, and they are used again once they can be.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use redis::cmd;
use schema::deploy::{Rights, Role, deploy};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tally::store::Store;
use tempfile::TempDir;
use tokio::runtime::Handle;
use urna_servers::{Authority, Certificate, Process, Server, Validity, free_port};
use urna_world::{eventually, programs};
use web::{Redis, RedisClientCertificate, RedisCredentials, RedisSettings, RedisTls, Unavailable};

pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    // The user postgres must be able to pass through.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("permissions");
    folder
}

async fn ask(settings: &RedisSettings) -> Result<(), Unavailable> {
    Redis::with(settings, Handle::current()).expect("settings that can be used").check(cmd("PING")).await
}

fn as_user(url: &str, user: &str, password: &str) -> RedisSettings {
    let credentials = RedisCredentials { user: Some(user.to_owned()), password: password.into() };
    RedisSettings { credentials: Some(credentials), ..RedisSettings::new(url) }
}

fn trusting(url: &str, authority: &Authority) -> RedisSettings {
    let authorities = Some(std::fs::read(authority.file()).expect("a file"));
    RedisSettings { tls: RedisTls { authorities, client: None }, ..RedisSettings::new(url) }
}

#[tokio::test]
async fn redis_says_what_is_wrong_and_is_used_again_once_it_is_mended() {
    let folder = folder();
    let server = Server::redis_with(&programs(), folder.path(), Vec::new()).unwrap();
    let url = format!("redis://127.0.0.1:{}", server.port);
    let administrator = Redis::new(&url.clone().into(), Handle::current()).unwrap();
    eventually("redis answers", || async { administrator.check(cmd("PING")).await.ok() }).await;

    let ann = Redis::with(&as_user(&url, "ann", "secret"), Handle::current()).unwrap();
    assert_eq!(ann.check(cmd("PING")).await, Err(Unavailable::WrongCredentials), "there is no ann");
    let rules = ["SETUSER", "ann", "on", ">secret", "+@connection"];
    administrator.query::<()>(cmd("ACL").arg(&rules)).await.unwrap();
    assert_eq!(ann.check(cmd("PING")).await, Ok(()), "the same connection is made again");
    assert_eq!(ann.check(cmd("GET").arg("a")).await, Err(Unavailable::PermissionMissing));
    assert_eq!(ask(&as_user(&url, "ann", "wrong")).await, Err(Unavailable::WrongCredentials));

    let everybody = ["SETUSER", "default", "off"];
    administrator.query::<()>(cmd("ACL").arg(&everybody)).await.unwrap();
    assert_eq!(ask(&RedisSettings::new(url)).await, Err(Unavailable::WrongCredentials), "nobody by default");
    let nobody = RedisSettings::new(format!("redis://127.0.0.1:{}", free_port()));
    assert_eq!(ask(&nobody).await, Err(Unavailable::NoRoute));
    assert_eq!(ask(&RedisSettings::new("redis://nowhere.invalid")).await, Err(Unavailable::UnknownHost));
}

/// A Redis that speaks TLS alone, and asks for a client's certificate as it is told.
fn redis_with_tls(folder: &Path, own: &Certificate, authority: &Authority, clients: &str) -> Server {
    let folder = folder.join(format!("{clients}-{}", own.certificate.file_stem().expect("a name").display()));
    std::fs::create_dir(&folder).expect("a folder");
    let path = |path: &Path| path.display().to_string();
    let arguments = [
        ("--port", "0".to_owned()),
        ("--tls-port", "{port}".to_owned()),
        ("--tls-cert-file", path(&own.certificate)),
        ("--tls-key-file", path(&own.key)),
        ("--tls-ca-cert-file", path(&authority.file())),
        ("--tls-auth-clients", clients.to_owned()),
    ];
    let arguments = arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    Server::redis_with(&programs(), &folder, arguments).expect("redis starts")
}

async fn eventually_says(settings: &RedisSettings, expected: Result<(), Unavailable>) {
    let listens = |found| found != Err(Unavailable::NoRoute);
    let found = eventually("redis listens", || async { Some(ask(settings).await).filter(|it| listens(*it)) });
    assert_eq!(found.await, expected);
}

#[tokio::test]
async fn redis_is_verified_over_tls_and_told_what_is_wrong_with_it() {
    let folder = folder();
    let ours = Authority::new(&folder.path().join("ours")).unwrap();
    let another = Authority::new(&folder.path().join("another")).unwrap();
    let own = ours.certificate("localhost", Validity::Current).unwrap();
    let server = redis_with_tls(folder.path(), &own, &ours, "no");
    let url = |host: &str, port: u16| format!("rediss://{host}:{port}");
    let there = url("localhost", server.port);
    eventually_says(&trusting(&there, &ours), Ok(())).await;
    assert_eq!(ask(&trusting(&there, &another)).await, Err(Unavailable::UnknownAuthority));
    assert_eq!(ask(&RedisSettings::new(there)).await, Err(Unavailable::UnknownAuthority), "Mozilla's");
    let by_address = trusting(&url("127.0.0.1", server.port), &ours);
    assert_eq!(ask(&by_address).await, Err(Unavailable::CertificateForAnotherName));
    let plain = RedisSettings::new(format!("redis://localhost:{}", server.port));
    assert_eq!(ask(&plain).await, Err(Unavailable::ServerRequiresTls));

    let expired = ours.certificate("localhost", Validity::Expired).unwrap();
    let server = redis_with_tls(folder.path(), &expired, &ours, "no");
    let there = trusting(&url("localhost", server.port), &ours);
    eventually_says(&there, Err(Unavailable::CertificateExpired)).await;

    let server = redis_with_tls(folder.path(), &own, &ours, "yes");
    let without = trusting(&url("localhost", server.port), &ours);
    eventually_says(&without, Err(Unavailable::WrongCredentials)).await;
    let client = ours.certificate("client", Validity::Current).unwrap();
    let client = RedisClientCertificate {
        certificate: std::fs::read(client.certificate).unwrap(),
        key: std::fs::read_to_string(client.key).unwrap().into(),
    };
    let tls = RedisTls { client: Some(client), ..without.tls.clone() };
    assert_eq!(ask(&RedisSettings { tls, ..without }).await, Ok(()));
}

/// A Sentinel that follows the Redis of this port, and asks for the password `secret`.
fn sentinel(folder: &Path, follows: u16) -> (u16, Process) {
    let (port, configuration) = (free_port(), folder.join("sentinel.conf"));
    let lines = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nrequirepass secret\nsentinel monitor main 127.0.0.1 {follows} 1\n\
         sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n",
        folder.display(),
    );
    std::fs::write(&configuration, lines).expect("a file");
    let mut command = Command::new(programs().redis);
    command.arg(&configuration).arg("--sentinel");
    (port, Process::start(command, "sentinel", &folder.join("sentinel.log")).expect("a sentinel starts"))
}

#[tokio::test]
async fn redis_is_followed_to_another_server_by_its_sentinels() {
    let folder = folder();
    let [one, two] = ["one", "two"].map(|name| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    });
    let mut first = Server::redis_with(&programs(), &one, Vec::new()).unwrap();
    let copies = vec!["--replicaof".to_owned(), "127.0.0.1".to_owned(), first.port.to_string()];
    let _second = Server::redis_with(&programs(), &two, copies).unwrap();
    let replicated =
        Redis::new(&format!("redis://127.0.0.1:{}", first.port).into(), Handle::current()).unwrap();
    eventually("the copy is there", || async {
        let count: u64 = replicated.query(cmd("WAIT").arg(1).arg(100)).await.ok()?;
        (count == 1).then_some(())
    })
    .await;
    let (port, _sentinel) = sentinel(folder.path(), first.port);
    let itself = Redis::new(&format!("redis://:secret@127.0.0.1:{port}").into(), Handle::current()).unwrap();
    eventually("the sentinel knows the copy", || async {
        let copies: Vec<redis::Value> =
            itself.query(cmd("SENTINEL").arg("REPLICAS").arg("main")).await.ok()?;
        (copies.len() == 1).then_some(())
    })
    .await;

    // Nobody listens at the first of them.
    let url = format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{port}/main", free_port());
    let password = |password: &str| Some(RedisCredentials { user: None, password: password.into() });
    let settings = RedisSettings { sentinel: password("secret"), ..RedisSettings::new(url) };
    let redis = Redis::with(&settings, Handle::current()).unwrap();
    let mut write = cmd("SET");
    write.arg("a").arg("written");
    eventually("the first takes it", || async { redis.check(write.clone()).await.ok() }).await;
    let wrong = RedisSettings { sentinel: password("wrong"), ..settings };
    assert_eq!(ask(&wrong).await, Err(Unavailable::WrongCredentials));
    eventually("the copy has it", || async {
        let count: u64 = replicated.query(cmd("WAIT").arg(1).arg(100)).await.ok()?;
        (count == 1).then_some(())
    })
    .await;
    first.kill();
    eventually("the second takes it", || async { redis.check(write.clone()).await.ok() }).await;
    let read: String = redis.query(cmd("GET").arg("a")).await.unwrap();
    assert_eq!(read, "written");
}

/// Whom a Postgres of these tests lets in: its superuser always, and others by a password over TLS.
const RULES: &str = "host all urna all trust\nhostssl all all all scram-sha-256\n";
const PASSWORD: &str = "a password of this test";

pub fn roles(password: &str) -> Vec<Role> {
    let role = |name, rights| Role { name, password: password.into(), rights };
    vec![
        role("login", Rights::Owner),
        role("round", Rights::Owner),
        role("tally", Rights::Owner),
        role("recount", Rights::Reader("tally")),
    ]
}

pub async fn administrator(server: &Server) -> PgConnectOptions {
    let url = format!("postgres://urna@localhost:{}/postgres?sslmode=disable", server.port);
    let options: PgConnectOptions = url.parse().expect("an address");
    eventually("postgres answers", || async { options.connect().await.ok() }).await;
    options
}

async fn look(options: &PgConnectOptions) -> Result<(), Unavailable> {
    Store::new(PgPoolOptions::new().connect_lazy_with(options.clone())).check().await
}

#[tokio::test]
async fn postgres_is_verified_over_tls_and_told_what_is_wrong_with_it() {
    let folder = folder();
    let ours = Authority::new(&folder.path().join("ours")).unwrap();
    let another = Authority::new(&folder.path().join("another")).unwrap();
    let own = ours.certificate("localhost", Validity::Current).unwrap();
    let authorities = ours.file();
    let server =
        Server::postgres_with_rules(&programs(), folder.path(), RULES, Some((&own, &authorities))).unwrap();
    let administrator = administrator(&server).await;
    deploy(&administrator, &roles(PASSWORD)).await.unwrap();

    let tally = administrator.clone().username("tally").password(PASSWORD);
    let verified = tally.clone().ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(ours.file());
    assert_eq!(look(&verified).await, Ok(()));
    assert_eq!(look(&verified.clone().password("wrong")).await, Err(Unavailable::WrongCredentials));
    assert_eq!(look(&tally).await, Err(Unavailable::ServerRequiresTls), "sslmode=disable");
    let stranger = verified.clone().ssl_root_cert(another.file());
    assert_eq!(look(&stranger).await, Err(Unavailable::UnknownAuthority));
    let by_address = verified.clone().host("127.0.0.1");
    assert_eq!(look(&by_address).await, Err(Unavailable::CertificateForAnotherName));

    server.certify(&ours.certificate("localhost", Validity::Expired).unwrap()).unwrap();
    let mut connection = PgConnection::connect_with(&administrator).await.unwrap();
    connection.execute("select pg_reload_conf()").await.unwrap();
    eventually("the certificate is expired", || async {
        (look(&verified).await == Err(Unavailable::CertificateExpired)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn postgres_says_what_is_not_there_or_not_allowed() {
    let folder = folder();
    let rules = "host all all all trust\n";
    let server = Server::postgres_with_rules(&programs(), folder.path(), rules, None).unwrap();
    let administrator = administrator(&server).await;
    deploy(&administrator, &roles(PASSWORD)).await.unwrap();
    let tally = administrator.clone().username("tally");

    assert_eq!(look(&tally.clone().database("nowhere")).await, Err(Unavailable::NotDeployed));
    let mut connection = PgConnection::connect_with(&administrator).await.unwrap();
    connection.execute("create database empty").await.unwrap();
    assert_eq!(look(&tally.clone().database("empty")).await, Err(Unavailable::NotDeployed));
    assert_eq!(look(&tally).await, Ok(()));
    assert_eq!(look(&administrator.clone().username("recount")).await, Ok(()), "it may read");
    let login = administrator.clone().username("login");
    assert_eq!(look(&login).await, Err(Unavailable::PermissionMissing), "it is another's schema");
    assert_eq!(look(&tally.clone().port(free_port())).await, Err(Unavailable::NoRoute));
    assert_eq!(look(&tally.host("nowhere.invalid")).await, Err(Unavailable::UnknownHost));
}
