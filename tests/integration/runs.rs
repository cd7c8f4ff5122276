//! Runs of messages for an actor that keeps its own place: few and full ones when there is much to be read, and none
//! that lets a message wait which is there.

use std::time::Duration;

use actix::{Actor, Context, Handler};
use nats::intake::{Fault, Intake, Position, Run};
use nats::{Bus, Clock, Expect, LastRead, TraceContext};
use subjects::{
    BallotId, BallotsCast, CastBallot, Choice, Durable, MessageId, OptionId, RoundId, Stream, Timestamp,
    VoteMessage, Voter,
};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use urna_world::World;

/// How many messages there are.
const MESSAGES: u64 = 600;
/// How many ballots each holds: together they are more than a megabyte.
const BALLOTS: u64 = 20;
/// How long after the last message was stored all of them must have been handed over.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(2);

/// An actor that notes at which sequences its runs end.
#[derive(Clone)]
struct Notes(watch::Sender<Vec<u64>>);

impl Notes {
    fn last(&self) -> u64 {
        last(&self.0.borrow())
    }
}

/// Where the last of these runs ended; 0 before the first.
fn last(runs: &[u64]) -> u64 {
    runs.last().copied().unwrap_or(0)
}

impl Actor for Notes {
    type Context = Context<Self>;
}

impl Handler<Position> for Notes {
    type Result = Result<LastRead, Fault>;

    fn handle(&mut self, _: Position, _: &mut Context<Self>) -> Self::Result {
        Ok(LastRead { sequence: self.last(), stored_at: None })
    }
}

impl Handler<Run<VoteMessage>> for Notes {
    type Result = Result<(), Fault>;

    fn handle(&mut self, run: Run<VoteMessage>, _: &mut Context<Self>) -> Self::Result {
        let last = self.last();
        assert!(
            run.messages.iter().map(|message| message.sequence).eq((last + 1..).take(run.messages.len()))
        );
        self.0.send_modify(|runs| runs.push(last + run.messages.len() as u64));
        Ok(())
    }
}

/// A log without a box, and an actor that is fed from it.
struct Feed {
    bus: Bus,
    round: RoundId,
    notes: Notes,
    stop: CancellationToken,
}

impl Feed {
    async fn of(world: &World) -> Self {
        let bus = world.bus("runs").await;
        let round = RoundId::parse("demo").expect("a name");
        bus.create_log(&Stream::votes(&round)).await.expect("a log");
        let notes = Notes(watch::Sender::new(Vec::new()));
        Self { bus, round, notes, stop: CancellationToken::new() }
    }

    fn begin(&self) {
        let (durable, stop) = (Durable::tally(&self.round), self.stop.clone());
        let intake = Intake { bus: self.bus.clone(), durable, clock: Clock::system(), stop };
        let actor = self.notes.clone().start();
        self.bus.spawn(intake.in_order(actor.clone().recipient(), actor.recipient::<Run<VoteMessage>>()));
    }

    /// Appends the block of this number, of voters of its own, and waits until it is stored.
    async fn append(&self, number: u64) {
        let cast = |voter: u64| CastBallot {
            ballot: BallotId::random(),
            voter: Voter::from_bytes(u128::from(voter).to_be_bytes()),
            choice: Choice([OptionId::parse("cats").expect("a name")].into()),
            replaces: None,
        };
        let block = BallotsCast {
            at: Timestamp::from_unix_millis(2_000_000_000_000).expect("a moment"),
            round: self.round.clone(),
            ballots: (number * BALLOTS..).map(cast).take(BALLOTS as usize).collect(),
        };
        let said = self.bus.say(&block, &MessageId::random(), Expect::Nothing, TraceContext::start()).await;
        said.expect("a block is stored");
    }

    /// Waits until everything is handed over, and says where the runs ended.
    async fn runs(&self) -> Vec<u64> {
        let mut runs = self.notes.0.subscribe();
        let all = timeout(HANDED_OVER_WITHIN, runs.wait_for(|runs| last(runs) == MESSAGES)).await.is_ok();
        let runs = runs.borrow().clone();
        assert!(all, "handed over in time: {runs:?}");
        runs
    }

    async fn end(self, world: World) {
        self.stop.cancel();
        self.bus.finished().await;
        world.abandon();
    }
}

#[actix_web::test]
async fn what_lies_in_a_log_is_handed_over_in_few_runs() {
    let world = World::new().await;
    let feed = Feed::of(&world).await;
    for number in 0..MESSAGES {
        feed.append(number).await;
    }
    feed.begin();
    let runs = feed.runs().await;
    // Three, of 256, 512 and up to 1,024 KiB, unless the machine is busy elsewhere for longer than a run waits.
    assert!((3..MESSAGES as usize / 10).contains(&runs.len()), "{runs:?}");
    feed.end(world).await;
}

#[actix_web::test]
async fn what_comes_one_by_one_does_not_wait_for_runs_of_its_own() {
    let world = World::new().await;
    let feed = Feed::of(&world).await;
    feed.begin();
    for number in 0..MESSAGES {
        feed.append(number).await;
    }
    feed.runs().await;
    feed.end(world).await;
}
