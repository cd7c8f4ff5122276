use subjects::Timestamp;

use super::super::batching::{LARGE_RUN_BYTES, LARGE_RUN_EVERY, RUN_EVERY, RUN_MAX};
use super::*;
use crate::delivered::Delivered;
use crate::rollback::{AtPlace, RolledBack};

/// A batch is decoded to the number that it was given.
type Actions = Vec<Action<u64, u64>>;

/// An intake whose clock is moved by hand.
struct Bench {
    intake: OrderedIntake<u64, u64>,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let now = Now { wall: stored_at(0), monotonic: Monotonic::default() };
        Self { intake: OrderedIntake::new(), now }
    }

    /// An intake that has asked its actor for its position.
    fn locating() -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.on(Event::Wake), [Action::AskPosition]);
        bench
    }

    /// An intake that waits for the first message of the stream.
    fn reading() -> Self {
        let mut bench = Self::locating();
        assert_eq!(bench.on(Event::Position(LastRead::default())), [Action::Open { next: 1 }]);
        assert_eq!(bench.on(Event::Opened), [Action::Read]);
        bench
    }

    /// An intake whose actor works on the message 1, with so many behind it.
    fn working(behind: u64) -> Self {
        let mut bench = Self::reading();
        bench.on(Event::Delivered(vec![delivered(1, behind)]));
        bench.pass(50);
        bench.on(Event::Wake);
        let actions = bench.decoded(0);
        assert!(actions.contains(&Action::HandOver { batch: 0, behind }), "{actions:?}");
        bench
    }

    fn on(&mut self, event: Event<u64, u64>) -> Actions {
        self.intake.on(event, self.now)
    }

    fn decoded(&mut self, number: u64) -> Actions {
        self.on(Event::Decoded { number, batch: number, undecodable: Vec::new() })
    }

    /// Delivers as many messages behind `last` as fill a batch, with more behind them, and returns the last of them.
    fn fill(&mut self, last: u64) -> (u64, Actions) {
        let newest = last + RUN_MAX as u64;
        let full = (last + 1..=newest).map(|sequence| delivered(sequence, 1)).collect();
        (newest, self.on(Event::Delivered(full)))
    }

    fn pass(&mut self, millis: u64) {
        self.now.monotonic = self.now.monotonic + Duration::from_millis(millis);
    }

    fn after(&self, wait: Duration) -> Action<u64, u64> {
        Action::WakeAt(self.now.monotonic + wait)
    }

    fn paused(&self, millis: u64, because: Interrupted) -> Actions {
        let until = self.now.monotonic + Duration::from_millis(millis);
        vec![Action::Pause { until, because }]
    }
}

fn stored_at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).unwrap()
}

/// A message whose content is its own sequence.
fn delivered(sequence: u64, behind: u64) -> Delivered<u64> {
    let consumer_sequence = sequence;
    Delivered {
        sequence,
        stored_at: None,
        consumer_sequence,
        deliveries: 1,
        behind,
        bytes: 1,
        message: sequence,
    }
}

fn failed() -> Event<u64, u64> {
    Event::Failed("no answer".into())
}

fn no_answer() -> Interrupted {
    Interrupted::Failed("no answer".into())
}

/// The numbers of the batches that these actions decode, each with the number of its messages.
fn decodes(actions: &Actions) -> Vec<(u64, usize)> {
    let decode = |action: &Action<u64, u64>| match action {
        Action::Decode { number, messages } => Some((*number, messages.len())),
        _ => None,
    };
    actions.iter().filter_map(decode).collect()
}

#[test]
fn it_reads_behind_the_position_of_its_actor() {
    let mut bench = Bench::locating();
    let read = LastRead { sequence: 7, stored_at: Some(stored_at(7)) };
    assert_eq!(bench.on(Event::Position(read)), [Action::AskEnd]);
    assert_eq!(bench.on(Event::EndTold(9)), [Action::ReadPlace(7)]);
    let there = AtPlace::Message { stored_at: Some(stored_at(7)) };
    assert_eq!(bench.on(Event::PlaceTold(there)), [Action::Open { next: 8 }]);
    assert_eq!(bench.on(Event::Opened), [Action::Read]);
    let actions = bench.on(Event::Delivered(vec![delivered(8, 0)]));
    assert_eq!(decodes(&actions), [(0, 1)]);
}

#[test]
fn a_position_without_a_moment_is_compared_by_its_sequence_alone() {
    let mut bench = Bench::locating();
    bench.on(Event::Position(LastRead { sequence: 7, stored_at: None }));
    assert_eq!(bench.on(Event::EndTold(7)), [Action::Open { next: 8 }]);
}

#[test]
fn a_stream_that_was_rolled_back_is_not_read() {
    let read = LastRead { sequence: 7, stored_at: Some(stored_at(7)) };
    let mut bench = Bench::locating();
    bench.on(Event::Position(read));
    let shorter = RolledBack::Shorter { end: 6, read: 7 };
    assert_eq!(bench.on(Event::EndTold(6)), bench.paused(100, shorter.into()));
    bench.pass(100);
    assert_eq!(bench.on(Event::Wake), [Action::AskPosition], "it asks again for as long as it runs");
    bench.on(Event::Position(read));
    bench.on(Event::EndTold(7));
    let another = AtPlace::Message { stored_at: Some(stored_at(99)) };
    let found = RolledBack::Another { read: 7 };
    assert_eq!(bench.on(Event::PlaceTold(another)), bench.paused(200, found.into()));
}

#[test]
fn a_lone_message_is_handed_over_at_once_and_acknowledged_when_done() {
    let mut bench = Bench::reading();
    let decode = Action::Decode { number: 0, messages: vec![delivered(1, 0)] };
    assert_eq!(bench.on(Event::Delivered(vec![delivered(1, 0)])), [decode]);
    assert_eq!(bench.decoded(0), [Action::HandOver { batch: 0, behind: 0 }]);
    assert_eq!(bench.on(Event::Done), [Action::Acknowledge(1), bench.after(RUN_EVERY)]);
}

#[test]
fn with_nothing_behind_it_a_batch_is_followed_by_a_pause() {
    for (bytes, every) in [(LARGE_RUN_BYTES - 1, RUN_EVERY), (LARGE_RUN_BYTES, LARGE_RUN_EVERY)] {
        let mut bench = Bench::reading();
        let begin = bench.now.monotonic;
        bench.on(Event::Delivered(vec![Delivered { bytes, ..delivered(1, 0) }]));
        bench.decoded(0);
        bench.pass(5);
        let next = Action::WakeAt(begin + every);
        assert_eq!(bench.on(Event::Done), [Action::Acknowledge(1), next.clone()]);
        bench.pass(every.as_millis() as u64 - 6);
        assert_eq!(bench.on(Event::Wake), [next], "a millisecond early");
        bench.pass(1);
        assert_eq!(bench.on(Event::Wake), [Action::Read]);
    }
}

#[test]
fn an_actor_that_takes_longer_than_the_pause_is_not_paused_for() {
    let mut bench = Bench::reading();
    bench.on(Event::Delivered(vec![delivered(1, 0)]));
    bench.decoded(0);
    bench.pass(1_000);
    assert_eq!(bench.on(Event::Done), [Action::Acknowledge(1), Action::Read]);
}

#[test]
fn a_batch_waits_for_what_is_on_its_way_but_not_for_long() {
    let mut bench = Bench::reading();
    let wait = bench.after(Duration::from_millis(50));
    assert_eq!(bench.on(Event::Delivered(vec![delivered(1, 2)])), [Action::Read, wait.clone()]);
    bench.pass(49);
    assert_eq!(bench.on(Event::Delivered(vec![delivered(2, 1)])), [Action::Read, wait]);
    bench.pass(1);
    assert_eq!(decodes(&bench.on(Event::Wake)), [(0, 2)]);
}

#[test]
fn what_arrives_after_a_batch_has_waited_is_in_the_next() {
    let mut bench = Bench::reading();
    bench.on(Event::Delivered(vec![delivered(1, 2)]));
    bench.pass(50);
    bench.on(Event::Wake);
    assert_eq!(bench.on(Event::Delivered(vec![delivered(2, 0)])), [], "the actor has no batch yet");
    let handed = bench.decoded(0);
    assert_eq!(handed[0], Action::HandOver { batch: 0, behind: 2 });
    assert_eq!(decodes(&handed), [(1, 1)]);
}

#[test]
fn while_there_is_much_to_read_two_batches_are_decoded_and_one_is_in_hand() {
    let mut bench = Bench::reading();
    let (last, first) = bench.fill(0);
    assert_eq!((decodes(&first), &first[1]), (vec![(0, RUN_MAX)], &Action::Read));
    let handed = bench.decoded(0);
    assert_eq!(handed, [Action::HandOver { batch: 0, behind: 1 }]);
    let (last, second) = bench.fill(last);
    assert_eq!((decodes(&second), &second[1]), (vec![(1, RUN_MAX)], &Action::Read));
    let (last, third) = bench.fill(last);
    assert_eq!((decodes(&third), &third[1]), (vec![(2, RUN_MAX)], &Action::Read));
    let (_, fourth) = bench.fill(last);
    assert_eq!(decodes(&fourth), [(3, RUN_MAX)]);
    assert_eq!(fourth.len(), 1, "no more is read");
    assert_eq!(bench.decoded(1), [], "the actor still works");
    let done = bench.on(Event::Done);
    let handed = Action::HandOver { batch: 1, behind: 1 };
    assert_eq!(done, [Action::Acknowledge(RUN_MAX as u64), handed, Action::Read]);
}

#[test]
fn batches_are_handed_over_in_order_however_they_are_decoded() {
    let mut bench = Bench::reading();
    let (last, _) = bench.fill(0);
    bench.fill(last);
    assert_eq!(bench.decoded(1), []);
    assert_eq!(bench.decoded(0), [Action::HandOver { batch: 0, behind: 1 }]);
    let done = bench.on(Event::Done);
    assert_eq!(done[1], Action::HandOver { batch: 1, behind: 1 });
}

#[test]
fn a_batch_that_is_not_full_is_handed_over_before_more_is_read() {
    let mut bench = Bench::working(9);
    // The first reading is still open: more may arrive, and waits until the actor is free.
    assert_eq!(
        bench.on(Event::Delivered(vec![delivered(2, 8)])),
        [Action::Read, bench.after(Duration::from_millis(50))]
    );
    bench.pass(50);
    assert_eq!(decodes(&bench.on(Event::Wake)), [(1, 1)]);
    assert_eq!(bench.decoded(1), [], "the actor still works");
    assert_eq!(bench.on(Event::Delivered(vec![delivered(3, 7)])), []);
    let done = bench.on(Event::Done);
    assert_eq!(done[..2], [Action::Acknowledge(1), Action::HandOver { batch: 1, behind: 8 }]);
    assert_eq!(done[2..], [Action::Read, bench.after(Duration::from_millis(50))]);
}

#[test]
fn a_gap_and_a_redelivery_begin_anew_at_the_actors_position() {
    for (came, expected) in [(3, 2), (1, 2)] {
        let mut bench = Bench::working(0);
        let actions = bench.on(Event::Delivered(vec![delivered(came, 0)]));
        assert_eq!(actions, bench.paused(100, Interrupted::OutOfOrder { expected, came }));
        bench.pass(100);
        assert_eq!(bench.on(Event::Wake), [Action::AskPosition]);
        bench.on(Event::Position(LastRead { sequence: 1, stored_at: None }));
        assert_eq!(bench.on(Event::EndTold(3)), [Action::Open { next: 2 }]);
    }
}

#[test]
fn a_gap_within_a_delivery_is_found() {
    let mut bench = Bench::reading();
    let actions = bench.on(Event::Delivered(vec![delivered(1, 2), delivered(3, 0)]));
    assert_eq!(actions, bench.paused(100, Interrupted::OutOfOrder { expected: 2, came: 3 }));
}

#[test]
fn an_undecodable_message_is_dead_lettered_before_its_batch_goes_on() {
    let mut bench = Bench::reading();
    bench.on(Event::Delivered(vec![delivered(1, 2), delivered(2, 1), delivered(3, 0)]));
    let undecodable = vec![(1, "no JSON".to_owned()), (3, "no UTF-8".to_owned())];
    let dead_letter = |message, why: &str| Action::DeadLetter { number: 0, message, why: why.into() };
    let decoded = bench.on(Event::Decoded { number: 0, batch: 0, undecodable });
    assert_eq!(decoded, [dead_letter(1, "no JSON")]);
    assert_eq!(bench.on(Event::DeadLettered(0)), [dead_letter(3, "no UTF-8")]);
    assert_eq!(bench.on(Event::DeadLettered(0)), [Action::HandOver { batch: 0, behind: 0 }]);
    assert_eq!(bench.on(Event::DeadLettered(0)), [], "once");
}

#[test]
fn whatever_it_waits_for_a_failure_makes_it_begin_anew() {
    let read = LastRead { sequence: 7, stored_at: Some(stored_at(7)) };
    let there = AtPlace::Message { stored_at: Some(stored_at(7)) };
    let steps = [
        vec![],
        vec![Event::Position(read)],
        vec![Event::Position(read), Event::EndTold(7)],
        vec![Event::Position(read), Event::EndTold(7), Event::PlaceTold(there)],
        vec![Event::Position(LastRead::default()), Event::Opened],
        vec![Event::Position(LastRead::default()), Event::Opened, Event::Delivered(vec![delivered(1, 0)])],
    ];
    for events in steps {
        let mut bench = Bench::locating();
        for event in events.clone() {
            bench.on(event);
        }
        assert_eq!(bench.on(failed()), bench.paused(100, no_answer()), "{events:?}");
        bench.pass(100);
        assert_eq!(bench.on(Event::Wake), [Action::AskPosition], "{events:?}");
    }
}

#[test]
fn what_the_actor_failed_to_do_is_not_acknowledged() {
    let mut bench = Bench::working(0);
    assert_eq!(bench.on(failed()), bench.paused(100, no_answer()));
    assert_eq!(bench.on(Event::Done), [], "that batch is forgotten");
}

#[test]
fn pauses_double_until_a_batch_is_handed_over() {
    let mut bench = Bench::new();
    for millis in [100, 200, 400, 800, 1_000, 1_000] {
        assert_eq!(bench.on(Event::Wake), [Action::AskPosition]);
        assert_eq!(bench.on(failed()), bench.paused(millis, no_answer()));
        bench.pass(millis);
    }
    bench.on(Event::Wake);
    bench.on(Event::Position(LastRead::default()));
    bench.on(Event::Opened);
    bench.on(Event::Delivered(vec![delivered(1, 0)]));
    bench.decoded(0);
    assert_eq!(bench.on(failed()), bench.paused(100, no_answer()));
}

#[test]
fn a_pause_ends_at_its_moment_and_by_nothing_else() {
    let mut bench = Bench::locating();
    bench.on(failed());
    bench.pass(99);
    for event in [Event::Wake, failed(), Event::Opened, Event::Done, Event::EndTold(1)] {
        assert_eq!(bench.on(event.clone()), [], "{event:?}");
    }
    bench.pass(1);
    assert_eq!(bench.on(Event::Wake), [Action::AskPosition]);
}

#[test]
fn an_answer_to_nothing_that_was_asked_changes_nothing() {
    let mut bench = Bench::working(9);
    let told = [Event::EndTold(1), Event::PlaceTold(AtPlace::Nothing), Event::Position(LastRead::default())];
    for event in told {
        assert_eq!(bench.on(event.clone()), [], "{event:?}");
    }
    bench.decoded(7);
    let done = bench.on(Event::Done);
    assert_eq!(done[0], Action::Acknowledge(1));
}

#[test]
fn told_to_stop_it_finishes_the_batch_in_hand_and_no_other() {
    let mut bench = Bench::reading();
    let (last, _) = bench.fill(0);
    bench.fill(last);
    bench.decoded(0);
    bench.decoded(1);
    assert_eq!(bench.on(Event::Stop), []);
    assert_eq!(bench.on(Event::Wake), []);
    assert_eq!(bench.on(Event::Done), [Action::Acknowledge(last), Action::End(Ok(()))]);
    assert_eq!(bench.on(Event::Wake), [], "it has ended");
}

#[test]
fn told_to_stop_it_waits_for_nothing_that_failed() {
    let mut bench = Bench::working(0);
    bench.on(Event::Stop);
    assert_eq!(bench.on(failed()), [Action::End(Ok(()))]);
}

#[test]
fn told_to_stop_with_nothing_in_hand_it_ends_at_once() {
    let (mut pausing, mut decoding) = (Bench::locating(), Bench::reading());
    pausing.on(failed());
    decoding.on(Event::Delivered(vec![delivered(1, 0)]));
    for mut bench in [pausing, decoding, Bench::locating(), Bench::reading()] {
        assert_eq!(bench.on(Event::Stop), [Action::End(Ok(()))]);
    }
}

#[test]
fn it_ends_with_its_actor() {
    let mut stopping = Bench::working(0);
    stopping.on(Event::Stop);
    for mut bench in [Bench::locating(), Bench::working(0), stopping] {
        assert_eq!(bench.on(Event::ActorGone), [Action::End(Err(ActorGone))]);
        assert_eq!(bench.on(Event::Stop), []);
    }
}
