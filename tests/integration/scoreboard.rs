//! The scoreboard in Postgres: whoever is behind changes nothing.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection};
use subjects::{Ledger, OptionId, RoundId, Timestamp};
use tally::rules::Scoreboard;
use tally::store::{Store, StoreError};
use urna_world::{Own, World};

fn counts(sequence: u64, cats: u64) -> Scoreboard {
    let votes = [(OptionId::parse("cats").expect("a slug"), i64::try_from(cats).expect("few"))].into();
    let ledger = Ledger { accepted: cats, counted: cats, replaced: 0, unreadable: 0 };
    let stored_at = Timestamp::from_unix_millis(1_795_253_400_250);
    Scoreboard { sequence, stored_at, votes, ledger, is_final: false, generation: 0 }
}

async fn store(world: &World) -> Store {
    Store::new(PgPoolOptions::new().connect_lazy(&world.database_url()).expect("an address"))
}

#[tokio::test]
async fn of_two_tallies_that_count_the_same_messages_one_is_told_that_it_is_behind() {
    let world = World::new().await;
    let (one, other) = (store(&world).await, store(&world).await);
    let round = RoundId::parse("demo").unwrap();
    let nothing = one.read(&round).await.unwrap();
    one.commit(&round, &nothing, &counts(3, 5)).await.unwrap();
    let behind = other.commit(&round, &nothing, &counts(2, 4)).await;
    assert!(matches!(behind, Err(StoreError::Moved)), "{behind:?}");
    assert_eq!(one.read(&round).await.unwrap(), counts(3, 5), "it changed nothing");
    let read = other.read(&round).await.unwrap();
    other.commit(&round, &read, &counts(4, 6)).await.unwrap();
    world.abandon();
}

#[tokio::test]
async fn counts_that_were_put_in_place_are_read_again_before_anything_is_added() {
    let world = World::new().await;
    let (tally, operator) = (store(&world).await, store(&world).await);
    let round = RoundId::parse("demo").unwrap();
    tally.commit(&round, &Scoreboard::default(), &counts(3, 9)).await.unwrap();
    let wrong = tally.read(&round).await.unwrap();
    operator.replace(&round, &counts(3, 5)).await.unwrap();
    let from_memory = tally.commit(&round, &wrong, &counts(4, 10)).await;
    assert!(matches!(from_memory, Err(StoreError::Moved)), "{from_memory:?}");
    let right = tally.read(&round).await.unwrap();
    assert_eq!(right, Scoreboard { generation: 1, ..counts(3, 5) });
    tally.commit(&round, &right, &Scoreboard { generation: 1, ..counts(4, 6) }).await.unwrap();
    world.abandon();
}

#[tokio::test]
async fn a_migration_that_is_given_up_leaves_no_lock_behind() {
    // Shared databases are migrated already. This one has the schema, and nothing in it.
    let world = World::owning(&[Own::Postgres]).await;
    let mut other = PgConnection::connect(&world.database_url()).await.unwrap();
    let mut holds_up = other.begin().await.unwrap();
    sqlx::query("create table tally._sqlx_migrations ()").execute(&mut *holds_up).await.unwrap();
    let (impatient, next) = (store(&world).await, store(&world).await);
    let looked = tokio::time::timeout(Duration::from_millis(500), impatient.check()).await;
    assert!(looked.is_err(), "it is held up");
    holds_up.rollback().await.unwrap();
    assert_eq!(next.check().await, Ok(()));
    assert_eq!(impatient.check().await, Ok(()));
    world.abandon();
}
