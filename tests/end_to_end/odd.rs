//! What people write who mean no good, or mean well in a script that few expect.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;
use serde_json::{Value, json};
use urna_world::{World, audit};

use crate::people::{PASSWORD, email, id_of, organiser, person};

/// What would be taken for something else, were it not taken for what it is.
const HOSTILE: [&str; 8] = [
    "'; drop table login.account; --",
    "\" or \"1\"=\"1",
    "Robert'); delete from tally.count; --",
    "{{ 7 * 7 }}{% raw %}",
    "{{ __tera_context }}",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "%s%n${jndi:ldap://evil}`id`$(id)",
];

/// The text as it stands on a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}

/// Checks that a page shows the text and nothing came of it.
fn shows(page: &str, text: &str) {
    let page = page.replace("&#39;", "&#x27;").replace("&#x2F;", "/");
    assert!(page.contains(&escaped(text)), "{text} is not on {page}");
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
}

#[tokio::test]
async fn a_name_is_kept_and_shown_as_it_was_written_whatever_it_looks_like() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    let admin = world.admin().await;
    for name in HOSTILE.into_iter().chain(["👩‍👩‍👧 🐪", "ليلى", "李小龍", "Z̤̈a̤̋l̤g̤o̤", &"é".repeat(80)])
    {
        let changed = ann.patches("/me", &json!({ "name": name })).await;
        assert_eq!((changed.status.as_u16(), &changed.body["name"]), (200, &json!(name)));
        assert_eq!(ann.asks("/me").await.body["name"], name);
        shows(&ann.opens("/account").await, name);
        shows(&admin.opens("/users").await, name);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", name).finish();
        let found = admin.asks(&format!("/users?{query}")).await;
        assert_eq!(found.body["users"].as_array().map(Vec::len), Some(1), "{name}: {:?}", found.body);
        shows(&admin.opens(&format!("/users?{query}")).await, name);
    }
    world.close().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_seen_or_moves_what_stands_beside_it_is_refused() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    let long = "x".repeat(10 * 1024);
    let refused = [
        "",
        " ",
        "A\0nn",
        "A\nnn",
        "A\r\nSet-Cookie: a=b",
        "A\u{202e}nn",
        "\u{200b}",
        &long,
        &"é".repeat(81),
    ];
    for name in refused {
        assert_eq!(ann.patches("/me", &json!({ "name": name })).await.status, 422, "{name:?}");
        let wanted = json!({ "name": name, "email": email("Eve"), "password": PASSWORD });
        assert_eq!(world.voter().posts("/register", &wanted).await.status, 422, "{name:?}");
        let page = world.voter().registers(name, &email("Eve"), PASSWORD).await;
        assert_eq!(page.status, 422, "{name:?}");
        assert!(page.cookies.is_empty() && !page.html.contains(PASSWORD));
    }
    let json = |body: &str| {
        let request = ann.request(Method::PATCH, "/me").header("Content-Type", "application/json");
        let request = request.body(body.to_owned());
        async move { request.send().await.expect("an answer comes").status().as_u16() }
    };
    for surrogate in ["\\ud800", "\\udc00\\ud800", "\\ud83d"] {
        assert_eq!(json(&format!("{{\"name\": \"{surrogate}\"}}")).await, 400, "half of a character");
    }
    assert_eq!(json(&format!("{{\"name\": \"{}\"}}", "x".repeat(65 * 1024))).await, 413);
    assert_eq!(ann.asks("/me").await.body["name"], "Ann");
    world.close().await;
}

#[tokio::test]
async fn a_password_is_any_text_and_every_character_of_it_counts() {
    let world = World::with_urna().await;
    let passwords = [
        "0123456789\0a",
        "0123456789\0b",
        "🐪🐪🐪🐪🐪🐪🐪🐪🐪🐪",
        "'; drop table login.account; --",
        " blank around it ",
    ];
    for (number, password) in passwords.into_iter().enumerate() {
        let address = email(&format!("ann-{number}"));
        let made = world.voter().registers("Ann", &address, password).await;
        assert_eq!(made.status, 303, "{password:?}: {}", made.html);
        assert_eq!(world.voter().asks_for_tokens(&address, password).await.status, 200, "{password:?}");
        for other in passwords
            .into_iter()
            .filter(|other| *other != password)
            .chain(["0123456789", password.trim_end()])
        {
            if other != password {
                let refused = world.voter().asks_for_tokens(&address, other).await;
                assert_eq!(refused.status, 401, "{other:?} is taken for {password:?}");
            }
        }
    }
    for (password, status) in
        [("x".repeat(257), 422), ("x".repeat(10 * 1024), 422), ("123456789".to_owned(), 422)]
    {
        let wanted = json!({ "name": "Eve", "email": email("Eve"), "password": password });
        assert_eq!(world.voter().posts("/register", &wanted).await.status.as_u16(), status);
    }
    // Signing in takes any: whether it would do for an account is not told here.
    let long = world.voter().asks_for_tokens(&email("ann-0"), &"x".repeat(10 * 1024)).await;
    assert_eq!((long.status.as_u16(), long.kind()), (401, "wrong-password"));
    let halves = "{\"email\": \"ann-0@example.org\", \"password\": \"0123456789\\ud800\"}";
    let request = world.voter().request(Method::POST, "/login").header("Content-Type", "application/json");
    let response = request.body(halves).send().await.expect("an answer comes");
    assert_eq!(response.status(), 422);
    assert!(!response.text().await.expect("text").contains("0123456789"), "nor is it said back");
    world.close().await;
}

#[tokio::test]
async fn an_address_is_one_or_is_refused() {
    let world = World::with_urna().await;
    for (number, odd) in ["'or'1'='1@example.org", "{{7*7}}@example.org", "<script>@b.c", "ann@exa mple.org"]
        .iter()
        .enumerate()
    {
        let page = world.voter().registers("Ann", odd, PASSWORD).await;
        assert_eq!(page.status, if number < 2 { 303 } else { 422 }, "{odd}");
        assert!(!page.html.contains("<script>@"), "{}", page.html);
        assert_eq!(
            world.voter().asks_for_tokens(odd, PASSWORD).await.status,
            if number < 2 { 200 } else { 422 }
        );
    }
    for wrong in [
        "ann@example.org\r\nBcc: eve@example.org",
        "ann\0@example.org",
        &format!("{}@example.org", "x".repeat(10 * 1024)),
    ] {
        let wanted = json!({ "name": "Ann", "email": wrong, "password": PASSWORD });
        assert_eq!(world.voter().posts("/register", &wanted).await.status, 422, "{wrong}");
    }
    let users: i64 = sqlx::query_scalar("select count(*) from login.account")
        .fetch_one(&world.database().await)
        .await
        .expect("postgres answers");
    assert_eq!(users, 3, "two and the admin");
    world.close().await;
}

#[tokio::test]
async fn what_organisers_and_programs_write_is_shown_and_nothing_comes_of_it() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    for (number, text) in HOSTILE.into_iter().enumerate() {
        let id = format!("odd-{number}");
        let wish = json!({ "id": id, "title": text, "description": text, "options": [text, "Other"] });
        let made = olga.makes_round(&wish).await;
        assert_eq!(made.status, 201, "{made:?}");
        let round = world.voter().asks(&format!("/rounds/{id}")).await.body;
        assert_eq!(
            (&round["title"], &round["description"], &round["options"][0]["label"]),
            (&json!(text), &json!(text), &json!(text))
        );
        for path in [format!("/vote/{id}"), format!("/result/{id}"), "/".to_owned()] {
            let page = urna_world::eventually("the page is there", || async {
                let page = world.voter().looks_at(&path).await;
                (page.status == 200).then_some(page.html)
            });
            shows(&page.await, text);
        }
        // As a choice, as a code, as a ballot's name, as a round's.
        let voter = world.voter();
        assert!(
            voter.votes_with(text, &id, "other").await.is_accepted(),
            "where anyone may vote a code is nothing"
        );
        assert_eq!(voter.votes(text).await.status, 422);
        assert_eq!(voter.try_votes("cats", Some(text)).await.expect("an answer").status, 422);
        assert_eq!(voter.votes_in(text, "cats").await.status, 422);
        let program = world.voter().named(&text.replace(' ', "")).votes("cats").await;
        assert!(program.is_accepted(), "{program:?}");
    }
    for text in ["T\0", "T\u{202e}", "", &"x".repeat(10 * 1024)] {
        let wish = json!({ "title": text, "options": ["A", "B"] });
        assert_eq!(olga.makes_round(&wish).await.status, 422, "{text:?}");
        let wish = json!({ "title": "T", "options": ["A", text] });
        assert_eq!(olga.makes_round(&wish).await.status, 422, "{text:?}");
    }
    let audit = audit(&world).await;
    assert_eq!(audit.voters.len(), HOSTILE.len());
    assert!(olga.is_signed_in().await, "all tables are there");
    world.close().await;
}

#[tokio::test]
async fn nobody_is_led_away_from_here_after_signing_in() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    let theirs = [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "https://evil.example",
        "https:evil.example",
        "//evil.example/@127.0.0.1",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\r\nSet-Cookie: urna_access=x",
        "/\r\n\r\n<script>",
        " //evil.example",
        "evil.example",
        "",
    ];
    for next in theirs {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        for path in ["/login", "/register"] {
            let page = world.voter().looks_at(&format!("{path}?{query}")).await;
            assert!(page.html.contains("name=\"next\" value=\"\""), "{next:?}: {}", page.html);
            let page = ann.looks_at(&format!("{path}?{query}")).await;
            assert_eq!(page.location.as_deref(), Some("/account"), "{next:?}");
        }
        let address = email(&format!(
            "eve-{}",
            id_of(&ann).await.len() + theirs.iter().position(|it| *it == next).expect("one")
        ));
        let fields = [("name", "Eve"), ("email", address.as_str()), ("password", PASSWORD), ("next", next)];
        let page = world.voter().fills_in("/register", "/register", &fields).await;
        assert_eq!((page.status.as_u16(), page.location.as_deref()), (303, Some("/")), "{next:?}");
        let page = world.voter().fills_in("/login", "/login", &fields[1..]).await;
        assert_eq!((page.status.as_u16(), page.location.as_deref()), (303, Some("/")), "{next:?}");
        assert!(page.cookies.iter().all(|cookie| cookie.starts_with("urna_") && cookie.contains("HttpOnly")));
    }
    let admin = world.admin().await;
    for back in ["//evil.example/users", "/users\r\nX: y", "https://evil.example/users", "/account"] {
        let fields = [("role", "voter"), ("back", back)];
        let path = format!("/users/{}", id_of(&ann).await);
        let led = admin.fills_in("/users", &path, &fields).await.location.expect("led back");
        assert!(led.starts_with("/users#user-"), "{led}");
    }
    world.close().await;
}

#[tokio::test]
async fn what_headers_say_of_a_browser_is_text_and_broken_headers_are_refused() {
    let world = World::with_urna().await;
    person(&world, "Ann").await;
    let sign_in = |agent: &str| {
        let body = json!({ "email": email("Ann"), "password": PASSWORD }).to_string();
        let request =
            world.voter().request(Method::POST, "/login").header("Content-Type", "application/json");
        let request =
            request.header("User-Agent", agent).header("X-Forwarded-For", "<script>alert(1)</script>");
        async move {
            let told: Value = request.body(body).send().await.expect("an answer").json().await.expect("JSON");
            told["access_token"].as_str().expect("a token").to_owned()
        }
    };
    for agent in HOSTILE.into_iter().chain([&*"x".repeat(5_000)]) {
        let program = world.voter().bearing(&sign_in(agent).await);
        let sessions = program.asks("/sessions").await.body;
        let newest = &sessions["sessions"][0];
        assert_eq!(newest["network"], "127.0.0.1");
        let kept = newest["user_agent"].as_str().expect("a text");
        assert!(agent.starts_with(kept) && kept.len() <= 200, "{kept}");
        let page = program.opens("/sessions").await;
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
    }
    let broken = [
        "X-Forwarded-For: 1.2.3.4\nX: y\r\n\r\nSet-Cookie: a=b",
        "X-Forwarded-For: 1\0",
        "X-Voter-Id: a\0b",
        "Bad Name: x",
        "Host: evil.example\r\nHost: other.example",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ];
    for header in broken {
        let answer =
            raw(&world, &format!("POST /login HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n"));
        let status: u16 = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(400);
        assert!((400..500).contains(&status), "{header:?}: {answer}");
        assert!(!answer.contains("a=b"), "{answer}");
    }
    assert!(world.voter().votes("cats").await.is_accepted(), "it goes on");
    world.close().await;
}

/// Sends bytes as they are, and reads the answer to its end.
fn raw(world: &World, request: &str) -> String {
    let address = world.address("urna");
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    // It may close before it has read all.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
