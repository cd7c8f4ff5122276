//! Accounts: what people do with their own, and what admins do with all of them.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Stream;
use futures_util::future::join_all;
use serde_json::{Value, json};
use subjects::Account;
use urna_world::{ADMIN, ADMIN_PASSWORD, Answer, Own, Page, Voter, World, eventually};

use crate::people::{PASSWORD, becomes, email, id_of, person, role_of};

const WRONG: &str = "a wrong long password";
const NEW: &str = "another long password";

/// The fields that are wrong, each with what is wrong with it.
fn errors(answer: &Answer) -> Vec<String> {
    let errors = answer.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    errors.iter().map(|error| text(&error["field"]) + " " + &text(&error["detail"])).collect()
}

fn led(page: &Page) -> (u16, &str) {
    (page.status.as_u16(), page.location.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn a_person_registers_signs_out_and_signs_in_again() {
    let world = World::with_urna().await;
    let ann = world.voter();
    let registered = ann.registers("Ann Example", " Ann@Example.org", PASSWORD).await;
    assert_eq!(led(&registered), (303, "/"));
    for cookie in &registered.cookies {
        let parts: Vec<&str> = cookie.split("; ").skip(1).collect();
        assert!(["HttpOnly", "SameSite=Lax", "Path=/"].iter().all(|part| parts.contains(part)), "{parts:?}");
    }
    assert_eq!(registered.cookies.len(), 2);
    assert!(ann.opens("/").await.contains("Ann Example"), "whoever registers is signed in");
    let me = ann.asks("/me").await.body;
    let told = json!({ "id": me["id"], "name": "Ann Example", "email": "ann@example.org", "role": "voter" });
    assert_eq!(me, told);

    assert_eq!(led(&ann.signs_out().await), (303, "/"));
    assert!(!ann.is_signed_in().await);
    assert_eq!(led(&ann.looks_at("/account").await), (303, "/login?next=%2Faccount"));
    let refused = ann.signs_in("ann@example.org", WRONG).await;
    assert_eq!(refused.status, 401);
    assert!(refused.html.contains("E-mail or password is wrong."), "{}", refused.html);
    assert!(refused.html.contains("value=\"ann@example.org\""), "the address stays where it was typed");
    assert!(!refused.html.contains(WRONG), "the password does not");
    let fields = [("email", "ANN@example.org"), ("password", PASSWORD), ("next", "/account")];
    assert_eq!(led(&ann.fills_in("/login?next=%2Faccount", "/login", &fields).await), (303, "/account"));
    assert_eq!(ann.asks("/me").await.body, told);
    world.close().await;
}

#[tokio::test]
async fn a_program_registers_and_signs_in_by_json_and_shows_its_token() {
    let world = World::with_urna().await;
    let program = world.voter();
    let wanted = json!({ "name": "Ann", "email": "ann@example.org", "password": PASSWORD });
    let made = program.posts("/register", &wanted).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!((&made.body["user"]["name"], &made.body["token_type"]), (&json!("Ann"), &json!("Bearer")));
    let signed_in = world.voter().asks_for_tokens("ann@example.org", PASSWORD).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    let token = |name: &str| signed_in.body[name].as_str().expect("a token").to_owned();
    let stranger = world.voter();
    assert_eq!(stranger.asks("/me").await.kind(), "sign-in-required");
    assert_eq!(stranger.bearing(&token("access_token")).asks("/me").await.body["name"], "Ann");
    let renewed = stranger.posts("/token", &json!({ "refresh_token": token("refresh_token") })).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let renewed = renewed.body["access_token"].as_str().expect("a token");
    assert!(stranger.bearing(renewed).is_signed_in().await);

    let nothing = json!({ "name": " ", "email": "ann", "password": "short" });
    let wrong = errors(&world.voter().posts("/register", &nothing).await);
    assert_eq!(wrong.len(), 3, "every wrong field is named: {wrong:?}");
    world.close().await;
}

#[tokio::test]
async fn one_address_has_one_account_however_many_register_it_at_once() {
    let world = World::with_urna().await;
    let register = |number: usize| {
        let address = if number.is_multiple_of(2) { "ann@example.org" } else { "Ann@Example.ORG" };
        let wanted = json!({ "name": "Ann", "email": address, "password": PASSWORD });
        let browser = world.voter();
        async move { browser.posts("/register", &wanted).await }
    };
    let told = join_all((0..6).map(register)).await;
    let (made, refused): (Vec<_>, Vec<_>) = told.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        assert_eq!((answer.status.as_u16(), answer.kind()), (409, "email-taken"));
        assert_eq!(errors(&answer), ["email has an account already"]);
    }
    let page = world.voter().registers("Ann", "ann@example.org", PASSWORD).await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("E-mail has an account already."), "{}", page.html);
    world.close().await;
}

#[tokio::test]
async fn address_and_password_are_not_changed_without_the_old_password_nor_to_what_cannot_be() {
    let world = World::with_urna().await;
    let (ann, _ben) = (person(&world, "Ann").await, person(&world, "Ben").await);
    let refused = [
        (json!({ "email": "anna@example.org" }), 422, "password.old"),
        (json!({ "email": "anna@example.org", "password": { "old": WRONG } }), 422, "password.old is wrong"),
        (json!({ "email": email("Ben"), "password": { "old": PASSWORD } }), 409, "email has an account"),
        (json!({ "password": { "old": WRONG, "new": NEW } }), 422, "password.old is wrong"),
        (json!({ "password": { "new": NEW } }), 422, "password"),
        (json!({ "password": { "old": PASSWORD, "new": "short" } }), 422, "password.new must have"),
        (json!({ "password": { "old": PASSWORD, "new": "ANN@example.org" } }), 422, "password.new must be"),
        (json!({ "name": "" }), 422, "name must have"),
    ];
    for (change, status, says) in refused {
        let answer = ann.patches("/me", &change).await;
        let errors = errors(&answer);
        assert_eq!(answer.status.as_u16(), status, "{change} {answer:?}");
        assert!(errors.len() == 1 && errors[0].starts_with(says), "{change} {errors:?}");
    }
    assert!(world.voter().signs_in(&email("Ann"), PASSWORD).await.status == 303, "nothing is changed");
    world.close().await;
}

#[tokio::test]
async fn name_address_and_password_are_changed_with_the_old_password() {
    let world = World::with_urna().await;
    let ann = person(&world, "Ann").await;
    assert_eq!(ann.patches("/me", &json!({ "name": "Anna" })).await.body["name"], "Anna");
    eventually("the header shows the new name", || async {
        ann.opens("/").await.contains("Anna").then_some(())
    })
    .await;
    let sends = async |form: &str, fields: &[(&str, &str)]| {
        ann.fills_in("/account", &format!("/account/{form}"), fields).await
    };
    let moved = [("name", "Anna"), ("email", "anna@example.org"), ("old_password", PASSWORD)];
    assert_eq!(led(&sends("profile", &moved).await), (303, "/account?saved=profile"));
    let wrong = sends("password", &[("old_password", WRONG), ("new_password", NEW)]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.html.contains("Current password is wrong.") && !wrong.html.contains(NEW), "{}", wrong.html);
    let secured = [("old_password", PASSWORD), ("new_password", NEW)];
    assert_eq!(led(&sends("password", &secured).await), (303, "/account?saved=password"));
    let tries =
        [("ann@example.org", NEW, 401), ("anna@example.org", PASSWORD, 401), ("anna@example.org", NEW, 200)];
    for (address, password, status) in tries {
        let told = world.voter().asks_for_tokens(address, password).await;
        assert_eq!(told.status.as_u16(), status, "{address} {password}");
    }
    world.close().await;
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_cannot_be_told_apart() {
    let world = World::with_urna().await;
    person(&world, "Ann").await;
    let stranger = world.voter();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let mut told = Vec::new();
    for number in 0..15 {
        let nobody = email(&format!("nobody-{number}"));
        for (address, took) in [(email("Ann"), &mut known), (nobody, &mut unknown)] {
            let asked = Instant::now();
            let answer = stranger.asks_for_tokens(&address, WRONG).await;
            took.push(asked.elapsed());
            told.push((answer.status, answer.retry_after, answer.body));
        }
    }
    assert_eq!(told[0].0, 401);
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
    let (known, unknown) = (median(known), median(unknown));
    let ratio = unknown.as_secs_f64() / known.as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "an unknown address takes {unknown:?}, a known one {known:?}");

    let mut pages = Vec::new();
    for address in [email("Ann"), email("nobody")] {
        let page = stranger.signs_in(&address, WRONG).await;
        assert!(page.cookies.is_empty());
        pages.push((page.status, page.html.replace(&address, "")));
    }
    assert_eq!(pages[0], pages[1]);
    world.close().await;
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}

#[tokio::test]
async fn a_role_counts_at_once_in_a_session_that_is_open() {
    let world = World::with_urna().await;
    let (admin, ann) = (world.admin().await, person(&world, "Ann").await);
    let program = world.voter().with_tokens(&email("Ann"), PASSWORD).await;
    let path = format!("/users/{}", id_of(&ann).await);
    assert_eq!(role_of(&ann).await, "voter");
    for role in ["organiser", "admin", "voter"] {
        let told = admin.patches(&path, &json!({ "role": role })).await;
        assert_eq!((told.status.as_u16(), &told.body["role"]), (200, &json!(role)));
        let told = Instant::now();
        for place in [&ann, &program] {
            eventually(role, || async { (role_of(place).await == role).then_some(()) }).await;
        }
        assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
        assert_eq!(ann.asks("/me").await.body["role"], role);
    }
    assert_eq!(admin.patches(&path, &json!({ "role": "owner" })).await.status, 422);
    let nobody = "/users/67e55044-10b1-426f-9247-bb680e5fe0c8";
    assert_eq!(admin.patches(nobody, &json!({ "role": "voter" })).await.kind(), "account-not-found");
    assert_eq!(admin.patches("/users/ann", &json!({ "role": "voter" })).await.kind(), "account-not-found");
    let fields = [("role", "organiser"), ("back", "/users?q=ann")];
    let page = admin.fills_in("/users", &path, &fields).await;
    let id = path.trim_start_matches("/users/");
    assert_eq!(led(&page), (303, format!("/users?q=ann#user-{id}").as_str()));
    assert_eq!(ann.asks("/me").await.body["role"], "organiser");
    world.close().await;
}

#[tokio::test]
async fn an_admin_finds_people_by_the_beginning_of_their_name_or_address_and_reads_on() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    for name in ["Ann", "Anton", "Ben"] {
        person(&world, name).await;
    }
    let names = |answer: &Answer| {
        let users = answer.body["users"].as_array().expect("a list").iter();
        users.map(|user| user["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let mut read = Vec::new();
    let mut path = "/users?limit=3".to_owned();
    loop {
        let list = admin.asks(&path).await;
        read.extend(names(&list));
        let Some(next) = list.body["next"].as_str() else { break };
        path = format!("/users?limit=3&after={next}");
    }
    assert_eq!(read, ["Admin", "Ann", "Anton", "Ben"]);
    assert_eq!(names(&admin.asks("/users?q=AN").await), ["Ann", "Anton"]);
    assert_eq!(names(&admin.asks("/users?q=ben%40example").await), ["Ben"]);
    assert_eq!(names(&admin.asks("/users?q=%25").await), [""; 0], "nothing in it is a pattern");
    assert_eq!(admin.asks("/users?limit=0").await.status, 422);
    let page = admin.opens("/users?q=ann").await;
    assert!(page.contains("ann@example.org") && !page.contains("ben@example.org"), "{page}");
    world.close().await;
}

#[tokio::test]
async fn there_is_always_an_admin_however_many_give_up_the_role_at_once() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    let mut admins = vec![admin.clone()];
    for name in ["Ann", "Ben", "Cleo"] {
        let person = person(&world, name).await;
        becomes(&admin, &person, "admin").await;
        admins.push(person);
    }
    let ids = join_all(admins.iter().map(id_of)).await;
    for _ in 0..3 {
        let give_up = async |(admin, id): (&Voter, &String)| {
            admin.patches(&format!("/users/{id}"), &json!({ "role": "voter" })).await
        };
        let told = join_all(admins.iter().zip(&ids).map(give_up)).await;
        let kept: Vec<usize> = (0..told.len()).filter(|at| told[*at].kind() == "last-admin").collect();
        let [last] = kept[..] else { panic!("{told:?}") };
        assert!(told.iter().filter(|answer| answer.status == 200).count() == 3, "{told:?}");
        assert_eq!(role_of(&admins[last]).await, "admin");
        for other in (0..admins.len()).filter(|at| *at != last) {
            becomes(&admins[last], &admins[other], "admin").await;
        }
    }
    assert!(world.voter().signs_in(ADMIN, ADMIN_PASSWORD).await.status == 303);
    world.close().await;
}

/// The newest message of a subject, if there is one.
async fn newest(logins: &Stream, subject: &str) -> Option<Value> {
    let message = logins.get_last_raw_message_by_subject(subject).await.ok()?;
    serde_json::from_slice(&message.payload).ok()
}

#[tokio::test]
async fn what_was_changed_is_said_though_the_bus_was_away_at_that_moment() {
    let mut world = World::with_urna_owning(&[Own::Nats]).await;
    let (admin, ann) = (world.admin().await, person(&world, "Ann").await);
    let id = id_of(&ann).await;
    world.nats().kill();
    let named = ann.patches("/me", &json!({ "name": "Anna" })).await;
    assert_eq!(named.status, 200, "{named:?}");
    let given = admin.patches(&format!("/users/{id}"), &json!({ "role": "organiser" })).await;
    assert_eq!(given.status, 200, "{given:?}");
    // Nor does it help if the process dies before it could say it.
    world.kill("urna");
    world.nats().start();
    world.servers_answer().await;
    world.start("urna").await;
    let people = world.jetstream_of(Account::People).await.expect("nats answers");
    let logins = people.get_stream("ACCOUNTS").await.expect("a stream");
    eventually("both changes are said", || async {
        let said = newest(&logins, &format!("account.{id}.changed")).await?;
        (said["name"] == "Anna" && said["role"] == "organiser").then_some(())
    })
    .await;
    eventually("the session has heard of them", || async {
        (role_of(&ann).await == "organiser").then_some(())
    })
    .await;
    assert!(ann.opens("/").await.contains("Anna"));
    let database = world.database().await;
    eventually("nothing is left to say", || async {
        let untold: i64 =
            sqlx::query_scalar("select count(*) from login.outbox").fetch_one(&database).await.ok()?;
        (untold == 0).then_some(())
    })
    .await;
    world.close().await;
}
