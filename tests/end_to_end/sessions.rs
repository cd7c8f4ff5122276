//! Sessions: how they begin, where they are good, and how they end.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use subjects::{Account, SessionId};
use urna_world::{ADMIN, ADMIN_PASSWORD, Page, Voter, World, eventually};

use crate::people::{PASSWORD, email, id_of, person, session_of};

/// A world in which all that takes part in signing in and voting is a process of its own.
async fn separate() -> World {
    let mut world = World::new().await;
    for name in ["round", "vote", "tally", "login", "session"] {
        world.start(name).await;
    }
    world
}

/// Everything that was said on a stream: subjects and what stands there.
async fn said(world: &World, stream: &str) -> Vec<(String, String)> {
    let jetstream = world.jetstream_of(Account::People).await.expect("the nats-server answers");
    let stream = jetstream.get_stream(stream).await.expect("the stream is there");
    let mut said = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("nothing is taken back");
        said.push((message.subject.to_string(), String::from_utf8_lossy(&message.payload).into_owned()));
    }
    said
}

/// What a browser sends back for the cookies that it was given.
fn cookie(page: &Page) -> String {
    let given: Vec<&str> = page.cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    given.join("; ")
}

/// Who somebody is who brings these cookies: their name, or nobody.
async fn name_by(world: &World, cookie: &str) -> Option<String> {
    let request = world.voter().request(Method::GET, "/me").header("Cookie", cookie);
    let me: Value = request.send().await.expect("an answer comes").json().await.expect("JSON");
    me["name"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn an_ended_session_is_refused_everywhere_within_a_second_and_no_other_is() {
    let world = separate().await;
    let browser = Voter::browser(&world.address("login"));
    browser.registers("Ann", &email("Ann"), PASSWORD).await;
    let told = Voter::browser(&world.address("login")).asks_for_tokens(&email("Ann"), PASSWORD).await;
    let program = browser.bearing(told.body["access_token"].as_str().expect("a token"));
    let admin = Voter::browser(&world.address("login"));
    admin.signs_in(ADMIN, ADMIN_PASSWORD).await;
    let members =
        json!({ "id": "members", "title": "Who?", "options": ["Cats", "Dogs"], "eligibility": "account" });
    assert_eq!(admin.at(&world.address("round")).makes_round(&members).await.status, 201);
    let everywhere = async |voter: &Voter| {
        let at = |name: &str| voter.at(&world.address(name));
        let refresh = json!({ "refresh_token": told.body["refresh_token"] });
        [
            at("login").asks("/me").await.status.as_u16(),
            at("round").asks("/rounds").await.status.as_u16(),
            at("session").asks("/sessions").await.status.as_u16(),
            at("session").posts("/token", &refresh).await.status.as_u16(),
            at("vote").votes_in("members", "cats").await.status.as_u16(),
        ]
    };
    eventually("the box is open", || async {
        (everywhere(&program).await == [200, 200, 200, 200, 201]).then_some(())
    })
    .await;

    let sessions = browser.at(&world.address("session"));
    let list = sessions.asks("/sessions").await.body["sessions"].clone();
    let listed: Vec<(bool, &Value)> =
        list.as_array().expect("a list").iter().map(|it| (it["current"] == true, &it["id"])).collect();
    let [(false, theirs), (true, own)] = listed[..] else { panic!("the newest first: {list}") };
    let path = |id: &Value| format!("/sessions/{}", id.as_str().expect("an id"));
    let stranger = admin.at(&world.address("session")).deletes(&path(theirs)).await;
    assert_eq!((stranger.status.as_u16(), stranger.kind()), (404, "session-not-found"));
    assert_eq!(sessions.deletes(&path(theirs)).await.status, 204);
    assert_eq!(everywhere(&program).await, [401; 5], "not one more request is let in");
    assert_eq!(everywhere(&browser).await, [200, 200, 200, 401, 201], "the other session goes on");
    assert_eq!(sessions.deletes(&path(theirs)).await.status, 404, "it has ended once and for all");
    assert_eq!(sessions.deletes(&path(own)).await.status, 204);
    assert_eq!(everywhere(&browser).await, [401, 200, 401, 401, 401], "anybody may look at the rounds");
    world.close().await;
}

#[tokio::test]
async fn whoever_signs_out_is_out_though_their_cookies_were_copied() {
    let world = World::with_urna().await;
    let ann = world.voter();
    let copied = cookie(&ann.registers("Ann", &email("Ann"), PASSWORD).await);
    assert_eq!(name_by(&world, &copied).await.as_deref(), Some("Ann"));
    let page = ann.signs_out().await;
    assert!(page.cookies.iter().all(|cookie| cookie.contains("Max-Age=0")), "{:?}", page.cookies);
    assert_eq!(name_by(&world, &copied).await, None);
    let ended = format!("/sessions/{}/end", session_of(&person(&world, "Ben").await).await);
    assert_eq!(ann.looks_at("/sessions").await.status, 303, "nobody is signed in");
    assert_eq!(ann.sends_form(&ended, "csrf=").await.status, 403);
    world.close().await;
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    let (phone, program) = (world.voter(), world.voter().with_tokens(&email("Ann"), PASSWORD).await);
    phone.signs_in(&email("Ann"), PASSWORD).await;
    let ben = person(&world, "Ben").await;
    let secured = json!({ "password": { "old": PASSWORD, "new": "another long password" } });
    assert_eq!(ann.patches("/me", &secured).await.status, 200);
    for place in [&phone, &program] {
        eventually("it is signed out", || async { (place.asks("/me").await.status == 401).then_some(()) })
            .await;
    }
    assert!(ann.is_signed_in().await && ben.is_signed_in().await);
    world.quiet().await;
    let listed = ann.asks("/sessions").await.body["sessions"].as_array().map(Vec::len);
    assert_eq!(listed, Some(1));
    let ended = said(&world, "SESSIONS").await.into_iter().filter(|(subject, _)| subject.ends_with(".ended"));
    let ended: Vec<Value> = ended.map(|(_, text)| serde_json::from_str(&text).expect("JSON")).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|message| message["reason"] == "password_changed"), "{ended:?}");
    world.close().await;
}

#[tokio::test]
async fn a_session_is_opened_once_however_often_its_proof_is_delivered() {
    let world = World::with_urna().await;
    // A program keeps its token, whatever becomes of the session.
    let ann = json!({ "name": "Ann", "email": email("Ann"), "password": PASSWORD });
    let told = world.voter().posts("/register", &ann).await;
    let ann = world.voter().bearing(told.body["access_token"].as_str().expect("a token"));
    let (user, session) = (id_of(&ann).await, session_of(&ann).await);
    let logins = said(&world, "ACCOUNTS").await;
    let proof =
        |(subject, text): &&(String, String)| subject.ends_with(".authenticated") && text.contains(&session);
    let (subject, proof) = logins.iter().find(proof).expect("a proof of this session").clone();
    assert_eq!(subject, format!("account.{user}.authenticated"));
    let opened = format!("session.{session}.opened");
    let openings = async || said(&world, "SESSIONS").await.iter().filter(|(it, _)| *it == opened).count();
    assert_eq!(openings().await, 1);

    let jetstream = world.jetstream_of(Account::People).await.expect("the nats-server answers");
    let again = async || {
        for _ in 0..3 {
            let said = jetstream.publish(subject.clone(), proof.clone().into()).await;
            said.expect("nats listens").await.expect("the stream takes it");
        }
        world.quiet().await;
    };
    again().await;
    assert_eq!(openings().await, 1);
    assert_eq!(ann.asks("/sessions").await.body["sessions"].as_array().map(Vec::len), Some(1));
    let metrics = ann.opens("/metrics").await;
    assert!(metrics.contains("urna_session_opened_total 1\n"), "{metrics}");
    assert_eq!(ann.deletes(&format!("/sessions/{session}")).await.status, 204);
    again().await;
    assert!(!ann.is_signed_in().await, "what has ended is not opened again");
    assert_eq!(openings().await, 1);
    world.close().await;
}

#[tokio::test]
async fn every_sign_in_has_a_session_of_its_own_whatever_the_browser_brought() {
    let world = World::with_urna().await;
    person(&world, "Ann").await;
    let mallory = world.voter();
    let planted = cookie(&mallory.registers("Mallory", &email("Mallory"), PASSWORD).await);
    let session = session_of(&mallory).await;
    let mut sessions = vec![session.clone()];
    let made_up = format!("urna_access={session}; urna_refresh={session}");
    for brought in [planted.as_str(), made_up.as_str(), "urna_access=; urna_refresh=", "urna_session=1"] {
        let body = json!({ "email": email("Ann"), "password": PASSWORD }).to_string();
        let request = world.voter().request(Method::POST, "/login").header("Cookie", brought);
        let request = request.header("Content-Type", "application/json").body(body);
        let answer = request.send().await.expect("an answer comes");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers().get_all("Set-Cookie").iter().count(), 2, "{brought} is overwritten");
        let told: Value = answer.json().await.expect("JSON");
        let ann = world.voter().bearing(told["access_token"].as_str().expect("a token"));
        assert_eq!(ann.asks("/me").await.body["name"], "Ann");
        sessions.push(session_of(&ann).await);
    }
    assert_eq!(name_by(&world, &planted).await.as_deref(), Some("Mallory"), "what was planted is still hers");
    assert_eq!(name_by(&world, &made_up).await, None);
    let count = sessions.len();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), count);
    for name in ["session", "sid"] {
        let chosen = json!({ "email": email("Ann"), "password": PASSWORD, name: session });
        assert_eq!(world.voter().posts("/login", &chosen).await.status, 422, "nobody chooses it");
    }
    world.close().await;
}

#[tokio::test]
async fn without_the_session_process_signing_in_is_told_to_wait_and_then_works() {
    let mut world = World::new().await;
    world.start("login").await;
    let [browser, program, new] = [(); 3].map(|()| Voter::browser(&world.address("login")));
    let (asked, address) = (Instant::now(), email("Ann"));
    let (page, told, made) = tokio::join!(
        browser.signs_in(ADMIN, ADMIN_PASSWORD),
        program.asks_for_tokens(ADMIN, ADMIN_PASSWORD),
        new.registers("Ann", &address, PASSWORD),
    );
    let waited = asked.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(9)).contains(&waited), "{waited:?}");
    assert_eq!((told.status.as_u16(), told.kind()), (503, "session-not-opened"));
    assert!(told.retry_after.is_some());
    assert_eq!((page.status.as_u16(), made.status.as_u16()), (503, 503));
    assert!(page.html.contains("no session was opened") && page.cookies.is_empty(), "{}", page.html);
    assert!(made.html.contains("Your account is made"), "{}", made.html);
    assert_eq!(
        program.asks_for_tokens(ADMIN, "a wrong long password").await.status,
        401,
        "not to be waited for"
    );

    world.start("session").await;
    let ann = browser.signs_in(&email("Ann"), PASSWORD).await;
    assert_eq!(ann.status, 303, "{}", ann.html);
    assert_eq!(program.asks_for_tokens(ADMIN, ADMIN_PASSWORD).await.status, 200);
    world.close().await;
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_in_any_case_at_its_end() {
    let mut world = World::new().await;
    let (idle, longest) = (Duration::from_secs(2), Duration::from_secs(5));
    let settings = [
        ("URNA_SESSION_IDLE_TIMEOUT", "2s"),
        ("URNA_SESSION_MAX_AGE", "5s"),
        ("URNA_ACCESS_TOKEN_TTL", "1s"),
    ];
    world.start_as("urna", "urna", &settings).await;
    let (ann, ben) = (person(&world, "Ann").await, world.voter());
    let begun = Instant::now();
    let copied = cookie(&ben.registers("Ben", &email("Ben"), PASSWORD).await);
    let program = world.voter().asks_for_tokens(&email("Ann"), PASSWORD).await.body;
    let token = |name: &str| program[name].as_str().expect("a token").to_owned();
    let stranger = world.voter();
    let bearer = stranger.bearing(&token("access_token"));
    let unused = format!("urna:session:{}", session_of(&bearer).await);

    // A browser gets the next access token by itself as long as its session lives; a program asks for it.
    let lived = eventually("the session that is used ends", || async {
        (ben.asks("/me").await.status == 401).then(|| begun.elapsed())
    });
    let redis = world.redis().await;
    let forgotten = async {
        eventually("the token runs out", || async {
            (bearer.asks("/me").await.kind() == "invalid-token").then_some(())
        })
        .await;
        let renewed = stranger.posts("/token", &json!({ "refresh_token": token("refresh_token") })).await;
        let renewed = renewed.body["access_token"].as_str().expect("a token").to_owned();
        assert!(stranger.bearing(&renewed).is_signed_in().await);
        let used = Instant::now();
        eventually("the session that is not used is forgotten", || {
            let mut redis = redis.clone();
            let unused = &unused;
            async move {
                let is_there: bool = redis::cmd("EXISTS").arg(unused).query_async(&mut redis).await.ok()?;
                (!is_there).then(|| used.elapsed())
            }
        })
        .await
    };
    let (lived, forgotten) = tokio::join!(lived, forgotten);
    assert!(lived > idle + Duration::from_secs(1) && lived < longest + idle, "{lived:?}");
    assert!(forgotten < idle + Duration::from_secs(1), "{forgotten:?}");
    // The browser counts whole seconds, and may have given its cookies up a moment before the end.
    eventually("a copied cookie is good no more", || async {
        name_by(&world, &copied).await.is_none().then_some(())
    })
    .await;
    assert!(!ann.is_signed_in().await, "nobody has used it");
    let refused = stranger.posts("/token", &json!({ "refresh_token": token("refresh_token") })).await;
    assert_eq!(refused.status, 401);
    world.close().await;
}

#[tokio::test]
async fn sessions_that_ran_out_are_forgotten_however_many_there_are() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    let (own, listed) = (session_of(&ann).await, format!("urna:sessions:{}", id_of(&ann).await));
    let mut redis = world.redis().await;
    for _ in 0..50 {
        let mut gone = redis::cmd("ZADD");
        gone.arg(&listed);
        for _ in 0..1_000 {
            gone.arg(1).arg(SessionId::random().to_string());
        }
        let _: () = gone.query_async(&mut redis).await.unwrap();
    }
    assert_eq!(session_of(&ann).await, own);
    let left: Vec<String> =
        redis::cmd("ZRANGE").arg(&listed).arg(&[0, -1]).query_async(&mut redis).await.unwrap();
    assert_eq!(left, [own]);
    world.close().await;
}

/// Lists sessions as if they had been opened together with `session`: copies of it, which are as good as any other, and
/// some that ran out.
async fn crowd(world: &World, user: &str, session: &str, copies: usize, ran_out: usize) {
    let mut redis = world.redis().await;
    let listed = format!("urna:sessions:{user}");
    let mut look_up = redis::pipe();
    look_up.cmd("GET").arg(format!("urna:session:{session}")).cmd("ZSCORE").arg(&listed).arg(session);
    let (record, sequence): (String, f64) =
        look_up.query_async(&mut redis).await.expect("the session is there");
    let mut write = redis::pipe();
    for place in 0..copies + ran_out {
        let copy = SessionId::random().to_string();
        write.cmd("ZADD").arg(&listed).arg(sequence).arg(&copy).ignore();
        if place < copies {
            write.cmd("SET").arg(format!("urna:session:{copy}")).arg(&record).arg(&["EX", "3600"]).ignore();
        }
    }
    let () = write.query_async(&mut redis).await.expect("redis answers");
}

#[tokio::test]
async fn an_account_has_at_most_a_hundred_sessions_and_the_oldest_makes_room() {
    let world = World::with_urna().await;
    let oldest = person(&world, "Ann").await;
    let [next, hundredth, newest] = [(); 3].map(|()| world.voter());
    next.signs_in(&email("Ann"), PASSWORD).await;
    let (user, first, second) = (id_of(&oldest).await, session_of(&oldest).await, session_of(&next).await);
    crowd(&world, &user, &second, 97, 50).await;
    let mut redis = world.redis().await;
    let mut listed = async || -> Vec<String> {
        let mut list = redis::cmd("ZRANGE");
        list.arg(format!("urna:sessions:{user}")).arg(&[0, -1]).query_async(&mut redis).await.unwrap()
    };
    let ended = async || -> Vec<Value> {
        let ended = said(&world, "SESSIONS").await.into_iter().filter(|(it, _)| it.ends_with(".ended"));
        ended.map(|(_, text)| serde_json::from_str(&text).expect("JSON")).collect()
    };

    hundredth.signs_in(&email("Ann"), PASSWORD).await;
    world.quiet().await;
    let full = listed().await;
    assert_eq!((full.len(), &full[0]), (100, &first), "those that ran out are forgotten, and nobody else");
    assert!(oldest.is_signed_in().await && hundredth.is_signed_in().await);
    assert_eq!(ended().await, [] as [Value; 0]);

    newest.signs_in(&email("Ann"), PASSWORD).await;
    world.quiet().await;
    assert!(!oldest.is_signed_in().await, "it made room");
    for place in [&next, &hundredth, &newest] {
        assert!(place.is_signed_in().await);
    }
    let left = listed().await;
    assert_eq!((left.len(), &left[..99]), (100, &full[1..]));
    assert_eq!(newest.asks("/sessions").await.body["sessions"].as_array().map(Vec::len), Some(100));
    let ended = ended().await;
    let [ended] = &ended[..] else { panic!("one session makes room: {ended:?}") };
    assert_eq!((&ended["session"], &ended["reason"]), (&json!(first), &json!("session_limit")));
    let metrics = newest.opens("/metrics").await;
    assert!(metrics.contains("urna_session_ended_total{why=\"session_limit\"} 1\n"), "{metrics}");
    world.close().await;
}
