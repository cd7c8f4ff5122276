//! What goes on when Redis is away, and what waits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use urna_world::{Answer, Own, Voter, World, eventually};

use crate::people::{PASSWORD, email, once_open, organiser, person, round, session_of};

/// How long an answer may take that does not wait for Redis.
const SOON: Duration = Duration::from_secs(3);

struct Scene {
    world: World,
    ann: Voter,
    /// Somebody whose session has ended, and still has a token of it.
    ben: Voter,
    invites: Vec<String>,
}

/// A round of each eligibility, somebody who is signed in, and somebody who is no more.
async fn scene() -> Scene {
    let world = World::with_urna_owning(&[Own::Redis]).await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "board", json!({ "eligibility": "invited" })).await;
    round(&olga, "members", json!({ "eligibility": "account" })).await;
    let invites = olga.invites("board", 4).await;
    let ann = person(&world, "Ann").await;
    person(&world, "Ben").await;
    let ben = world.voter().with_tokens(&email("Ben"), PASSWORD).await;
    let path = format!("/sessions/{}", session_of(&ben).await);
    assert_eq!(ben.deletes(&path).await.status, 204);
    Scene { world, ann, ben, invites }
}

impl Scene {
    /// Ballots that ask for no account are accepted.
    async fn votes_go_on(&self, invite: &str) {
        let asked = Instant::now();
        assert!(self.world.voter().votes("cats").await.is_accepted());
        let invited =
            once_open(|| async { self.world.voter().votes_with(invite, "board", "cats").await }).await;
        assert!(invited.is_accepted(), "{invited:?}");
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }

    /// Whoever is signed in is told to come back, and nobody else is let in.
    async fn accounts_wait(&self) {
        let asked = Instant::now();
        let Self { world, ann, ben, .. } = self;
        let forged = world.voter().bearing("e30.e30.e30");
        let nobody = world.voter();
        let told: Vec<Answer> = join_all(["/me", "/sessions", "/users"].map(|path| ann.asks(path))).await;
        for answer in told.into_iter().chain([ann.votes_in("members", "cats").await, ben.asks("/me").await]) {
            assert_eq!((answer.status.as_u16(), answer.kind()), (503, "sessions-unavailable"), "{answer:?}");
            assert!(answer.retry_after.is_some());
        }
        for (who, status) in [(&forged, 401), (&nobody, 401)] {
            assert_eq!(who.asks("/me").await.status.as_u16(), status);
            assert_eq!(who.votes_in("members", "cats").await.status.as_u16(), status);
        }
        let page = ann.opens("/vote/members").await;
        assert!(page.contains("Signing in is not possible right now"), "{page}");
        assert!(ann.opens("/").await.contains("Sign in"), "pages that need nobody are shown");
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }

    /// Whoever was signed in is so again, and nobody else.
    async fn all_is_well(&self, choice: &str) {
        let Self { world, ann, ben, .. } = self;
        eventually("redis is found again", || async { ann.is_signed_in().await.then_some(()) }).await;
        assert!(ann.votes_in("members", choice).await.status != 503);
        assert_eq!(ben.asks("/me").await.kind(), "invalid-token", "what has ended has ended");
        let signed_in = world.voter().signs_in(&email("Ben"), PASSWORD).await;
        assert_eq!(signed_in.status, 303, "{}", signed_in.html);
    }
}

#[tokio::test]
async fn without_redis_ballots_go_on_and_whoever_is_signed_in_is_told_to_come_back() {
    let mut scene = scene().await;
    scene.world.redis_server().kill();
    scene.votes_go_on(&scene.invites[0]).await;
    scene.accounts_wait().await;
    let health = scene.world.voter().asks("/health").await;
    assert_eq!(
        (health.status.as_u16(), &health.body["checks"]["redis"]),
        (503, &json!("no route (nobody listens there)"))
    );
    scene.world.restart_redis().await;
    scene.all_is_well("cats").await;

    // Paused, it takes requests and never answers.
    scene.world.redis_server().pause();
    scene.accounts_wait().await;
    scene.votes_go_on(&scene.invites[1]).await;
    scene.world.redis_server().resume();
    scene.all_is_well("dogs").await;
    scene.world.close().await;
}

#[tokio::test]
async fn whoever_signs_in_while_redis_is_away_is_signed_in_nowhere_and_can_try_again() {
    let mut scene = scene().await;
    scene.world.redis_server().kill();
    let late = scene.world.voter();
    let answer = late.asks_for_tokens(&email("Ben"), PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (503, "session-not-opened"));
    assert!(!late.is_signed_in().await);
    let out = scene.ann.fills_in("/login", "/logout", &[]).await;
    assert_eq!(out.status, 503, "{}", out.html);
    assert!(!scene.ann.is_signed_in().await, "the browser has forgotten it");
    scene.world.restart_redis().await;
    eventually("signing in works again", || async {
        (late.signs_in(&email("Ben"), PASSWORD).await.status == 303).then_some(())
    })
    .await;
    scene.world.close().await;
}
