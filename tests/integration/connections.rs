//! Connections to NATS: each way to authenticate, over TLS and without, and why a connection cannot be made.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use nats::{Action, Authentication, Bus, BusSettings, Clock, Reason, ServerUrls, Tls, TlsFileError};
use nkeys::KeyPair;
use secrecy::SecretString;
use serde_json::{Value, json};
use subjects::{Account, Stream};
use urna_servers::{Authority, Durability, Programs, Server, Validity, free_port};
use urna_world::{World, eventually, program};

/// A secret, which no log may show.
const SECRET: &str = "s3cret-s3cret-s3cret";
/// What is logged when NATS becomes unavailable, or for another reason than before.
const UNAVAILABLE: &str = "NATS is unavailable";
/// What is logged each time the reason is the same as before.
const STILL_UNAVAILABLE: &str = "NATS is still unavailable";
/// The log of a process that tries in vain.
const LOG: &str = "info,nats=debug,async_nats=warn,async_nats::connector=off";

/// A user with a password.
fn user(name: &str) -> String {
    format!("authorization {{ user: {name}, password: \"{SECRET}\" }}")
}

/// A user with a password who may publish and subscribe to these subjects.
fn user_who_may(name: &str, publish: &str, subscribe: &str) -> String {
    format!(
        "authorization {{ users: [{{ user: {name}, password: \"{SECRET}\", \
         permissions: {{ publish: \"{publish}\", subscribe: \"{subscribe}\" }} }}] }}"
    )
}

/// The files of a server's TLS.
fn tls(authority: &Authority, name: &str, validity: Validity) -> String {
    let made = authority.certificate(name, validity).expect("a certificate can be made");
    let (certificate, key) = (made.certificate.display(), made.key.display());
    format!("cert_file: \"{certificate}\", key_file: \"{key}\"")
}

fn server(folder: &Path, configuration: &str) -> Server {
    let (nats, postgres, redis) = (program("NATS_SERVER").into(), PathBuf::new(), PathBuf::new());
    let programs = Programs { nats, postgres, redis };
    let folder = folder.join(format!("nats-{}", free_port()));
    let server = Server::nats(&programs, &folder, Durability::Unsynced, configuration);
    server.expect("a nats-server can be started")
}

fn authority(folder: &Path, name: &str) -> Authority {
    Authority::new(&folder.join(name)).expect("an authority can be made")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A file of the world's folder that contains this.
fn file(world: &World, name: &str, text: &str) -> String {
    let file = world.folder().join(name);
    std::fs::write(&file, text).expect("a file can be written");
    shown(&file)
}

/// Starts a process that connects by these settings only.
fn launch(world: &mut World, name: &str, settings: &[(&str, &str)]) {
    let database = world.database_url();
    let usual = [("URNA_CREDENTIALS", ""), ("DATABASE_URL", database.as_str()), ("URNA_LOG", LOG)];
    let given = |name: &str| settings.iter().any(|(given, _)| *given == name);
    let usual = usual.into_iter().filter(|(name, _)| !given(name));
    let settings: Vec<(&str, &str)> = usual.chain(settings.iter().copied()).collect();
    world.launch(name, "tally", &settings);
}

fn lines_with<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

async fn logs(world: &World, name: &str, words: &str) {
    eventually(&format!("{name} logs {words:?}"), || async { world.log(name).contains(words).then_some(()) })
        .await;
}

/// Settings of a bus whose user has the secret as password.
fn settings_of(name: &str, server: &Server) -> BusSettings {
    let url = ServerUrls::parse(&format!("nats://127.0.0.1:{}", server.port)).expect("an address");
    let password = SecretString::from(SECRET);
    let authentication = Some(Authentication::Password { user: name.to_owned(), password });
    BusSettings { authentication, ..BusSettings::new(url, name, &Clock::system()) }
}

async fn connected(settings: &BusSettings) -> Bus {
    let bus = Bus::connect(settings).await.expect("settings");
    eventually("the bus is there", || async { bus.is_connected().then_some(()) }).await;
    bus
}

#[tokio::test]
async fn a_process_connects_by_each_way_to_authenticate() {
    let mut world = World::new().await;
    let folder = world.folder().to_owned();
    let ca = authority(&folder, "ours");
    let (nkey, operator) = (KeyPair::new_user(), Operator::new());
    let tls = tls(&ca, "localhost", Validity::Current);
    let servers = [
        user("ann"),
        format!("authorization {{ token: \"{SECRET}\" }}"),
        format!("authorization {{ users: [{{ nkey: {} }}] }}", nkey.public_key()),
        operator.configuration(),
        format!("tls {{ {tls}, ca_file: \"{}\", verify: true }}\n{}", shown(&ca.file()), user("ann")),
    ]
    .map(|configuration| server(&folder, &configuration));
    let [by_password, by_token, by_nkey, by_creds, by_certificate] =
        servers.each_ref().map(|server| format!("nats://localhost:{}", server.port));
    let secret = file(&world, "secret", &format!("{SECRET}\n"));
    let seed = nkey.seed().expect("a seed");
    let (nkey, creds) = (file(&world, "ann.nk", &seed), file(&world, "ann.creds", &operator.creds()));
    let client = ca.certificate("ann", Validity::Current).expect("a certificate can be made");
    let (ca, certificate, key) = (shown(&ca.file()), shown(&client.certificate), shown(&client.key));
    let password = [("NATS_USER", "ann"), ("NATS_PASSWORD_FILE", secret.as_str())];
    let certificate =
        [("NATS_CA", ca.as_str()), ("NATS_CERT", certificate.as_str()), ("NATS_KEY", key.as_str())];
    let ways = [
        ("tally-password", by_password, password.to_vec()),
        ("tally-token", by_token, vec![("NATS_TOKEN_FILE", secret.as_str())]),
        ("tally-nkey", by_nkey, vec![("NATS_NKEY", nkey.as_str())]),
        ("tally-creds", by_creds, vec![("NATS_CREDS", creds.as_str())]),
        ("tally-certificate", by_certificate, [&password[..], &certificate[..]].concat()),
    ];
    for (name, url, mut settings) in ways.clone() {
        settings.push(("NATS_URL", url.as_str()));
        launch(&mut world, name, &settings);
    }
    for (name, ..) in ways {
        logs(&world, name, "connected to NATS").await;
        let log = world.log(name);
        assert!(!log.contains(SECRET) && !log.contains(&seed), "{name}");
        assert!(lines_with(&log, UNAVAILABLE).is_empty(), "{name}");
    }
    world.abandon();
}

#[tokio::test]
async fn each_reason_why_nats_is_unavailable_is_found_and_logged_once() {
    let mut world = World::new().await;
    let folder = world.folder().to_owned();
    let (ours, theirs) = (authority(&folder, "ours"), authority(&folder, "theirs"));
    let current = tls(&ours, "localhost", Validity::Current);
    let expired = tls(&ours, "localhost", Validity::Expired);
    let (ours, theirs) = (shown(&ours.file()), shown(&theirs.file()));
    let plain = server(&folder, &user("ann"));
    let secure = server(&folder, &format!("tls {{ {current} }}"));
    let outdated = server(&folder, &format!("tls {{ {expired} }}"));
    let mutual = server(&folder, &format!("tls {{ {current}, ca_file: \"{ours}\", verify: true }}"));
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let silent = silent.local_addr().expect("it listens").port();
    let secret = file(&world, "secret", SECRET);

    let ca = ("NATS_CA", ours.as_str());
    let password = [("NATS_USER", "ben"), ("NATS_PASSWORD_FILE", secret.as_str())];
    let url = |scheme: &str, host: &str, port: u16| format!("{scheme}://{host}:{port}");
    let cases = [
        ("tally-user", url("nats", "127.0.0.1", plain.port), password.to_vec(), "wrong user or password"),
        (
            "tally-authority",
            url("tls", "localhost", secure.port),
            vec![("NATS_CA", theirs.as_str())],
            "unknown certificate authority",
        ),
        ("tally-expired", url("tls", "localhost", outdated.port), vec![ca], "certificate expired"),
        ("tally-name", url("tls", "127.0.0.1", secure.port), vec![ca], "certificate is for another name"),
        ("tally-plain", url("nats", "localhost", secure.port), vec![], "server requires TLS"),
        ("tally-secure", url("tls", "localhost", plain.port), vec![ca], "server does not offer TLS"),
        (
            "tally-certificate",
            url("tls", "localhost", mutual.port),
            vec![ca],
            "client certificate missing or refused",
        ),
        ("tally-closed", url("nats", "127.0.0.1", free_port()), vec![], "no route (nobody listens there)"),
        ("tally-host", url("nats", "urna.invalid", 4222), vec![], "unknown host"),
        ("tally-silent", url("nats", "127.0.0.1", silent), vec![], "no answer in time"),
    ];
    for (name, url, mut settings, _) in cases.clone() {
        settings.push(("NATS_URL", url.as_str()));
        launch(&mut world, name, &settings);
    }
    for (name, .., reason) in cases {
        logs(&world, name, STILL_UNAVAILABLE).await;
        let log = world.log(name);
        let told = lines_with(&log, UNAVAILABLE);
        assert!(told.len() == 1 && told[0].contains(reason), "{name}: {told:#?}");
        assert!(!log.contains(SECRET), "{name}");
    }
    world.abandon();
}

#[tokio::test]
async fn a_wrong_password_is_logged_once_however_often_it_is_tried() {
    let mut world = World::new().await;
    let folder = world.folder().to_owned();
    let plain = server(&folder, &user("ann"));
    let (url, wrong) = (format!("nats://127.0.0.1:{}", plain.port), file(&world, "wrong", SECRET));
    let settings =
        [("NATS_URL", url.as_str()), ("NATS_USER", "ben"), ("NATS_PASSWORD_FILE", &wrong), ("URNA_LOG", "")];
    launch(&mut world, "tally", &settings);
    eventually("the server has refused it twelve times", || async {
        let log = std::fs::read_to_string(plain.log()).ok()?;
        (lines_with(&log, "authentication error").len() >= 12).then_some(())
    })
    .await;
    let log = world.log("tally");
    let about_nats = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
    let about_nats: Vec<&str> = about_nats.filter(|line| !line.contains("postgres")).collect();
    assert!(about_nats.len() == 1 && about_nats[0].contains("wrong user or password"), "{about_nats:#?}");
    world.abandon();
}

#[tokio::test]
async fn it_is_logged_once_that_nats_is_available_again() {
    let mut world = World::new().await;
    let folder = world.folder().to_owned();
    let mut plain = server(&folder, "");
    plain.kill();
    launch(&mut world, "tally", &[("NATS_URL", &format!("nats://127.0.0.1:{}", plain.port))]);
    logs(&world, "tally", "nobody listens there").await;
    plain.start();
    logs(&world, "tally", "connected to NATS").await;
    let url = ServerUrls::parse(&format!("nats://127.0.0.1:{}", plain.port)).expect("an address");
    let bus = connected(&BusSettings::new(url, "deploy", &Clock::system())).await;
    eventually("streams can be created", || async { bus.deploy_standing(Account::Elections).await.ok() })
        .await;
    world.ready("tally").await;
    let log = world.log("tally");
    assert_eq!(lines_with(&log, "connected to NATS").len(), 1);
    assert_eq!(lines_with(&log, UNAVAILABLE).len(), 1);
    world.abandon();
}

#[tokio::test]
async fn a_missing_permission_is_the_reason_and_named_with_its_subject() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = server(folder.path(), &user_who_may("ann", "round.>", "_INBOX_ann.>"));
    let bus = connected(&settings_of("ann", &server)).await;
    assert_eq!(bus.unavailable_because(), None);
    assert!(bus.last_sequence("ROUNDS").await.is_err());
    let reason = bus.unavailable_because().expect("a reason");
    let Reason::PermissionMissing { action: Action::Publish, subject } = &reason else { panic!("{reason}") };
    assert!(subject.starts_with("$JS.API.") && subject.ends_with("ROUNDS"), "{subject}");
}

#[tokio::test]
async fn each_missing_permission_is_logged_once_and_every_refusal_counted() {
    let mut world = World::new().await;
    let folder = world.folder().to_owned();
    let server = server(&folder, &user_who_may("ann", "round.>", "_INBOX_tally.>"));
    let (url, secret) = (format!("nats://127.0.0.1:{}", server.port), file(&world, "secret", SECRET));
    let settings = [("NATS_URL", url.as_str()), ("NATS_USER", "ann"), ("NATS_PASSWORD_FILE", &secret)];
    launch(&mut world, "tally", &settings);
    let refused = "NATS refused something";
    let metrics = format!("{}/metrics", world.address("tally"));
    eventually("the server has refused more than is logged", || async {
        let metrics = reqwest::get(&metrics).await.ok()?.text().await.ok()?;
        let counted =
            metrics.lines().find_map(|line| line.strip_prefix("urna_nats_permission_violations_total "))?;
        let logged = lines_with(&world.log("tally"), refused).len();
        (logged > 0 && counted.parse::<usize>().ok()? > logged).then_some(())
    })
    .await;
    let log = world.log("tally");
    let subjects = lines_with(&log, refused).into_iter().filter_map(|line| line.split("missing (").nth(1));
    let mut subjects: Vec<&str> = subjects.collect();
    let all = subjects.len();
    subjects.sort_unstable();
    subjects.dedup();
    assert!(all > 0 && subjects.len() == all, "each once: {subjects:#?}");
    world.abandon();
}

#[tokio::test]
async fn answers_are_received_on_the_inbox_prefix_of_the_name() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = server(folder.path(), &user_who_may("ann", "$JS.API.>", "_INBOX_ann.>"));
    let ann = settings_of("ann", &server);
    let bus = connected(&ann).await;
    bus.create_log(&Stream::rounds()).await.expect("an answer");
    assert_eq!(bus.unavailable_because(), None);
    let others = BusSettings { inbox_prefix: "_INBOX_ben".to_owned(), ..ann };
    let bus = connected(&others).await;
    assert!(bus.create_log(&Stream::rounds()).await.is_err());
    let reason = bus.unavailable_because().expect("a reason");
    let Reason::PermissionMissing { action: Action::Subscribe, subject } = &reason else {
        panic!("{reason}")
    };
    assert!(subject.starts_with("_INBOX_ben."), "{subject}");
}

#[test]
fn a_client_certificate_with_the_key_of_another_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ours = authority(folder.path(), "ours");
    let made = |name: &str| ours.certificate(name, Validity::Current).expect("a certificate can be made");
    let (ann, ben) = (made("ann"), made("ben"));
    let tls = || Tls::default().with_authorities(&ours.file()).expect("an authority");
    assert!(tls().with_identity(&ann.certificate, &ann.key).is_ok());
    let refused = tls().with_identity(&ann.certificate, &ben.key).expect_err("the key is another's");
    assert!(matches!(refused, TlsFileError::KeyOfAnother { .. }), "{refused}");
    let refused = tls().with_identity(&ann.certificate, &ann.certificate).expect_err("it is no key");
    assert!(matches!(&refused, TlsFileError::NotAKey(file) if *file == ann.certificate), "{refused}");
    let refused = tls().with_authorities(&ann.key).expect_err("it is no certificate");
    assert!(matches!(&refused, TlsFileError::NotCertificates(file) if *file == ann.key), "{refused}");
}

/// Signs an account and a user, so that a nats-server knows the user by a JWT.
struct Operator {
    operator: KeyPair,
    system: KeyPair,
    account: KeyPair,
    user: KeyPair,
}

impl Operator {
    fn new() -> Self {
        let (operator, user) = (KeyPair::new_operator(), KeyPair::new_user());
        Self { operator, system: KeyPair::new_account(), account: KeyPair::new_account(), user }
    }

    fn configuration(&self) -> String {
        let operator = jwt(&self.operator, &self.operator, json!({ "type": "operator", "version": 2 }));
        let account = |account: &KeyPair, storage: i64| {
            let limits = json!({
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
                "conn": -1, "leaf": -1, "mem_storage": storage, "disk_storage": storage, "streams": storage,
                "consumer": storage
            });
            let claims = json!({ "type": "account", "version": 2, "limits": limits });
            format!("{}: {}", account.public_key(), jwt(&self.operator, account, claims))
        };
        // The system account must have no JetStream.
        let (system, ours) = (account(&self.system, 0), account(&self.account, -1));
        format!(
            "operator: {operator}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n{system}\n{ours}\n}}",
            self.system.public_key()
        )
    }

    fn creds(&self) -> String {
        let claims = json!({
            "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1
        });
        let (jwt, seed) = (jwt(&self.account, &self.user, claims), self.user.seed().expect("a seed"));
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

/// What `issuer` says of `subject`, signed.
fn jwt(issuer: &KeyPair, subject: &KeyPair, claims: Value) -> String {
    let body = json!({
        "jti": "urna", "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": "urna", "nats": claims
    });
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let signed = format!("{}.{}", base64(header.to_string().as_bytes()), base64(body.to_string().as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).expect("an issuer can sign");
    format!("{signed}.{}", base64(&signature))
}

/// Base64 for addresses, without padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[((bits >> (18 - 6 * place)) & 63) as usize]));
        }
    }
    text
}
