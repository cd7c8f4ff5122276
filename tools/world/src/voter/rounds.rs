//! What an organiser does.

use serde_json::{Value, json};

use super::{Answer, Voter};

impl Voter {
    /// Makes a round.
    pub async fn makes_round(&self, round: &Value) -> Answer {
        self.posts("/rounds", round).await
    }

    /// Opens a round.
    pub async fn opens_round(&self, round: &str) -> Answer {
        self.posts(&format!("/rounds/{round}/open"), &json!({})).await
    }

    /// Closes a round.
    pub async fn closes_round(&self, round: &str) -> Answer {
        self.posts(&format!("/rounds/{round}/close"), &json!({})).await
    }

    /// Makes invites, and returns their codes.
    pub async fn invites(&self, round: &str, count: usize) -> Vec<String> {
        let answer = self.posts(&format!("/rounds/{round}/invites"), &json!({ "count": count })).await;
        assert!(answer.status.is_success(), "{answer:?}");
        let invites = answer.body["invites"].as_array().expect("a list of invites");
        let code = |invite: &Value| invite["code"].as_str().expect("an invite has a code").to_owned();
        invites.iter().map(code).collect()
    }
}
