//! The first admin, and the one an operator makes.

use std::time::Duration;

use urna_world::{ADMIN, ADMIN_PASSWORD, Voter, World, eventually};

use crate::closing::operator;

/// The passwords that were told, each with whose it is.
fn passwords(told: &str) -> Vec<(String, String)> {
    let lines = told.lines().filter_map(|line| line.trim().strip_prefix("Sign in as "));
    let parts = lines.filter_map(|line| line.split_once(" with the password "));
    let parts =
        parts.filter_map(|(email, rest)| Some((email, rest.strip_suffix(": it is shown only now.")?)));
    parts.map(|(email, password)| (email.to_owned(), password.to_owned())).collect()
}

async fn is_admin(voter: &Voter) -> bool {
    voter.asks("/users").await.status == 200
}

#[tokio::test]
async fn the_first_admins_password_is_printed_once_and_never_logged() {
    let mut world = World::new().await;
    // Without a password of ours.
    let settings = [("URNA_ADMIN_PASSWORD", "")];
    world.start_as("urna", "urna", &settings).await;
    let [(email, password)] = passwords(&world.told("urna")).try_into().expect("one password");
    assert_eq!(email, ADMIN);
    let admin = world.voter();
    assert_eq!(admin.signs_in(&email, &password).await.status, 303);
    assert!(is_admin(&admin).await);

    let status = world.running("urna").stop(Duration::from_secs(10)).await.expect("urna stops");
    assert!(status.success(), "{status}");
    world.start_as("urna", "urna", &settings).await;
    assert!(is_admin(&admin).await, "the session outlives the process");
    assert_eq!(passwords(&world.told("urna")).len(), 1, "the second start tells none");
    assert!(!world.log("urna").contains(&password));
    world.close().await;
}

#[tokio::test]
async fn urna_says_where_to_sign_in_when_it_is_ready() {
    let world = World::with_urna().await;
    eventually("it says where to sign in", || async { world.told("urna").contains("/login").then_some(()) })
        .await;
    world.close().await;
}

#[tokio::test]
async fn an_admin_whose_password_was_given_is_made_once() {
    let mut world = World::with_urna().await;
    assert!(is_admin(&world.admin().await).await);
    assert!(passwords(&world.told("urna")).is_empty(), "whoever gave it knows it");
    world.kill("urna");
    world.start_as("urna", "urna", &[("URNA_ADMIN_PASSWORD", "another password than before")]).await;
    assert!(is_admin(&world.admin().await).await, "the admin's password stays what it is");
    world.close().await;
}

#[tokio::test]
async fn an_operator_gives_an_admin_a_new_password_and_ends_every_session() {
    let world = World::with_urna().await;
    let before = world.admin().await;
    let made = operator(&world, &["admin"]);
    assert!(made.status.success(), "{made:?}");
    let [(email, password)] =
        passwords(&String::from_utf8_lossy(&made.stdout)).try_into().expect("one password");
    assert_eq!(email, ADMIN);

    let admin = world.voter();
    assert_ne!(admin.signs_in(ADMIN, ADMIN_PASSWORD).await.status, 303, "the old one is good no more");
    assert_eq!(admin.signs_in(ADMIN, &password).await.status, 303);
    assert!(is_admin(&admin).await);
    eventually("the session of before has ended", || async {
        (before.asks("/me").await.status == 401).then_some(())
    })
    .await;
    world.close().await;
}

#[tokio::test]
async fn an_operator_makes_an_admin_of_somebody_who_has_an_account_and_of_somebody_who_has_none() {
    let world = World::with_urna().await;
    let ann = world.voter();
    assert_eq!(ann.registers("Ann", "ann@example.org", "a good long password").await.status, 303);
    assert!(!is_admin(&ann).await);
    for email in ["ann@example.org", "ben@example.org"] {
        let made = operator(&world, &["admin", "--email", email]);
        let told = passwords(&String::from_utf8_lossy(&made.stdout));
        let [(whose, password)] = told.try_into().expect("one password");
        assert_eq!(whose, email);
        let admin = world.voter();
        assert_eq!(admin.signs_in(email, &password).await.status, 303);
        assert!(is_admin(&admin).await, "{email}");
    }
    assert_eq!(operator(&world, &["admin", "--email", "nobody"]).status.code(), Some(2), "no address");
    world.close().await;
}
