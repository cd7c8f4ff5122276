use super::*;
use crate::rules::sample::{self, round};
use crate::sample::at;
use crate::writing::{Step, Stored};
use subjects::Change;

/// When the sample round opens and closes by itself.
const OPENS: i64 = 10_000;
const CLOSES: i64 = 20_000;

fn timed(state: RoundState) -> Round {
    let (opens_at, closes_at) = (Some(sample::at(OPENS)), Some(sample::at(CLOSES)));
    Round { opens_at, closes_at, ..round(state) }
}

fn changed(version: u64, state: RoundState) -> Event {
    Event::Changed(Box::new(Entry { version, round: timed(state) }))
}

fn read(version: u64, state: RoundState) -> Event {
    let entry = Entry { version, round: timed(state) };
    Event::Answered(Answer::Read(Some(Box::new(Stored { entry, id: None }))))
}

fn wake(millis: i64) -> Action {
    Action::WakeAt(at(millis).monotonic)
}

fn begin() -> Lifecycle {
    Lifecycle::new(round(RoundState::Draft).id)
}

/// A closed round that is looked at for the first time, at 0.
fn closed() -> Lifecycle {
    let mut life = begin();
    assert_eq!(life.on(changed(3, RoundState::Closed), at(0)), [Action::LookAtLog]);
    life
}

/// One whose seal is in the log and whose key is destroyed, at 0.
fn sealed() -> Lifecycle {
    let mut life = closed();
    life.on(Event::LogSeen(LogState::Writable), at(0));
    life.on(Event::SealWritten, at(0));
    assert_eq!(life.on(Event::KeyDestroyed, at(0)), [wake(1_000)]);
    life
}

fn answer(life: &mut Lifecycle, answer: Answer, now: i64) -> Vec<Action> {
    life.on(Event::Answered(answer), at(now))
}

#[test]
fn a_draft_opens_at_its_time_once_its_key_and_its_log_are_made() {
    let mut life = begin();
    let waits = life.on(changed(3, RoundState::Draft), at(OPENS - 1_500));
    assert_eq!(waits, [wake(OPENS - 500)], "the clock may be set");
    assert_eq!(life.on(Event::Woke, at(OPENS - 500)), [wake(OPENS)]);
    assert_eq!(life.on(Event::Woke, at(OPENS)), [Action::Step(Step::Read)]);
    assert_eq!(life.on(read(3, RoundState::Draft), at(OPENS)), [Action::Step(Step::MakeKey)]);
    assert_eq!(answer(&mut life, Answer::KeyMade, OPENS), [Action::Step(Step::MakeLog)]);
    let publishes = answer(&mut life, Answer::LogMade, OPENS);
    let [Action::Step(Step::Publish { changed, expected: 3 })] = &publishes[..] else {
        panic!("{publishes:?}")
    };
    assert_eq!((changed.change, &changed.round), (Change::Opened, &timed(RoundState::Open)));
    let opened = answer(&mut life, Answer::Published(4), OPENS);
    assert_eq!(opened, [Action::LogChanged(RoundState::Open), wake(OPENS + 1_000)]);
}

#[test]
fn an_open_round_closes_at_its_time_and_is_taken_to_its_end() {
    let mut life = begin();
    assert_eq!(life.on(changed(4, RoundState::Open), at(CLOSES)), [Action::Step(Step::Read)]);
    let publishes = life.on(read(4, RoundState::Open), at(CLOSES));
    assert!(matches!(&publishes[..], [Action::Step(Step::Publish { expected: 4, .. })]), "{publishes:?}");
    let actions = answer(&mut life, Answer::Published(5), CLOSES);
    assert_eq!(actions, [Action::LogChanged(RoundState::Closed), Action::LookAtLog]);
    let seals = life.on(Event::LogSeen(LogState::Writable), at(CLOSES));
    let seal = RoundSealed { at: sample::at(CLOSES), round: life.id.clone(), reason: REASON.to_owned() };
    assert_eq!(seals, [Action::WriteSeal(seal)]);
    assert_eq!(life.on(Event::SealWritten, at(CLOSES)), [Action::DestroyKey]);
    assert_eq!(life.on(Event::KeyDestroyed, at(CLOSES)), [wake(CLOSES + 1_000)]);
    assert!(life.awaits_count() && !life.is_done());
    assert_eq!(life.on(Event::Counted { is_final: true }, at(CLOSES)), [Action::LookAtLog]);
    life.on(Event::LogSeen(LogState::Writable), at(CLOSES));
    assert_eq!(life.on(Event::SealWritten, at(CLOSES)), [Action::DestroyKey]);
    assert_eq!(life.on(Event::KeyDestroyed, at(CLOSES)), [Action::SealLog]);
    assert_eq!(life.on(Event::LogSealed, at(CLOSES)), []);
    assert!(life.is_done());
}

#[test]
fn a_round_without_a_time_waits_for_people() {
    let mut life = begin();
    let untimed = |version, state| Event::Changed(Box::new(Entry { version, round: round(state) }));
    assert_eq!(life.on(untimed(3, RoundState::Draft), at(0)), []);
    assert_eq!(life.on(untimed(4, RoundState::Open), at(0)), []);
    assert_eq!(life.on(Event::Woke, at(i64::from(u32::MAX))), []);
    assert_eq!(life.on(untimed(5, RoundState::Closed), at(0)), [Action::LookAtLog]);
}

#[test]
fn an_older_version_is_passed_over() {
    let mut life = begin();
    life.on(changed(5, RoundState::Open), at(0));
    assert_eq!(life.on(changed(4, RoundState::Draft), at(OPENS)), [], "it would open");
    assert_eq!(life.on(changed(5, RoundState::Closed), at(OPENS)), []);
    let mut life = closed();
    assert_eq!(life.on(changed(4, RoundState::Open), at(CLOSES)), [], "a closed round stays closed");
    assert_eq!(life.on(Event::LogSeen(LogState::Sealed), at(CLOSES)), [Action::DestroyKey]);
}

#[test]
fn a_round_that_was_put_off_waits_for_the_news_of_it() {
    let mut life = begin();
    life.on(changed(4, RoundState::Open), at(CLOSES));
    let put_off = Round { closes_at: Some(sample::at(CLOSES + 500)), ..timed(RoundState::Open) };
    let entry = Entry { version: 5, round: put_off };
    let stored = Box::new(Stored { entry: entry.clone(), id: None });
    let refused = answer(&mut life, Answer::Read(Some(stored)), CLOSES);
    assert_eq!(refused, [wake(CLOSES + 1_000)]);
    assert_eq!(life.on(Event::Changed(Box::new(entry)), at(CLOSES)), [wake(CLOSES + 500)]);
}

#[test]
fn a_change_that_fails_is_tried_again_a_second_later() {
    let mut life = begin();
    life.on(changed(3, RoundState::Draft), at(OPENS));
    let failed = answer(&mut life, Answer::Failed("away".to_owned()), OPENS);
    let why = NotChanged::Later("away".to_owned());
    assert_eq!(failed, [Action::LogNotChanged(why), wake(OPENS + 1_000)]);
    assert_eq!(life.on(Event::Woke, at(OPENS + 1_000)), [Action::Step(Step::Read)]);
}

#[test]
fn a_round_that_another_process_closes_first_is_finished_all_the_same() {
    let mut life = begin();
    life.on(changed(4, RoundState::Open), at(CLOSES));
    assert_eq!(life.on(changed(5, RoundState::Closed), at(CLOSES)), [], "one thing at a time");
    assert_eq!(life.on(read(5, RoundState::Closed), at(CLOSES)), [Action::LookAtLog]);

    let mut life = begin();
    life.on(changed(4, RoundState::Open), at(CLOSES));
    life.on(read(4, RoundState::Open), at(CLOSES));
    assert_eq!(answer(&mut life, Answer::Conflict, CLOSES), [Action::Step(Step::Read)]);
    let refused = life.on(read(5, RoundState::Closed), at(CLOSES));
    assert_eq!(refused, [wake(CLOSES + 1_000)], "the news of it is on its way");
    assert_eq!(life.on(changed(5, RoundState::Closed), at(CLOSES)), [Action::LookAtLog]);
}

#[test]
fn news_that_come_before_the_acknowledgement_are_not_lost() {
    let mut life = begin();
    life.on(changed(3, RoundState::Draft), at(OPENS));
    life.on(read(3, RoundState::Draft), at(OPENS));
    answer(&mut life, Answer::KeyMade, OPENS);
    answer(&mut life, Answer::LogMade, OPENS);
    assert_eq!(life.on(changed(5, RoundState::Closed), at(OPENS)), []);
    let opened = answer(&mut life, Answer::Published(4), OPENS);
    assert_eq!(opened, [Action::LogChanged(RoundState::Open), Action::LookAtLog]);
}

#[test]
fn a_draft_that_cannot_open_is_looked_at_again() {
    let mut life = begin();
    let empty = Entry { version: 3, round: Round { options: Vec::new(), ..timed(RoundState::Draft) } };
    life.on(Event::Changed(Box::new(empty.clone())), at(OPENS));
    let stored = Box::new(Stored { entry: empty, id: None });
    assert_eq!(answer(&mut life, Answer::Read(Some(stored)), OPENS), [wake(OPENS + 1_000)]);
    assert_eq!(life.on(Event::Woke, at(OPENS + 1_000)), [Action::Step(Step::Read)]);
    assert_eq!(life.on(changed(4, RoundState::Draft), at(OPENS)), [], "that comes meanwhile");
    assert_eq!(life.on(read(4, RoundState::Draft), at(OPENS)), [Action::Step(Step::MakeKey)]);
}

#[test]
fn until_the_seal_is_counted_the_end_is_gone_through_every_second() {
    let mut life = sealed();
    assert_eq!(life.on(Event::Counted { is_final: false }, at(500)), []);
    assert_eq!(life.on(Event::Woke, at(1_000)), [Action::LookAtLog]);
    let seals = life.on(Event::LogSeen(LogState::Writable), at(1_000));
    assert!(matches!(seals[..], [Action::WriteSeal(_)]), "it may have been lost");
    assert_eq!(life.on(Event::SealWritten, at(1_000)), [Action::DestroyKey]);
    assert_eq!(life.on(Event::Counted { is_final: true }, at(1_000)), []);
    assert_eq!(life.on(Event::KeyDestroyed, at(1_000)), [Action::SealLog]);
}

#[test]
fn counts_that_are_final_no_more_seal_no_log() {
    let mut life = closed();
    life.on(Event::Counted { is_final: true }, at(0));
    life.on(Event::Counted { is_final: false }, at(0));
    life.on(Event::LogSeen(LogState::Writable), at(0));
    life.on(Event::SealWritten, at(0));
    assert_eq!(life.on(Event::KeyDestroyed, at(0)), [wake(1_000)], "a repair has put others in place");
}

#[test]
fn a_log_that_is_sealed_by_hand_loses_its_key_and_nothing_else_happens() {
    let mut life = closed();
    assert_eq!(life.on(Event::LogSeen(LogState::Sealed), at(0)), [Action::DestroyKey]);
    assert_eq!(life.on(Event::KeyDestroyed, at(0)), []);
    assert!(life.is_done());
    assert_eq!(life.on(Event::Woke, at(60_000)), []);
    assert_eq!(life.on(changed(9, RoundState::Closed), at(60_000)), []);
    assert!(life.is_done());
}

#[test]
fn a_log_that_an_operator_has_deleted_is_looked_for_once_a_minute() {
    let mut life = closed();
    assert_eq!(life.on(Event::LogSeen(LogState::Missing), at(0)), [Action::DestroyKey]);
    assert_eq!(life.on(Event::KeyDestroyed, at(0)), [wake(60_000)]);
    assert_eq!(life.on(Event::Counted { is_final: true }, at(1)), []);
    assert_eq!(life.on(Event::Woke, at(59_999)), [wake(60_000)], "a wake that comes early");
    assert_eq!(life.on(Event::Woke, at(60_000)), [Action::LookAtLog]);
    life.on(Event::LogSeen(LogState::Writable), at(60_000));
    life.on(Event::SealWritten, at(60_000));
    assert_eq!(life.on(Event::KeyDestroyed, at(60_000)), [Action::SealLog], "it is back, and counted");
}

#[test]
fn a_step_that_fails_begins_the_end_again_a_second_later() {
    let steps = [Event::LogSeen(LogState::Writable), Event::SealWritten, Event::KeyDestroyed];
    for done in 0..=steps.len() {
        let mut life = closed();
        life.on(Event::Counted { is_final: true }, at(0));
        for step in &steps[..done] {
            life.on(step.clone(), at(0));
        }
        assert_eq!(life.on(Event::Failed, at(0)), [wake(1_000)], "after {done} steps");
        assert_eq!(life.on(Event::Counted { is_final: true }, at(1)), []);
        assert_eq!(life.on(Event::Woke, at(1_000)), [Action::LookAtLog]);
    }
}

#[test]
fn an_answer_that_was_not_asked_for_changes_nothing() {
    let answers = || {
        [
            Event::Answered(Answer::Published(9)),
            Event::LogSeen(LogState::Sealed),
            Event::SealWritten,
            Event::KeyDestroyed,
            Event::LogSealed,
            Event::Failed,
        ]
    };
    let mut life = sealed();
    for answer in answers() {
        assert_eq!(life.on(answer, at(0)), []);
    }
    assert!(life.awaits_count());
    let mut life = begin();
    life.on(changed(3, RoundState::Draft), at(0));
    for answer in answers() {
        assert_eq!(life.on(answer, at(0)), []);
    }
    assert_eq!(life.on(Event::Woke, at(OPENS)), [Action::Step(Step::Read)]);
}
