use subjects::Timestamp;

use super::*;

type Actions = Vec<Action<u64>>;

/// A reader whose clock is moved by hand.
struct Bench {
    reader: OrderedReader,
    now: Now,
}

impl Bench {
    fn new(start: StartAt) -> Self {
        let now = Now { wall: stored_at(0), monotonic: Monotonic::default() };
        Self { reader: OrderedReader::new(start), now }
    }

    /// A reader that has read `last` as the first message of its consumer, and waits for more.
    fn reading(last: u64) -> Self {
        let mut bench = Self::new(StartAt::Sequence(last));
        bench.on(Event::Wake);
        bench.on(Event::Opened { pending: 1 });
        bench.on(Event::Delivered(vec![delivered(1, last, 0)]));
        bench
    }

    /// The same, whose connection broke, at the moment at which it tries again.
    fn interrupted(last: u64) -> Self {
        let mut bench = Self::reading(last);
        bench.on(Event::ConnectionLost);
        bench.pass(1_000);
        assert_eq!(bench.on(Event::Wake), [Action::Request(Request::AskEnd)]);
        bench
    }

    fn on(&mut self, event: Event<u64>) -> Actions {
        self.reader.on(event, self.now)
    }

    fn pass(&mut self, millis: u64) {
        self.now.monotonic = self.now.monotonic + Duration::from_millis(millis);
    }

    /// A pause that ends so many milliseconds from now.
    fn paused(&self, millis: u64, because: Interrupted) -> Actions {
        let moment = self.now.monotonic + Duration::from_millis(millis);
        vec![Action::Request(Request::WakeAt { moment, because: Some(because) })]
    }

    /// Finds the stream shorter than what was read, once a second, until it gives up or `seconds` have passed.
    fn doubt_for(&mut self, seconds: u64) -> Actions {
        let mut last = self.on(Event::EndTold(1));
        for _ in 0..seconds {
            self.pass(1_000);
            self.on(Event::Wake);
            last = self.on(Event::EndTold(1));
        }
        last
    }
}

fn stored_at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).unwrap()
}

/// A message whose content is its own sequence.
fn delivered(consumer_sequence: u64, sequence: u64, behind: u64) -> Delivered<u64> {
    let stored_at = Some(stored_at(i64::try_from(sequence).unwrap()));
    Delivered { sequence, stored_at, consumer_sequence, deliveries: 1, behind, bytes: 1, message: sequence }
}

fn deliver(messages: &[u64], at_end: bool) -> Action<u64> {
    Action::Deliver { messages: messages.to_vec(), at_end }
}

fn open(at: OpenAt) -> Actions {
    vec![Action::Request(Request::Open(at))]
}

const READ: Action<u64> = Action::Request(Request::Read);

#[test]
fn it_begins_where_it_is_told() {
    for (start, at) in
        [(StartAt::Sequence(7), OpenAt::Sequence(7)), (StartAt::NewestPerSubject, OpenAt::NewestPerSubject)]
    {
        assert_eq!(Bench::new(start).on(Event::Wake), open(at));
    }
}

#[test]
fn a_reader_of_what_is_new_begins_behind_the_end() {
    let mut bench = Bench::new(StartAt::New);
    assert_eq!(bench.on(Event::Wake), [Action::Request(Request::AskEnd)]);
    assert_eq!(bench.on(Event::EndTold(41)), open(OpenAt::Sequence(42)));
}

#[test]
fn a_reader_of_what_is_new_keeps_its_place_when_the_connection_breaks() {
    let mut bench = Bench::new(StartAt::New);
    bench.on(Event::Wake);
    bench.on(Event::EndTold(41));
    bench.on(Event::ConnectionLost);
    bench.pass(1_000);
    assert_eq!(bench.on(Event::Wake), [Action::Request(Request::AskEnd)]);
    assert_eq!(bench.on(Event::EndTold(50)), open(OpenAt::Sequence(42)), "not behind 50");
}

#[test]
fn a_reader_of_what_is_new_passes_over_nothing_in_a_stream_that_was_empty() {
    let mut bench = Bench::new(StartAt::New);
    bench.on(Event::Wake);
    assert_eq!(bench.on(Event::EndTold(0)), open(OpenAt::Sequence(1)));
    bench.on(Event::ConnectionLost);
    bench.pass(1_000);
    assert_eq!(bench.on(Event::Wake), open(OpenAt::Sequence(1)), "not behind the end of now");
}

#[test]
fn a_consumer_with_nothing_to_deliver_is_at_the_end() {
    let mut bench = Bench::new(StartAt::Sequence(1));
    bench.on(Event::Wake);
    assert_eq!(bench.on(Event::Opened { pending: 0 }), [deliver(&[], true), READ]);
    let mut bench = Bench::new(StartAt::Sequence(1));
    bench.on(Event::Wake);
    assert_eq!(bench.on(Event::Opened { pending: 3 }), [READ]);
}

#[test]
fn messages_are_delivered_in_the_order_of_the_stream_each_once() {
    let mut bench = Bench::new(StartAt::NewestPerSubject);
    bench.on(Event::Wake);
    bench.on(Event::Opened { pending: 3 });
    let first = vec![delivered(1, 3, 2), delivered(2, 8, 1)];
    assert_eq!(bench.on(Event::Delivered(first)), [deliver(&[3, 8], false), READ]);
    assert_eq!(bench.on(Event::Delivered(vec![delivered(3, 9, 0)])), [deliver(&[9], true), READ]);
}

#[test]
fn an_empty_delivery_is_read_past() {
    let mut bench = Bench::reading(1);
    assert_eq!(bench.on(Event::Delivered(Vec::new())), [READ]);
}

#[test]
fn what_arrived_before_a_gap_is_delivered_and_the_rest_read_again() {
    let mut bench = Bench::reading(1);
    let lost_one = vec![delivered(2, 2, 2), delivered(4, 4, 0)];
    let actions = bench.on(Event::Delivered(lost_one));
    assert_eq!(actions, [deliver(&[2], false), Action::Request(Request::AskEnd)]);
    let place = bench.on(Event::EndTold(4));
    assert_eq!(place, [Action::Request(Request::ReadPlace(2))]);
    let there = AtPlace::Message { stored_at: Some(stored_at(2)) };
    assert_eq!(bench.on(Event::PlaceTold(there)), open(OpenAt::Sequence(3)));
    bench.on(Event::Opened { pending: 2 });
    let again = vec![delivered(1, 3, 1), delivered(2, 4, 0)];
    assert_eq!(bench.on(Event::Delivered(again)), [deliver(&[3, 4], true), READ]);
}

#[test]
fn nothing_is_delivered_behind_a_gap() {
    let mut bench = Bench::reading(1);
    let actions = bench.on(Event::Delivered(vec![delivered(3, 3, 0)]));
    assert_eq!(actions, bench.paused(50, Interrupted::MessageLost));
}

#[test]
fn after_an_interruption_it_goes_on_behind_the_last_message() {
    let mut bench = Bench::interrupted(7);
    assert_eq!(bench.on(Event::EndTold(9)), [Action::Request(Request::ReadPlace(7))]);
    let there = AtPlace::Message { stored_at: Some(stored_at(7)) };
    assert_eq!(bench.on(Event::PlaceTold(there)), open(OpenAt::Sequence(8)));
}

#[test]
fn a_place_that_is_empty_says_nothing_against_a_stream_of_the_newest() {
    let mut bench = Bench::new(StartAt::NewestPerSubject);
    bench.on(Event::Wake);
    bench.on(Event::Opened { pending: 1 });
    bench.on(Event::Delivered(vec![delivered(1, 7, 0)]));
    bench.on(Event::ConnectionLost);
    bench.pass(1_000);
    bench.on(Event::Wake);
    bench.on(Event::EndTold(9));
    assert_eq!(bench.on(Event::PlaceTold(AtPlace::Nothing)), open(OpenAt::Sequence(8)));
}

#[test]
fn a_place_that_is_empty_puts_a_stream_in_doubt_that_keeps_everything() {
    let mut bench = Bench::interrupted(7);
    bench.on(Event::EndTold(9));
    let actions = bench.on(Event::PlaceTold(AtPlace::Nothing));
    let gone = Interrupted::RolledBack(RolledBack::Gone { read: 7 });
    assert_eq!(actions, bench.paused(100, gone));
}

#[test]
fn a_message_without_a_moment_is_compared_by_its_sequence_alone() {
    let mut bench = Bench::new(StartAt::Sequence(7));
    bench.on(Event::Wake);
    bench.on(Event::Opened { pending: 1 });
    bench.on(Event::Delivered(vec![Delivered { stored_at: None, ..delivered(1, 7, 0) }]));
    bench.on(Event::ConnectionLost);
    bench.pass(50);
    bench.on(Event::Wake);
    assert_eq!(bench.on(Event::EndTold(7)), open(OpenAt::Sequence(8)));
}

#[test]
fn pauses_double_until_something_is_delivered() {
    let mut bench = Bench::new(StartAt::Sequence(1));
    for millis in [50, 100, 200, 400, 800, 1_000, 1_000] {
        bench.on(Event::Wake);
        let actions = bench.on(Event::Failed("no answer".into()));
        assert_eq!(actions, bench.paused(millis, Interrupted::Failed("no answer".into())));
        bench.pass(millis);
    }
    bench.on(Event::Wake);
    bench.on(Event::Opened { pending: 1 });
    bench.on(Event::Delivered(vec![delivered(1, 1, 0)]));
    let actions = bench.on(Event::ConnectionLost);
    assert_eq!(actions, bench.paused(50, Interrupted::ConnectionLost));
}

#[test]
fn whatever_it_waits_for_a_failure_and_a_lost_connection_make_it_pause() {
    let events = [
        (StartAt::New, vec![Event::Wake]),
        (StartAt::Sequence(1), vec![Event::Wake]),
        (StartAt::Sequence(1), vec![Event::Wake, Event::Opened { pending: 1 }]),
    ];
    for (start, events) in events {
        for fault in [Event::Failed("no answer".into()), Event::ConnectionLost] {
            let mut bench = Bench::new(start);
            for event in events.clone() {
                bench.on(event);
            }
            let actions = bench.on(fault.clone());
            assert!(
                matches!(actions[..], [Action::Request(Request::WakeAt { .. })]),
                "{fault:?}: {actions:?}"
            );
        }
    }
}

#[test]
fn a_pause_ends_at_its_moment_and_by_nothing_else() {
    let mut bench = Bench::new(StartAt::Sequence(1));
    bench.on(Event::Wake);
    bench.on(Event::Failed("no answer".into()));
    bench.pass(49);
    for event in [Event::Wake, Event::ConnectionLost, Event::Failed("again".into()), Event::EndTold(9)] {
        assert_eq!(bench.on(event.clone()), [], "{event:?}");
    }
    bench.pass(1);
    assert_eq!(bench.on(Event::Wake), open(OpenAt::Sequence(1)));
}

#[test]
fn an_answer_to_nothing_that_was_asked_changes_nothing() {
    let mut bench = Bench::reading(3);
    let opened = Event::Opened { pending: 0 };
    for event in [Event::EndTold(1), Event::PlaceTold(AtPlace::Nothing), opened, Event::Wake] {
        assert_eq!(bench.on(event.clone()), [], "{event:?}");
    }
    assert_eq!(bench.on(Event::Delivered(vec![delivered(2, 4, 0)])), [deliver(&[4], true), READ]);
}

#[test]
fn a_rolled_back_stream_is_given_up_after_12_seconds_of_doubt() {
    let found = RolledBack::Shorter { end: 1, read: 7 };
    let mut bench = Bench::interrupted(7);
    assert!(matches!(bench.doubt_for(11)[..], [Action::Request(Request::WakeAt { .. })]));
    bench.pass(1_000);
    bench.on(Event::Wake);
    assert_eq!(bench.on(Event::EndTold(1)), [Action::GiveUp(found)]);
    for event in [Event::Wake, Event::EndTold(9), Event::ConnectionLost, Event::Failed("late".into())] {
        assert_eq!(bench.on(event), [], "it has given up for good");
    }
}

#[test]
fn another_message_at_the_place_is_doubted_and_given_up_too() {
    let found = RolledBack::Another { read: 7 };
    let mut bench = Bench::interrupted(7);
    let another = Event::PlaceTold(AtPlace::Message { stored_at: Some(stored_at(99)) });
    bench.on(Event::EndTold(7));
    assert_eq!(bench.on(another.clone()), bench.paused(100, found.into()));
    bench.pass(12_000);
    bench.on(Event::Wake);
    bench.on(Event::EndTold(7));
    assert_eq!(bench.on(another), [Action::GiveUp(found)]);
}

#[test]
fn a_doubt_that_is_interrupted_begins_anew() {
    for fault in [Event::Failed("no answer".into()), Event::ConnectionLost] {
        let mut bench = Bench::interrupted(7);
        bench.doubt_for(11);
        bench.pass(1_000);
        bench.on(Event::Wake);
        bench.on(fault);
        bench.pass(1_000);
        bench.on(Event::Wake);
        assert!(matches!(bench.doubt_for(11)[..], [Action::Request(Request::WakeAt { .. })]));
        bench.pass(1_000);
        bench.on(Event::Wake);
        assert!(matches!(bench.on(Event::EndTold(1))[..], [Action::GiveUp(_)]));
    }
}

#[test]
fn a_doubt_ends_when_the_message_is_there_after_all() {
    let mut bench = Bench::interrupted(7);
    bench.doubt_for(11);
    bench.pass(1_000);
    bench.on(Event::Wake);
    bench.on(Event::EndTold(7));
    let there = AtPlace::Message { stored_at: Some(stored_at(7)) };
    assert_eq!(bench.on(Event::PlaceTold(there)), open(OpenAt::Sequence(8)));
    bench.on(Event::ConnectionLost);
    bench.pass(1_000);
    bench.on(Event::Wake);
    let actions = bench.on(Event::EndTold(1));
    assert!(matches!(actions[..], [Action::Request(Request::WakeAt { .. })]), "{actions:?}");
}
