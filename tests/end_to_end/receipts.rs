//! What a receipt tells whoever has it.

use serde_json::{Value, json};
use urna_world::{Answer, Voter, World, eventually};

use crate::people::organiser;
use crate::shapes::is_as_shown;

/// What is told of a receipt, once it is this.
async fn stands(voter: &Voter, receipt: &str, status: &str) -> Value {
    eventually(&format!("{receipt} is {status}"), || async {
        let told = voter.asks(&format!("/receipts/{receipt}")).await;
        assert!(told.status == 200 || told.status == 503, "{told:?}");
        (told.body["status"] == status).then_some(told.body)
    })
    .await
}

fn receipt(answer: &Answer) -> String {
    answer.body["receipt"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn a_receipt_says_whether_its_ballot_counts_and_never_what_it_says() {
    let mut world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let round = json!({ "id": "board", "title": "Who?", "options": ["Ann", "Bob"], "allow_changes": true });
    assert_eq!(olga.makes_round(&round).await.status, 201);
    let (ann, ben, stranger) = (world.voter(), world.voter(), world.voter());
    let accepted = || async { Some(ann.votes_in("board", "ann").await).filter(Answer::is_accepted) };
    let first = receipt(&eventually("the round takes ballots", accepted).await);
    let told = stands(&stranger, &first, "counted").await;
    is_as_shown("receipt", told, &[]);

    let second = receipt(&ann.votes_in("board", "bob").await);
    let bens = receipt(&ben.votes_in("board", "ann").await);
    stands(&stranger, &first, "replaced").await;
    stands(&stranger, &second, "counted").await;
    let page = stranger.opens(&format!("/receipts/{first}")).await;
    assert!(page.contains("has been replaced") && page.contains(&first), "{page}");

    assert_eq!(olga.closes_round("board").await.status, 200);
    for receipt in [&second, &bens] {
        stands(&stranger, receipt, "counted").await;
    }
    stands(&stranger, &first, "replaced").await;
    world.kill("urna");
    world.launch("urna", "urna", &[]);
    world.ready("urna").await;
    let later = world.voter();
    stands(&later, &first, "replaced").await;
    stands(&later, &second, "counted").await;
    world.close().await;
}

#[tokio::test]
async fn what_is_no_receipt_is_not_found() {
    let world = World::with_urna().await;
    let ann = world.voter();
    let first = receipt(&ann.votes("cats").await);
    assert_eq!(first, "demo.1.0");
    stands(&ann, &first, "counted").await;
    for (wrong, kind) in [
        ("demo.1.1", "receipt-not-found"),
        ("demo.2.0", "receipt-not-found"),
        ("demo.0.0", "receipt-not-found"),
        ("demo.01.0", "receipt-not-found"),
        ("demo.18446744073709551615.4294967295", "receipt-not-found"),
        ("demo", "receipt-not-found"),
        ("nowhere.1.0", "round-not-found"),
    ] {
        let answer = ann.asks(&format!("/receipts/{wrong}")).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (404, kind), "{wrong}");
    }
    world.close().await;
}

#[tokio::test]
async fn an_accepted_ballot_waits_until_the_tally_has_come_to_it() {
    let mut world = World::new().await;
    for name in ["round", "vote", "tally"] {
        world.start(name).await;
    }
    let ann = world.voter_at("vote", "ann");
    let first = receipt(&ann.votes("cats").await);
    stands(&ann, &first, "counted").await;
    world.pause("tally");
    let second = receipt(&world.voter_at("vote", "ben").votes("cats").await);
    stands(&ann, &second, "waiting").await;
    world.resume("tally");
    stands(&ann, &second, "counted").await;
    world.close().await;
}
