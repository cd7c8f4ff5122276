//! What is tried and refused: tokens, cookies and forms that are not ours.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use nats::Clock;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use subjects::{SessionId, Timestamp, UserId};
use urna_world::{SECRET, Voter, World};
use web::{Callers, Keys, Redis, Sessions, Tokens, VoterCookies};

use crate::people::{PASSWORD, email, id_of, organiser, person, role_of, round, session_of};
use crate::routes::TABLE;

/// An hour, in milliseconds.
const HOUR: i64 = 60 * 60 * 1_000;

/// Somebody who knows how tokens are made.
struct Forger {
    world: World,
    ann: Voter,
    user: UserId,
    session: SessionId,
    /// What Ann was given.
    given: Tokens,
}

impl Forger {
    async fn new() -> Self {
        let world = World::with_urna().await;
        person(&world, "Ann").await;
        let ann = world.voter();
        let told = ann.asks_for_tokens(&email("Ann"), PASSWORD).await.body;
        let token = |name: &str| told[name].as_str().expect("a token").to_owned();
        let (access, refresh) = (token("access_token"), token("refresh_token"));
        let ann = ann.bearing(&access);
        let user = UserId::parse(&id_of(&ann).await).expect("an id");
        let session = SessionId::parse(&session_of(&ann).await).expect("an id");
        Self { world, ann, user, session, given: Tokens { access, refresh, expires_in: 0 } }
    }

    /// Tokens of these keys, made when it was `ago` milliseconds earlier.
    fn tokens(&self, keys: &Keys, user: UserId, session: SessionId, ago: i64) -> Tokens {
        let at = |millis| Timestamp::from_unix_millis(millis).expect("a moment");
        let then = Clock::system().now().unix_millis() - ago;
        let clock = Clock::from_fn(move || at(then));
        let url = SecretString::from(self.world.redis_url());
        let redis = Redis::new(&url, tokio::runtime::Handle::current()).expect("an address of redis");
        let sessions = Sessions::new(redis, Duration::from_secs(60), clock.clone());
        let callers = Callers::new(keys, sessions, clock, Duration::from_secs(900), false);
        callers.tokens(user, session, at(then + HOUR / 2))
    }

    /// Ann's access token under another header, signed by `sign`.
    fn resigned(&self, algorithm: &str, sign: impl Fn(&[u8], &str) -> Vec<u8>) -> String {
        let [_, claims, _] = parts(&self.given.access);
        let header = base64url(format!("{{\"typ\":\"JWT\",\"alg\":\"{algorithm}\"}}").as_bytes());
        let message = format!("{header}.{claims}");
        let signature = base64url(&sign(&key(), &message));
        format!("{message}.{signature}")
    }

    /// Whether this lets anybody in: as a bearer token, as either cookie, or in exchange for another.
    async fn is_let_in_by(&self, token: &str) -> bool {
        let stranger = self.world.voter();
        let mut statuses = vec![stranger.bearing(token).asks("/me").await.status.as_u16()];
        for name in ["urna_access", "urna_refresh"] {
            let request = stranger.request(Method::GET, "/me").header("Cookie", format!("{name}={token}"));
            statuses.push(request.send().await.expect("an answer comes").status().as_u16());
        }
        let exchanged = stranger.posts("/token", &json!({ "refresh_token": token })).await;
        statuses.push(exchanged.status.as_u16());
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401 | 422)), "{statuses:?}");
        statuses.contains(&200)
    }
}

/// Header, claims and signature of a token.
fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("a token has three parts")
}

/// The very key that signs the tokens of a world.
fn key() -> [u8; 32] {
    let mut key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    key.update(&5_u64.to_be_bytes());
    key.update(b"token");
    key.finalize().into_bytes().into()
}

fn another_secret() -> Keys {
    Keys::new("another secret of as many characters".into(), None)
}

fn hs256(key: &[u8], message: &str) -> Vec<u8> {
    let hash = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    hash.chain_update(message).finalize().into_bytes().to_vec()
}

fn hs512(key: &[u8], message: &str) -> Vec<u8> {
    let hash = Hmac::<Sha512>::new_from_slice(key).expect("a key");
    hash.chain_update(message).finalize().into_bytes().to_vec()
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|place| char::from(LETTERS[bits >> (18 - 6 * place) & 63])));
    }
    text
}

#[tokio::test]
async fn a_token_that_is_not_ours_or_not_good_any_more_lets_nobody_in() {
    let forger = Forger::new().await;
    let (ours, other) = (World::keys(), another_secret());
    let (user, session) = (forger.user, forger.session);
    let [header, claims, signature] = parts(&forger.given.access);
    assert!(forger.is_let_in_by(&forger.resigned("HS256", hs256)).await, "the forger knows how it is done");
    assert!(forger.is_let_in_by(&forger.tokens(&ours, user, session, 0).access).await);

    let none = |algorithm: &str| forger.resigned(algorithm, |_, _| Vec::new());
    let forged = [
        ("without a signature", none("none")),
        ("without a signature", none("None")),
        ("without a signature", none("HS256")),
        ("without a header", format!(".{claims}.{signature}")),
        ("of another algorithm, under our key", forger.resigned("HS512", hs512)),
        ("that names another algorithm", forger.resigned("HS512", hs256)),
        ("that names a public key's algorithm", forger.resigned("RS256", hs256)),
        ("that names no algorithm", forger.resigned("none", hs256)),
        ("of another key", forger.tokens(&other, user, session, 0).access),
        ("of another key", forger.tokens(&other, user, session, 0).refresh),
        ("that has run out", forger.tokens(&ours, user, session, HOUR).access),
        ("that has run out", forger.tokens(&ours, user, session, HOUR).refresh),
        ("of a session that never was", forger.tokens(&ours, user, SessionId::random(), 0).access),
        ("of another's session", forger.tokens(&ours, UserId::random(), session, 0).access),
        ("with altered claims", format!("{header}.{}.{signature}", base64url(b"{\"use\":\"access\"}"))),
        ("cut short", forger.given.access[..forger.given.access.len() - 1].to_owned()),
        ("of nonsense", "x.y.z".to_owned()),
        ("of nonsense", "....".to_owned()),
        ("of nonsense", "A".repeat(4_000)),
        ("that is the session's name", session.to_string()),
    ];
    let mut accepted = Vec::new();
    for (what, token) in forged {
        if forger.is_let_in_by(&token).await {
            accepted.push((what, token));
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
    forger.world.close().await;
}

#[tokio::test]
async fn a_token_is_good_for_its_own_use_and_while_its_session_lives() {
    let forger = Forger::new().await;
    let (world, ann) = (&forger.world, &forger.ann);
    let Tokens { access, refresh, .. } = &forger.given;
    let stranger = world.voter();
    assert_eq!(stranger.bearing(refresh).asks("/me").await.kind(), "invalid-token");
    assert_eq!(stranger.posts("/token", &json!({ "refresh_token": access })).await.kind(), "invalid-token");
    for (name, value) in [("urna_access", refresh), ("urna_refresh", access)] {
        let request = stranger.request(Method::GET, "/me").header("Cookie", format!("{name}={value}"));
        assert_eq!(request.send().await.expect("an answer comes").status(), 401, "{name}");
    }
    assert!(ann.is_signed_in().await);
    assert_eq!(ann.deletes(&format!("/sessions/{}", forger.session)).await.status, 204);
    assert!(!forger.is_let_in_by(access).await, "its session has ended");
    assert!(!forger.is_let_in_by(refresh).await, "its session has ended");
    forger.world.close().await;
}

#[tokio::test]
async fn a_voter_cookie_of_two_good_ones_or_of_another_secret_is_refused() {
    let world = World::with_urna().await;
    let mint = async || {
        let page = world.voter().looks_at("/vote/demo").await;
        let cookie = page.cookies[0].split(';').next().expect("a cookie").to_owned();
        cookie.strip_prefix("urna_voter=").expect("the voter cookie").to_owned()
    };
    let (one, two) = (mint().await, mint().await);
    let ((random, _), (_, tag)) = (one.split_once('.').expect("two"), two.split_once('.').expect("two"));
    let body = json!({ "round": "demo", "choice": ["cats"] }).to_string();
    let vote = async |value: &str| {
        world.voter().sends_with_cookie(&body, &format!("urna_voter={value}")).await.status.as_u16()
    };
    assert_eq!(vote(&one).await, 201);
    let (_, foreign) = VoterCookies::new(&another_secret(), false).mint();
    let cut = &one[..one.len() - 1];
    for forged in [&format!("{random}.{tag}"), random, &format!("{one}0"), cut, foreign.value()] {
        assert_eq!(vote(forged).await, 401, "{forged}");
    }
    assert_eq!(urna_world::audit(&world).await.accepted, 1);
    world.close().await;
}

/// Every form: where it is sent, and what it holds.
const FORMS: [(&str, &str); 16] = [
    ("/login", "email=ann%40example.org&password=a+good+long+password"),
    ("/register", "name=Eve&email=eve%40example.org&password=a+good+long+password"),
    ("/account/profile", "name=Mallory&email=olga%40example.org"),
    ("/account/password", "old_password=a+good+long+password&new_password=another+long+password"),
    ("/users/{id}", "role=admin"),
    ("/sessions/{id}/end", ""),
    ("/logout", ""),
    ("/rounds/{id}/open", ""),
    ("/rounds/{id}/close", ""),
    ("/rounds/{id}/invites", "count=1"),
    ("/vote", "round=board&choice=cats"),
    ("/admin/new", "title=Mallory%27s&option_label=A&option_label=B"),
    ("/admin/rounds/{id}", "description=Mallory%27s"),
    ("/admin/rounds/{id}/open", ""),
    ("/admin/rounds/{id}/close", ""),
    ("/admin/rounds/{id}/options/{option}/unpicture", ""),
];

#[tokio::test]
async fn a_form_that_was_not_shown_to_the_browser_that_sends_it_does_nothing() {
    let world = World::with_urna().await;
    let (olga, ann) = (organiser(&world, "Olga").await, person(&world, "Ann").await);
    round(&olga, "board", json!({ "eligibility": "account" })).await;
    let (user, session) = (id_of(&ann).await, session_of(&olga).await);
    crate::people::becomes(&world.admin().await, &olga, "admin").await;
    let theirs = ann.looks_at("/account").await.csrf().expect("a form");
    let own = olga.looks_at("/account").await.csrf().expect("a form");
    assert_ne!(theirs, own);
    let altered = format!("{}{}", &own[..own.len() - 1], if own.ends_with('0') { '1' } else { '0' });
    let wrong = ["", "csrf=", "csrf=x", &format!("csrf={theirs}"), &format!("csrf={altered}")];
    let address = |path: &str| {
        let id = match path.split('/').nth(1) {
            Some("users") => user.as_str(),
            Some("sessions") => session.as_str(),
            _ => "board",
        };
        path.replace("{id}", id).replace("{option}", "cats")
    };
    for (path, fields) in FORMS {
        for csrf in wrong {
            let page = olga.sends_form(&address(path), &format!("{csrf}&{fields}")).await;
            assert_eq!(page.status, 403, "{path} {csrf}: {}", page.html);
            assert!(page.cookies.is_empty(), "{path} {csrf}");
        }
    }
    assert_eq!(role_of(&ann).await, "voter");
    assert_eq!(olga.asks("/me").await.body["name"], "Olga");
    let board = olga.asks("/rounds/board").await.body;
    assert_eq!((&board["state"], &board["description"]), (&json!("open"), &json!("")));
    assert_eq!(world.voter().signs_in(&email("Eve"), PASSWORD).await.status, 401);
    assert_eq!(urna_world::audit_of(&world, "board").await.accepted, 0);
    // Signed in as an admin, with a form of her own, she can do each of these.
    for (path, fields) in
        [("/vote", FORMS[10].1), ("/users/{id}", "role=organiser"), ("/rounds/{id}/close", "")]
    {
        let page = olga.sends_form(&address(path), &format!("csrf={own}&{fields}")).await;
        assert_eq!(page.status, 303, "{path}: {}", page.html);
    }
    world.close().await;
}

#[tokio::test]
async fn every_address_that_takes_a_form_is_among_the_forms() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    round(&admin, "sketch", json!({ "state": "draft" })).await;
    let posts = TABLE.iter().filter(|route| route.method == "POST").map(|route| route.path);
    for path in posts.filter(|path| FORMS.iter().all(|(form, _)| form != path)) {
        let address = path.replace("{id}", "sketch").replace("{option}", "cats");
        let page = admin.sends_form(&address, "csrf=x").await;
        assert!(
            matches!(page.status.as_u16(), 400 | 415),
            "{path} takes forms: {} {}",
            page.status,
            page.html
        );
    }
    world.close().await;
}

#[tokio::test]
async fn nobody_gives_themselves_a_role() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    let wanted = json!({ "name": "Eve", "email": email("Eve"), "password": PASSWORD });
    for (field, value) in
        [("role", json!("admin")), ("id", json!("7")), ("is_admin", json!(true)), ("version", json!(9))]
    {
        let with = |mut body: Value| {
            body[field] = value.clone();
            body
        };
        assert_eq!(world.voter().posts("/register", &with(wanted.clone())).await.status, 422, "{field}");
        assert_eq!(ann.patches("/me", &with(json!({ "name": "Anna" }))).await.status, 422, "{field}");
    }
    let form = [("name", "Eve"), ("email", "eve@example.org"), ("password", PASSWORD), ("role", "admin")];
    assert_eq!(world.voter().fills_in("/register", "/register", &form).await.status, 422);
    let form = [("name", "Anna"), ("email", "ann@example.org"), ("role", "admin")];
    assert_eq!(ann.fills_in("/account", "/account/profile", &form).await.status, 422);
    let path = format!("/users/{}", id_of(&ann).await);
    assert_eq!(ann.patches(&path, &json!({ "role": "admin" })).await.kind(), "forbidden");
    assert_eq!((role_of(&ann).await, &ann.asks("/me").await.body["name"]), ("voter", &json!("Ann")));
    assert_eq!(world.voter().signs_in(&email("Eve"), PASSWORD).await.status, 401, "she was never registered");
    world.close().await;
}
