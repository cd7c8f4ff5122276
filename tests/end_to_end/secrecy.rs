//! What no log and no store may hold, however much is logged and whatever goes wrong.

use std::path::Path;
use std::process::Command;

use futures_util::TryStreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use urna_world::{ADMIN_PASSWORD, Own, Page, SECRET, Voter, World, audit_of, eventually, rounds};

use crate::people::{becomes, email, id_of, once_open, round};

const FIRST: &str = "Ann's very own password";
const SECOND: &str = "Ann's second and better password";
const GUESS: &str = "Ann's password as others guess it";
const MISPLACED: &str = "a password where none belongs";
const PROGRAM: &str = "somebody-in-particular";
/// What everybody chooses: nothing else is called so.
const CHOICE: &str = "zebra";

/// What must not be found, each with what it is.
type Secrets = Vec<(&'static str, String)>;

/// Everybody does everything that they can do, and much goes wrong.
struct Scene {
    world: World,
    ann: Voter,
    secrets: Secrets,
}

impl Scene {
    async fn begin() -> Self {
        let mut world = World::owning(&[Own::Nats, Own::Postgres, Own::Redis]).await;
        world.start_as("urna", "urna", &[("URNA_LOG", "trace")]).await;
        let ann = world.voter();
        let fixed = [FIRST, SECOND, GUESS, MISPLACED, ADMIN_PASSWORD].map(|it| ("a password", it.to_owned()));
        let secrets = Vec::from(fixed);
        let mut scene = Self { world, ann, secrets };
        scene.secrets.extend([("the secret", SECRET.to_owned()), ("a program's voter", PROGRAM.to_owned())]);
        scene
    }

    /// Takes note of the cookies of a page and of what its forms carry.
    fn note(&mut self, page: &Page) {
        let values = page.cookies.iter().filter_map(|cookie| cookie.split(';').next()?.split_once('='));
        let values: Vec<&str> = values.map(|(_, value)| value).filter(|value| !value.is_empty()).collect();
        for value in values {
            self.secrets.push(("a cookie", value.to_owned()));
            // Either half of the voter cookie, and each part of a token, would do.
            self.secrets
                .extend(value.split('.').filter(|it| it.len() > 30).map(|it| ("of a cookie", it.to_owned())));
        }
        self.secrets.extend(page.csrf().map(|csrf| ("a form's signature", csrf)));
    }

    fn note_tokens(&mut self, told: &Value) {
        for name in ["access_token", "refresh_token"] {
            let token = told[name].as_str().unwrap_or_else(|| panic!("{told}"));
            self.secrets.push(("a token", token.to_owned()));
            self.secrets.extend(token.rsplit('.').next().map(|it| ("a token's signature", it.to_owned())));
        }
    }

    async fn accounts(&mut self) {
        let page = self.ann.looks_at("/register").await;
        self.note(&page);
        let registered = self.ann.registers("Ann", &email("Ann"), FIRST).await;
        assert_eq!(registered.status, 303, "{}", registered.html);
        self.note(&registered);
        let others = self.world.voter();
        let taken = others.registers("Eve", &email("Ann"), MISPLACED).await;
        assert_eq!(taken.status, 409);
        assert_eq!(others.signs_in(&email("Ann"), GUESS).await.status, 401);
        assert_eq!(others.asks_for_tokens(&email("Ann"), GUESS).await.status, 401);
        let odd = [
            json!({ "email": email("Ann"), "password": [MISPLACED] }),
            json!({ "email": MISPLACED, "password": MISPLACED }),
            json!({ "email": email("Ann"), "password": FIRST, "also": MISPLACED }),
        ];
        for body in odd {
            assert_eq!(others.posts("/login", &body).await.status, 422);
        }
        let change = json!({ "password": { "old": GUESS, "new": SECOND } });
        assert_eq!(self.ann.patches("/me", &change).await.status, 422);
        let change = json!({ "password": { "old": FIRST, "new": SECOND } });
        assert_eq!(self.ann.patches("/me", &change).await.status, 200);
        let told = others.asks_for_tokens(&email("Ann"), SECOND).await.body;
        self.note_tokens(&told);
        let refresh = json!({ "refresh_token": told["refresh_token"] });
        self.note_tokens(&others.posts("/token", &refresh).await.body);
        let program = others.bearing(told["access_token"].as_str().expect("a token"));
        assert!(program.is_signed_in().await);
        let refused = others.request(Method::GET, "/me").bearer_auth(format!("{MISPLACED} x")).send().await;
        assert_eq!(refused.expect("an answer").status(), 401);
    }

    async fn votes(&mut self) {
        becomes(&self.world.admin().await, &self.ann, "organiser").await;
        for (id, eligibility) in [("open", "anyone"), ("board", "invited"), ("members", "account")] {
            let options = json!({ "eligibility": eligibility, "options": ["Aardvark", "Zebra"] });
            round(&self.ann, id, options).await;
        }
        let codes = self.ann.invites("board", 3).await;
        for code in &codes {
            self.secrets.extend([code.clone(), code.replace('-', "")].map(|code| ("an invite", code)));
        }
        let browser = self.world.voter();
        let link = format!("/vote/board?invite={}", codes[0]);
        self.note(&browser.looks_at(&link).await);
        let fields = [("round", "board"), ("choice", CHOICE), ("invite", codes[0].as_str())];
        assert_eq!(browser.fills_in(&link, "/vote", &fields).await.status, 303);
        let votes = async |voter: &Voter, code: Option<&str>, round: &str| match code {
            Some(code) => once_open(|| voter.votes_with(code, round, CHOICE)).await.is_accepted(),
            None => once_open(|| voter.votes_in(round, CHOICE)).await.is_accepted(),
        };
        assert!(votes(&browser, Some(&codes[1].to_lowercase()), "board").await);
        assert!(votes(&browser, None, "open").await);
        assert!(votes(&browser.named(PROGRAM), None, "open").await);
        assert!(votes(&self.ann, None, "members").await);
        assert!(!votes(&browser, None, "members").await);
        assert!(!votes(&browser, Some(&codes[1].replace('-', "x")), "board").await);
        assert!(!browser.votes_in("open", &format!("{CHOICE}s")).await.is_accepted());
    }

    /// Each server goes away while somebody needs it.
    async fn troubles(&mut self) {
        let others = self.world.voter();
        self.world.postgres().kill();
        assert_eq!(others.asks_for_tokens(&email("Ann"), SECOND).await.status, 503);
        assert_eq!(others.registers("Eve", &email("Eve"), MISPLACED).await.status, 503);
        self.world.restart_postgres().await;
        self.world.redis_server().kill();
        assert_eq!(self.ann.asks("/me").await.status, 503);
        self.world.restart_redis().await;
        self.world.nats().kill();
        let another = others.named(&format!("{PROGRAM}-too"));
        assert_eq!(another.votes_in("open", CHOICE).await.status, 503);
        self.world.nats().start();
        self.world.servers_answer().await;
        eventually("all is well again", || async { self.ann.is_signed_in().await.then_some(()) }).await;
        self.world.ready("urna").await;
        self.ann.signs_out().await;
    }
}

#[tokio::test]
async fn a_password_is_never_stored_said_or_logged_nor_is_a_token_a_cookie_or_an_invite() {
    let mut scene = Scene::begin().await;
    scene.accounts().await;
    scene.votes().await;
    scene.troubles().await;
    let Scene { world, secrets, .. } = scene;
    world.quiet().await;
    let log = world.log("urna");
    assert!(log.contains(" TRACE "), "the log is at its most talkative");
    let overheard =
        log.lines().find(|line| line.contains("BUG async_nats") || line.contains("ACE async_nats"));
    assert_eq!(overheard, None, "it would write out what passes through it, in more forms than one");
    for (what, secret) in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{what} is in the log");
    }
    let found = places_of(world.folder(), &secrets);
    assert!(found.is_empty(), "{found:#?}");
    // What is looked for would be found: the name of an account is no secret.
    assert!(!places_of(world.folder(), &vec![("an address", email("Ann"))]).is_empty());
    for line in log.lines().filter(|line| line.to_lowercase().contains(CHOICE)) {
        assert!(!line.contains("ann@") && !line.contains("Ann"), "{line}");
    }
    world.close().await;
}

#[tokio::test]
async fn log_postgres_and_redis_together_never_hold_a_choice_beside_a_name() {
    let mut scene = Scene::begin().await;
    scene.accounts().await;
    scene.votes().await;
    let Scene { world, ann, secrets } = scene;
    world.quiet().await;
    let mut names: Vec<String> = secrets.into_iter().map(|(_, secret)| secret).collect();
    names.extend([
        id_of(&ann).await,
        email("Ann"),
        "\"Ann\"".to_owned(),
        "account:".to_owned(),
        "invite:".to_owned(),
    ]);
    let mut records = streams(&world).await;
    records.extend(tables(&world).await);
    let written = std::fs::read_dir(world.folder().join("redis/appendonlydir")).expect("redis writes there");
    for file in written {
        let bytes = std::fs::read(file.expect("a file").path()).expect("a file can be read");
        records.push(("redis".to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    let mut voters = Vec::new();
    for id in rounds(&world).await.expect("nats answers") {
        voters.extend(audit_of(&world, &id).await.voters.into_keys());
    }
    assert!(voters.len() >= 4, "{voters:?}");
    let choices: Vec<_> = records.iter().filter(|(_, text)| is_about_a_choice(text)).collect();
    assert!(choices.len() >= 4, "{choices:?}");
    for (place, text) in &records {
        let named = names.iter().find(|name| text.contains(name.as_str()));
        let is_of_votes = ["VOTES", "TALLIES", "tally."].iter().any(|of| place.starts_with(of));
        assert!(named.is_none() || !is_of_votes, "{named:?} is in {place}: {text}");
        assert!(
            named.is_none() || !is_about_a_choice(text),
            "{named:?} is beside a choice in {place}: {text}"
        );
        let voter = voters.iter().find(|voter| text.contains(voter.as_str()));
        assert!(voter.is_none() || place.starts_with("VOTES"), "a ballot's voter is in {place}: {text}");
    }
    let keys = records.iter().filter(|(place, _)| place.starts_with("KEYS"));
    let keys: Vec<&str> =
        keys.filter_map(|(_, text)| text.split('"').find(|part| part.len() == 64)).collect();
    assert_eq!(keys.len(), 4, "of the demonstration and of our three rounds");
    for line in world.log("urna").lines() {
        let never =
            voters.iter().map(String::as_str).chain(keys.iter().copied()).find(|it| line.contains(it));
        assert_eq!(never, None, "{line}");
    }
    world.close().await;
}

/// Whether a record tells what somebody chose; what there is to choose is told by the rounds.
fn is_about_a_choice(text: &str) -> bool {
    text.contains(CHOICE) && !text.contains("Aardvark")
}

/// Where in the files of a folder one of the secrets stands.
fn places_of(folder: &Path, secrets: &Secrets) -> Vec<String> {
    let mut grep = Command::new("grep");
    grep.args(["--recursive", "--text", "--only-matching", "--fixed-strings"]);
    for (_, secret) in secrets {
        grep.args(["-e", secret]);
    }
    let told = grep.arg(folder).output().expect("there is grep");
    assert!(matches!(told.status.code(), Some(0 | 1)), "{told:?}");
    String::from_utf8_lossy(&told.stdout).lines().map(str::to_owned).collect()
}

/// Every message of every stream, with its headers.
async fn streams(world: &World) -> Vec<(String, String)> {
    let jetstream = world.jetstream().await.expect("the nats-server answers");
    let names: Vec<String> = jetstream.stream_names().try_collect().await.expect("names");
    let mut records = Vec::new();
    for name in names {
        let stream = jetstream.get_stream(&name).await.expect("a stream");
        let state = stream.cached_info().state.clone();
        for sequence in state.first_sequence..=state.last_sequence {
            // A newer one of its subject may have taken its place.
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            records.push((format!("{name} {}", message.subject), format!("{text} {:?}", message.headers)));
        }
    }
    records
}

/// Every row of every table.
async fn tables(world: &World) -> Vec<(String, String)> {
    let database = world.database().await;
    let names = "select schemaname || '.' || tablename from pg_tables
                 where schemaname not in ('pg_catalog', 'information_schema')";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&database).await.expect("postgres answers");
    let mut records = Vec::new();
    for name in names {
        let rows = format!("select row_to_json(it)::text from {name} it");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&database).await.expect("a table can be read");
        records.extend(rows.into_iter().map(|row| (name.clone(), row)));
    }
    records
}
