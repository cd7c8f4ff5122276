//! A program that was written for the sample system, and knows nothing of ours but the address and a token.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use urna_world::{World, eventually};

use crate::people::{PASSWORD, email, organiser};

/// The program, as its authors wrote it.
struct Program {
    client: Client,
    address: String,
    token: String,
}

impl Program {
    async fn sends(
        &self,
        method: Method,
        path: &str,
        voter: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        request = match voter {
            Some(voter) => request.header("X-Voter-Id", voter),
            None => request.bearer_auth(&self.token),
        };
        // It calls every body JSON, one that is not there too.
        request = request.header("Content-Type", "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer comes");
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.expect("a body")).unwrap_or_default())
    }

    async fn votes(&self, voter: &str, round: &Value, option: &str) -> StatusCode {
        let ballot = json!({ "round_id": round, "option": option });
        self.sends(Method::POST, "/vote", Some(voter), Some(ballot)).await.0
    }
}

#[tokio::test]
async fn a_program_written_for_the_sample_system_works_unchanged() {
    let world = World::with_urna().await;
    organiser(&world, "Olga").await;
    let tokens = world.voter().asks_for_tokens(&email("Olga"), PASSWORD).await.body;
    let token = tokens["access_token"].as_str().expect("a token").to_owned();
    let program = Program { client: Client::new(), address: world.address("urna"), token };

    let round = json!({ "title": "Tea or coffee?", "options": ["Tea", "Coffee"] });
    let (status, made) = program.sends(Method::POST, "/rounds", None, Some(round)).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].clone();
    assert_eq!(made["round_id"], id, "both names are there");

    eventually("the round takes ballots", || async {
        (program.votes("member-1", &id, "Tea").await == 201).then_some(())
    })
    .await;
    for (voter, option, status) in [
        ("member-2", "Coffee", 201),
        ("member-3", "Tea", 201),
        ("member-3", "Coffee", 409),
        ("member-4", "Milk", 422),
    ] {
        assert_eq!(program.votes(voter, &id, option).await, status, "{voter}");
    }

    let path = format!("/rounds/{}", id.as_str().expect("a name"));
    let (status, closed) = program.sends(Method::POST, &format!("{path}/close"), None, None).await;
    assert_eq!((status.as_u16(), &closed["state"]), (200, &json!("closed")));
    assert_eq!(program.votes("member-5", &id, "Tea").await, 409);
    let results = eventually("the result is final", || async {
        let (_, results) = program.sends(Method::GET, &format!("{path}/results"), None, None).await;
        (results["final"] == true).then_some(results)
    })
    .await;
    assert_eq!(results["results"], json!({ "Tea": 2, "Coffee": 1 }));
    world.close().await;
}
