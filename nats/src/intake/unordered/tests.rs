use subjects::Timestamp;

use super::*;

type Actions = Vec<Action<u64>>;

/// An intake whose clock is moved by hand.
struct Bench {
    intake: UnorderedIntake<u64>,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let now = Now { wall: Timestamp::from_unix_millis(0).unwrap(), monotonic: Monotonic::default() };
        Self { intake: UnorderedIntake::new(), now }
    }

    /// An intake that waits for messages.
    fn reading() -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.on(Event::Wake), [Action::Open]);
        assert_eq!(bench.on(Event::Opened), [Action::Read]);
        bench
    }

    /// An intake whose actor works on the first of these messages.
    fn working(messages: &[u64]) -> Self {
        let mut bench = Self::reading();
        let delivered = messages.iter().map(|message| delivered(*message, 1)).collect();
        assert_eq!(bench.on(Event::Delivered(delivered)), [Action::HandOver(messages[0])]);
        bench
    }

    fn on(&mut self, event: Event<u64>) -> Actions {
        self.intake.on(event, self.now)
    }

    fn pass(&mut self, millis: u64) {
        self.now.monotonic = self.now.monotonic + Duration::from_millis(millis);
    }

    fn paused(&self, millis: u64) -> Actions {
        let until = self.now.monotonic + Duration::from_millis(millis);
        vec![Action::Pause { until, because: Interrupted::Failed("no answer".into()) }]
    }
}

/// A message whose content is its own sequence.
fn delivered(sequence: u64, deliveries: u64) -> Delivered<u64> {
    let consumer_sequence = sequence;
    Delivered {
        sequence,
        stored_at: None,
        consumer_sequence,
        deliveries,
        behind: 0,
        bytes: 1,
        message: sequence,
    }
}

fn failed() -> Event<u64> {
    Event::Failed("no answer".into())
}

fn refused() -> Event<u64> {
    Event::Replied(Err(Fault::Refuse("nonsense".into())))
}

fn acknowledged(message: u64, outcome: Outcome) -> Action<u64> {
    Action::Acknowledge { message, outcome }
}

#[test]
fn a_message_is_acknowledged_after_the_actor_has_done_it() {
    let mut bench = Bench::working(&[1, 2]);
    let done = bench.on(Event::Replied(Ok(())));
    assert_eq!(done, [acknowledged(1, Outcome::Done), Action::HandOver(2)]);
    let done = bench.on(Event::Replied(Ok(())));
    assert_eq!(done, [acknowledged(2, Outcome::Done), Action::Read]);
}

#[test]
fn what_the_actor_could_not_do_is_delivered_again_later_and_later() {
    for (deliveries, millis) in [(1, 100), (2, 200), (4, 800), (5, 1_000), (99, 1_000)] {
        let mut bench = Bench::reading();
        bench.on(Event::Delivered(vec![delivered(7, deliveries)]));
        let actions = bench.on(Event::Replied(Err(Fault::Retry("Postgres is away".into()))));
        let again = Outcome::Again(Duration::from_millis(millis));
        assert_eq!(actions, [acknowledged(7, again), Action::Read]);
    }
}

#[test]
fn what_nobody_can_handle_is_dead_lettered_and_never_delivered_again() {
    let mut bench = Bench::working(&[1, 2]);
    assert_eq!(bench.on(refused()), [Action::DeadLetter { message: 1, why: "nonsense".into() }]);
    let stored = bench.on(Event::DeadLettered);
    assert_eq!(stored, [acknowledged(1, Outcome::Never), Action::HandOver(2)]);
}

#[test]
fn what_could_not_be_dead_lettered_is_not_acknowledged() {
    let mut bench = Bench::working(&[1]);
    bench.on(refused());
    assert_eq!(bench.on(failed()), bench.paused(100));
}

#[test]
fn an_empty_delivery_is_read_past() {
    assert_eq!(Bench::reading().on(Event::Delivered(Vec::new())), [Action::Read]);
}

#[test]
fn after_a_failure_the_consumer_is_opened_anew() {
    let mut opening = Bench::new();
    opening.on(Event::Wake);
    for mut bench in [opening, Bench::reading(), Bench::working(&[1, 2])] {
        assert_eq!(bench.on(failed()), bench.paused(100));
        bench.pass(100);
        assert_eq!(bench.on(Event::Wake), [Action::Open]);
    }
}

#[test]
fn pauses_double_until_a_message_is_settled() {
    let mut bench = Bench::new();
    for millis in [100, 200, 400, 800, 1_000, 1_000] {
        assert_eq!(bench.on(Event::Wake), [Action::Open]);
        assert_eq!(bench.on(failed()), bench.paused(millis));
        bench.pass(millis);
    }
    bench.on(Event::Wake);
    bench.on(Event::Opened);
    bench.on(Event::Delivered(vec![delivered(1, 1)]));
    bench.on(Event::Replied(Ok(())));
    assert_eq!(bench.on(failed()), bench.paused(100));
}

#[test]
fn a_pause_ends_at_its_moment_and_by_nothing_else() {
    let mut bench = Bench::new();
    bench.on(Event::Wake);
    bench.on(failed());
    bench.pass(99);
    for event in [Event::Wake, failed(), Event::Opened, Event::Replied(Ok(())), Event::DeadLettered] {
        assert_eq!(bench.on(event.clone()), [], "{event:?}");
    }
    bench.pass(1);
    assert_eq!(bench.on(Event::Wake), [Action::Open]);
}

#[test]
fn an_answer_to_nothing_that_was_asked_changes_nothing() {
    let mut bench = Bench::working(&[1]);
    for event in [Event::Wake, Event::Opened, Event::DeadLettered, Event::Delivered(vec![delivered(9, 1)])] {
        assert_eq!(bench.on(event.clone()), [], "{event:?}");
    }
    assert_eq!(bench.on(Event::Replied(Ok(()))), [acknowledged(1, Outcome::Done), Action::Read]);
}

#[test]
fn told_to_stop_it_finishes_the_message_in_hand_and_no_other() {
    let mut bench = Bench::working(&[1, 2]);
    assert_eq!(bench.on(Event::Stop), []);
    let done = bench.on(Event::Replied(Ok(())));
    assert_eq!(done, [acknowledged(1, Outcome::Done), Action::End(Ok(()))]);
    assert_eq!(bench.on(Event::Wake), [], "it has ended");

    let mut bench = Bench::working(&[1, 2]);
    bench.on(refused());
    assert_eq!(bench.on(Event::Stop), []);
    let stored = bench.on(Event::DeadLettered);
    assert_eq!(stored, [acknowledged(1, Outcome::Never), Action::End(Ok(()))]);
}

#[test]
fn told_to_stop_it_dead_letters_what_the_actor_refuses_then() {
    let mut bench = Bench::working(&[1, 2]);
    bench.on(Event::Stop);
    assert_eq!(bench.on(refused()), [Action::DeadLetter { message: 1, why: "nonsense".into() }]);
    let stored = bench.on(Event::DeadLettered);
    assert_eq!(stored, [acknowledged(1, Outcome::Never), Action::End(Ok(()))]);
}

#[test]
fn told_to_stop_it_waits_for_nothing_that_failed() {
    let mut bench = Bench::working(&[1]);
    bench.on(Event::Stop);
    assert_eq!(bench.on(failed()), [Action::End(Ok(()))]);

    let mut bench = Bench::working(&[1]);
    bench.on(refused());
    bench.on(Event::Stop);
    assert_eq!(bench.on(failed()), [Action::End(Ok(()))]);
}

#[test]
fn told_to_stop_with_nothing_in_hand_it_ends_at_once() {
    let (mut opening, mut pausing) = (Bench::new(), Bench::new());
    opening.on(Event::Wake);
    pausing.on(Event::Wake);
    pausing.on(failed());
    for mut bench in [opening, pausing, Bench::reading()] {
        assert_eq!(bench.on(Event::Stop), [Action::End(Ok(()))]);
    }
}

#[test]
fn it_ends_with_its_actor() {
    for mut bench in [Bench::working(&[1]), Bench::reading()] {
        assert_eq!(bench.on(Event::ActorGone), [Action::End(Err(ActorGone))]);
        assert_eq!(bench.on(Event::Stop), []);
    }
}
