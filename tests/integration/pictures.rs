//! Pictures that no round shows any more.

use nats::{Bus, Clock, Expect, TraceContext};
use sqlx::postgres::PgPoolOptions;
use subjects::{
    Bucket, Change, MessageId, OptionId, PictureId, Round, RoundChanged, RoundId, RoundOption, Timestamp,
};
use tokio_util::sync::CancellationToken;
use urna_world::{World, eventually};

const PICTURES: Bucket = Bucket::pictures();

/// A round with an option that has this picture.
fn showing(picture: PictureId) -> RoundChanged {
    let cats = RoundOption::new(OptionId::parse("cats").expect("a name"), "Cats");
    let options = vec![RoundOption { picture: Some(picture), ..cats }];
    let round = Round { options, ..Round::blank(RoundId::parse("board").expect("a name")) };
    RoundChanged { at: Clock::system().now(), change: Change::Created, round }
}

/// The actor round by a clock that goes ahead so many milliseconds.
fn start(world: &World, bus: &Bus, ahead: i64, stop: &CancellationToken) -> round::Handle {
    let now = move || Timestamp::from_unix_millis(Clock::system().now().unix_millis() + ahead);
    let clock = Clock::from_fn(move || now().expect("a moment"));
    let pool = PgPoolOptions::new().connect_lazy(&world.database_url()).expect("an address");
    let edge = world.edge(&clock);
    round::start(&round::Given { bus: bus.clone(), clock, pool, edge, stop: stop.clone() })
}

#[actix_web::test]
async fn a_picture_that_no_round_shows_is_deleted_after_an_hour_and_no_other() {
    let world = World::new().await;
    let bus = world.bus("pictures").await;
    eventually("the bus is there", || async { bus.is_connected().then_some(()) }).await;
    let [shown, left_over] = [1, 2].map(|number| PictureId::from_bytes([number; 32]));
    for (picture, bytes) in [(shown, b"cats"), (left_over, b"dogs")] {
        bus.put_object(&PICTURES, &picture.to_string(), bytes).await.expect("it is stored");
    }
    let said = bus.say(&showing(shown), &MessageId::random(), Expect::Nothing, TraceContext::start()).await;
    said.expect("the round is stored");

    // Nobody can tell while it is being deleted.
    let is_there = async |picture: PictureId| {
        bus.object(&PICTURES, &picture.to_string()).await.ok().map(|found| found.is_some())
    };
    let stop = CancellationToken::new();
    let _round = start(&world, &bus, 2 * 60 * 60 * 1_000, &stop);
    eventually("what is left over is deleted", || async {
        (is_there(left_over).await == Some(false)).then_some(())
    })
    .await;
    assert_eq!(is_there(shown).await, Some(true));
    // It can come back.
    bus.put_object(&PICTURES, &left_over.to_string(), b"dogs").await.expect("it is stored");
    assert_eq!(is_there(left_over).await, Some(true));
    stop.cancel();
    world.abandon();
}
