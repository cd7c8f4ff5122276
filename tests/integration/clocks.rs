//! Clocks that jump and disagree. The log decides, whatever they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use nats::{Bus, Clock};
use sqlx::postgres::PgPoolOptions;
use subjects::Timestamp;
use tokio_util::sync::CancellationToken;
use urna_world::{World, audit, eventually};
use vote::Vote;

/// When the round of these tests closes, in milliseconds since 1970.
const CLOSES_AT: i64 = 2_000_000_000_000;

/// A clock that shows what it is told to.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn at(millis: i64) -> Self {
        Self(Arc::new(AtomicI64::new(millis)))
    }

    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Clock::from_fn(move || moment(hands.load(Ordering::Relaxed)))
    }
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).expect("a moment")
}

/// The actor round, with this clock, and its demonstration round that closes at its time.
async fn start_round(world: &World, bus: &Bus, clock: Clock, stop: &CancellationToken) -> round::Handle {
    let pool = PgPoolOptions::new().connect_lazy(&world.database_url()).expect("an address");
    let edge = world.edge(&clock);
    let given = round::Given { bus: bus.clone(), clock, pool, edge, stop: stop.clone() };
    let handle = round::start(&given);
    let labels = ["Cats".to_owned(), "Dogs".to_owned()];
    let demonstration = round::rules::demonstration("Cats or dogs?", &labels, Some(moment(CLOSES_AT)));
    handle.ensure(demonstration.expect("a round")).await;
    handle
}

async fn start_vote(world: &World, bus: &Bus, clock: Clock, stop: &CancellationToken) -> Vote {
    let edge = world.edge(&clock);
    let given = vote::Given { bus: bus.clone(), clock, edge, waiting_max: 100, stop: stop.clone() };
    let vote = vote::start(given, actix::Arbiter::current());
    eventually("the box is open", || async {
        let id = subjects::RoundId::parse("demo").ok()?;
        vote.open_box(&id)?.observe().await?.caught_up.then_some(())
    })
    .await;
    vote
}

/// Casts a ballot for `voter` and returns the status.
async fn votes(vote: &Vote, voter: &str) -> StatusCode {
    let app = init_service(App::new().configure(|config: &mut web::ServiceConfig| vote.routes(config))).await;
    let request = TestRequest::post().uri("/vote").insert_header(("X-Voter-Id", voter.to_owned()));
    let request = request.set_json(serde_json::json!({ "round": "demo", "choice": ["cats"] }));
    call_service(&app, request.to_request()).await.status()
}

async fn sealed(bus: &Bus) {
    eventually("the seal is in the log", || async {
        bus.newest_of("VOTES-demo", "vote.demo.sealed").await.ok().flatten().map(|_| ())
    })
    .await;
}

#[actix_web::test]
async fn nothing_follows_the_seal_however_slow_a_clock_is() {
    let world = World::new().await;
    let (bus, stop) = (world.bus("clocks").await, CancellationToken::new());
    let (organisers, slow) = (Hands::at(CLOSES_AT - 1_000), Hands::at(CLOSES_AT - 3_600_000));
    let _round = start_round(&world, &bus, organisers.clock(), &stop).await;
    let vote = start_vote(&world, &bus, slow.clock(), &stop).await;
    assert_eq!(votes(&vote, "in-time").await, StatusCode::CREATED);

    // It jumps: the round closes at once. The other clock is an hour behind, and stays there.
    organisers.set(CLOSES_AT + 86_400_000);
    sealed(&bus).await;
    assert_eq!(votes(&vote, "late").await, StatusCode::CONFLICT);
    // It jumps back: what is sealed stays sealed.
    organisers.set(CLOSES_AT - 86_400_000);
    assert_eq!(votes(&vote, "later").await, StatusCode::CONFLICT);
    let audit = audit(&world).await;
    assert_eq!((audit.accepted, audit.sealed), (1, Some(2)));
    stop.cancel();
    world.abandon();
}

#[actix_web::test]
async fn a_clock_that_is_fast_refuses_early_and_harms_nothing() {
    let world = World::new().await;
    let (bus, stop) = (world.bus("clocks").await, CancellationToken::new());
    let (organisers, fast) = (Hands::at(CLOSES_AT - 60_000), Hands::at(CLOSES_AT + 60_000));
    let _round = start_round(&world, &bus, organisers.clock(), &stop).await;
    let vote = start_vote(&world, &bus, fast.clock(), &stop).await;
    assert_eq!(votes(&vote, "ann").await, StatusCode::CONFLICT);
    fast.set(CLOSES_AT - 60_000);
    assert_eq!(votes(&vote, "ann").await, StatusCode::CREATED, "set right, it goes on");
    assert_eq!(audit(&world).await.accepted, 1);
    stop.cancel();
    world.abandon();
}
