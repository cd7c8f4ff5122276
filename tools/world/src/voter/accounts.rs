//! What a person does with an account.

use serde_json::json;

use super::{Answer, Page, Voter};

impl Voter {
    /// Registers by the page's form. Whoever succeeds is signed in.
    pub async fn registers(&self, name: &str, email: &str, password: &str) -> Page {
        let fields = [("name", name), ("email", email), ("password", password)];
        self.fills_in("/register", "/register", &fields).await
    }

    /// Signs in by the page's form.
    pub async fn signs_in(&self, email: &str, password: &str) -> Page {
        self.fills_in("/login", "/login", &[("email", email), ("password", password)]).await
    }

    /// Signs out by the account page's form.
    pub async fn signs_out(&self) -> Page {
        self.fills_in("/account", "/logout", &[]).await
    }

    /// Asks for tokens as a program does.
    pub async fn asks_for_tokens(&self, email: &str, password: &str) -> Answer {
        self.posts("/login", &json!({ "email": email, "password": password })).await
    }

    /// A program over the same connections that has signed in, and shows its token from now on.
    pub async fn with_tokens(&self, email: &str, password: &str) -> Self {
        let answer = self.asks_for_tokens(email, password).await;
        assert!(answer.status.is_success(), "{answer:?}");
        self.bearing(answer.body["access_token"].as_str().expect("a token is text"))
    }

    /// Whether it counts as signed in.
    pub async fn is_signed_in(&self) -> bool {
        self.asks("/me").await.status == 200
    }
}
