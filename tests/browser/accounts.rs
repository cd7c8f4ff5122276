//! What a person does with an account.

use serde_json::json;
use urna_world::{Voter, World, eventually};

use crate::window::{Browser, Window};

const CATS: &str = "label:has([value=cats])";
const DOGS: &str = "label:has([value=dogs])";
const SEND: &str = "#send";
const PASSWORD: &str = "a good long password";

/// An open round that takes votes from accounts.
async fn members(admin: &Voter) {
    let round =
        json!({ "id": "members", "title": "Who?", "options": ["Cats", "Dogs"], "eligibility": "account" });
    let made = admin.makes_round(&round).await;
    assert_eq!(made.status, 201, "{made:?}");
    eventually("one can look at it", || async {
        (admin.looks_at("/vote/members").await.status == 200).then_some(())
    })
    .await;
}

/// Fills in the fields of a form, and sends it.
async fn fills_in(window: &Window, form: &str, fields: &[(&str, &str)]) {
    for (name, text) in fields {
        window.types(&format!("#{form}-{name}"), text).await;
    }
    window.clicks("main .form button").await;
}

async fn is_for_everyone(window: &Window) {
    let faults = window.runs(include_str!("accessibility.js")).await;
    assert_eq!(faults, json!([]), "{}", window.path().await);
}

#[tokio::test]
async fn a_person_registers_votes_once_signs_out_and_is_refused() {
    let world = World::with_urna().await;
    members(&world.admin().await).await;
    let browser = Browser::start(&world).await;
    let (ann, phone) = (browser.window().await, browser.window_without_javascript().await);
    ann.opens("/vote/members").await;
    ann.until(SEND, &[]).await;
    ann.follows("Register").await;
    is_for_everyone(&ann).await;
    fills_in(&ann, "register", &[("name", "Ann"), ("email", "ann@example.org"), ("password", "short")]).await;
    ann.until("#register-password-problem", &["Password must have 10 to 256 characters."]).await;
    is_for_everyone(&ann).await;
    fills_in(&ann, "register", &[("password", PASSWORD)]).await;
    ann.until("header .visitor-name", &["Ann"]).await;
    assert_eq!(ann.path().await, "/vote/members", "back to what she came for");
    ann.is_marked().await;

    // Her phone shows the same ballot before she votes.
    phone.opens("/vote/members").await;
    phone.follows("Sign in to vote").await;
    fills_in(&phone, "login", &[("email", "Ann@Example.org"), ("password", PASSWORD)]).await;
    phone.until(SEND, &["Vote"]).await;
    ann.clicks(CATS).await;
    ann.clicks(SEND).await;
    ann.until("#confirmation strong", &["Your vote is in the box."]).await;
    phone.clicks(DOGS).await;
    phone.clicks(SEND).await;
    let already = "This voter has already voted, and this round does not let a ballot be changed.";
    phone.until("main .lede", &[already]).await;
    phone.opens("/vote/members").await;
    phone.until(".option", &["Cats\nYour vote", "Dogs"]).await;
    phone.until(SEND, &[]).await;
    assert!(ann.is_same_page().await, "the page to vote on was loaded again");

    phone.opens("/account").await;
    phone.clicks(".leave button").await;
    phone.until("header .visitor", &["Sign in"]).await;
    phone.opens("/vote/members").await;
    phone.until(SEND, &[]).await;
    phone.until(".ways-in a", &["Sign in to vote", "Register"]).await;
    phone.opens("/account").await;
    assert_eq!(phone.path().await, "/login?next=%2Faccount");
    fills_in(&phone, "login", &[("email", "ann@example.org"), ("password", "another long password")]).await;
    phone.until("#problem p", &["E-mail or password is wrong."]).await;
    assert_eq!(ann.complaints().await.iter().filter(|it| !it.contains("422")).count(), 0);
    world.close().await;
}

#[tokio::test]
async fn whoever_is_signed_out_from_elsewhere_is_refused_on_the_page_that_they_see() {
    let world = World::with_urna().await;
    members(&world.admin().await).await;
    let browser = Browser::start(&world).await;
    let (ann, phone) = (browser.window().await, browser.window().await);
    ann.opens("/register?next=/vote/members").await;
    fills_in(&ann, "register", &[("name", "Ann"), ("email", "ann@example.org"), ("password", PASSWORD)])
        .await;
    ann.until(SEND, &["Vote"]).await;

    phone.becomes_a_phone().await;
    phone.opens("/login").await;
    is_for_everyone(&phone).await;
    fills_in(&phone, "login", &[("email", "ann@example.org"), ("password", PASSWORD)]).await;
    phone.until("header .visitor-name", &["Ann"]).await;
    phone.opens("/account").await;
    is_for_everyone(&phone).await;
    phone.follows("Where you are signed in").await;
    phone.until(".session h2", &["Chrome on Linux", "Chrome on Linux"]).await;
    is_for_everyone(&phone).await;
    phone.clicks(".session:not(:has(.badge)) button").await;
    phone.until(".session .badge", &["This browser"]).await;
    phone.until(".session h2", &["Chrome on Linux"]).await;

    ann.clicks(CATS).await;
    ann.clicks(SEND).await;
    eventually("the ballot is refused", || async {
        let problem = ann.reads("#problem").await.ok()?.concat();
        problem.contains("Sign in again").then_some(())
    })
    .await;
    assert_eq!(urna_world::audit_of(&world, "members").await.accepted, 0);
    world.close().await;
}

#[tokio::test]
async fn password_managers_are_told_what_each_field_is_and_every_page_fits_a_phone() {
    let world = World::with_urna().await;
    let board =
        json!({ "id": "board", "title": "Who?", "options": ["Cats", "Dogs"], "eligibility": "invited" });
    assert_eq!(world.admin().await.makes_round(&board).await.status, 201);
    let browser = Browser::start(&world).await;
    let admin = browser.window().await;
    admin.becomes_a_phone().await;
    let told = async |form: &str| {
        let fields = format!(
            "return Array.from(document.querySelectorAll('{form} input:not([type=hidden])'),
                 (field) => `${{field.type}} ${{field.autocomplete}}`)"
        );
        is_for_everyone(&admin).await;
        admin.runs(&fields).await
    };
    admin.opens("/register").await;
    assert_eq!(told(".form").await, json!(["text name", "text username", "password new-password"]));
    admin.opens("/login").await;
    assert_eq!(told(".form").await, json!(["text username", "password current-password"]));
    fills_in(&admin, "login", &[("email", urna_world::ADMIN), ("password", urna_world::ADMIN_PASSWORD)])
        .await;
    admin.until("header .visitor-name", &["Admin"]).await;
    admin.opens("/account").await;
    let fields = ["text username", "password current-password", "password new-password"];
    assert_eq!(told("[action=\"/account/password\"]").await, json!(fields));
    admin.follows("People and their roles").await;
    admin.until(".person h2", &["Admin"]).await;
    is_for_everyone(&admin).await;

    admin.opens("/admin/rounds/board").await;
    admin.types("#invites-count", "2").await;
    admin.clicks("[action=\"/rounds/board/invites\"] button").await;
    admin.until(".invite-title", &["Who?", "Who?"]).await;
    is_for_everyone(&admin).await;
    assert_eq!(admin.complaints().await, [""; 0]);
    world.close().await;
}
