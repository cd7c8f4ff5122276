//! The people of these tests, who all have the same password, and the rounds they make.

use serde_json::{Value, json};
use urna_world::{Answer, Voter, World, eventually};

/// Everybody's password.
pub const PASSWORD: &str = "a good long password";

/// The address of whoever is called so.
pub fn email(name: &str) -> String {
    format!("{}@example.org", name.to_lowercase())
}

/// Somebody who has just registered, with a fresh browser at the process `urna`.
pub async fn person(world: &World, name: &str) -> Voter {
    let person = world.voter();
    let page = person.registers(name, &email(name), PASSWORD).await;
    assert_eq!(page.status, 303, "{}", page.html);
    person
}

/// The same, who may make rounds.
pub async fn organiser(world: &World, name: &str) -> Voter {
    let organiser = person(world, name).await;
    becomes(&world.admin().await, &organiser, "organiser").await;
    organiser
}

/// Gives somebody a role, and waits until the session they are in has heard of it.
pub async fn becomes(admin: &Voter, person: &Voter, role: &str) {
    let path = format!("/users/{}", id_of(person).await);
    let answer = admin.patches(&path, &json!({ "role": role })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually(&format!("the session hears of the role {role}"), || async {
        (role_of(person).await == role).then_some(())
    })
    .await;
}

/// What somebody may do in the session they are in.
pub async fn role_of(person: &Voter) -> &'static str {
    if person.asks("/users").await.status == 200 {
        return "admin";
    }
    if person.posts("/rounds", &json!({})).await.status == 422 { "organiser" } else { "voter" }
}

/// The name of somebody's account.
pub async fn id_of(person: &Voter) -> String {
    let me = person.asks("/me").await;
    me.body["id"].as_str().unwrap_or_else(|| panic!("{me:?}")).to_owned()
}

/// The name of the session that somebody is in.
pub async fn session_of(person: &Voter) -> String {
    let answer = person.asks("/sessions").await;
    let sessions = answer.body["sessions"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    let current = sessions.iter().find(|session| session["current"] == true).expect("one's own session");
    current["id"].as_str().expect("a session has an id").to_owned()
}

/// Makes an open round of this name with the options Cats and Dogs, and waits until one can look at it.
pub async fn round(organiser: &Voter, id: &str, beside: Value) {
    let mut round = json!({ "id": id, "title": format!("Round {id}"), "options": ["Cats", "Dogs"] });
    round.as_object_mut().expect("an object").extend(beside.as_object().expect("an object").clone());
    let made = organiser.makes_round(&round).await;
    assert_eq!(made.status, 201, "{made:?}");
    is_known(organiser, id).await;
}

/// Waits until one can look at a round where one votes.
pub async fn is_known(voter: &Voter, round: &str) {
    eventually("the round is known where one votes", || async {
        (voter.looks_at(&format!("/vote/{round}")).await.status == 200).then_some(())
    })
    .await;
}

/// Votes until the box of the round is open.
pub async fn once_open<A: Future<Output = Answer>>(mut vote: impl FnMut() -> A) -> Answer {
    eventually("the box is open", || {
        let vote = vote();
        async {
            let answer = vote.await;
            (answer.kind() != "not-ready").then_some(answer)
        }
    })
    .await
}
