use super::*;
use subjects::Timestamp;

fn at(millis: u64) -> Now {
    let wall = Timestamp::from_unix_millis(0).unwrap();
    Now { wall, monotonic: Monotonic::from_duration(Duration::from_millis(millis)) }
}

fn wait(millis: u64) -> Action {
    Action::Wait(at(millis).monotonic)
}

fn ids(names: &[&str]) -> Vec<RoundId> {
    names.iter().map(|name| id(name)).collect()
}

fn id(name: &str) -> RoundId {
    RoundId::parse(name).unwrap()
}

fn seen(open: &[&str], closed: &[&str]) -> Event {
    let rounds = Rounds { open: ids(open), closed: ids(closed) };
    Event::Seen { connected: true, rounds, ended: Vec::new() }
}

fn unseen() -> Event {
    Event::Seen { connected: false, rounds: Rounds::default(), ended: Vec::new() }
}

/// A share whose session was opened at 0 and that now looks.
fn begun() -> Share {
    let mut share = Share::default();
    assert_eq!(share.on(seen(&[], &[]), at(0)), [Action::OpenSession]);
    assert_eq!(share.on(Event::SessionOpened, at(0)), [Action::Look]);
    share
}

/// Looks at this moment, and takes the locks of all that is asked for.
fn look(share: &mut Share, event: Event, now: Now) -> Vec<Action> {
    assert_eq!(share.on(event, now), [Action::LookForReplaced]);
    let actions = share.on(Event::ReplacedFound(Vec::new()), now);
    let [Action::TakeLocks(wanted)] = &actions[..] else { panic!("{actions:?}") };
    share.on(Event::LocksHeld(wanted.clone()), now)
}

#[test]
fn the_rounds_whose_locks_are_held_are_counted_once() {
    let mut share = begun();
    share.on(seen(&["a", "b"], &[]), at(0));
    let wanted = share.on(Event::ReplacedFound(Vec::new()), at(0));
    assert_eq!(wanted, [Action::TakeLocks(ids(&["a", "b"]))]);
    let counts = share.on(Event::LocksHeld(ids(&["b"])), at(10));
    assert_eq!(counts, [Action::BeginCount(id("b")), wait(1_010)]);
    share.on(seen(&["a", "b"], &[]), at(20));
    let wanted = share.on(Event::ReplacedFound(Vec::new()), at(20));
    assert_eq!(wanted, [Action::TakeLocks(ids(&["a"]))], "the other tally may be gone");
    assert_eq!(share.on(Event::LocksHeld(Vec::new()), at(20)), [wait(1_020)]);
}

#[test]
fn a_count_that_has_ended_by_itself_begins_again() {
    let mut share = begun();
    look(&mut share, seen(&["a"], &[]), at(0));
    let rounds = Rounds { open: ids(&["a"]), closed: Vec::new() };
    let ended = Event::Seen { connected: true, rounds, ended: ids(&["a"]) };
    assert_eq!(look(&mut share, ended, at(1)), [Action::BeginCount(id("a")), wait(1_001)]);
}

#[test]
fn a_closed_round_is_counted_until_it_is_done_and_then_let_go_of() {
    let mut share = begun();
    assert_eq!(look(&mut share, seen(&[], &["a"]), at(0)), [Action::Check(id("a"))]);
    assert_eq!(share.on(Event::Checked { is_done: false }, at(0)), [Action::TakeLocks(ids(&["a"]))]);
    let counts = share.on(Event::LocksHeld(ids(&["a"])), at(0));
    assert_eq!(counts, [Action::BeginCount(id("a")), wait(1_000)]);

    assert_eq!(look(&mut share, seen(&[], &["a"]), at(5)), [Action::Check(id("a"))]);
    assert_eq!(share.on(Event::Checked { is_done: false }, at(5)), [wait(1_005)], "it is on its way");
    look(&mut share, seen(&[], &["a"]), at(9));
    let (ends, deletes) = (Action::EndCount(id("a")), Action::DeleteDurable(id("a")));
    let done = share.on(Event::Checked { is_done: true }, at(9));
    assert_eq!(done, [ends, deletes, Action::ReleaseLock(id("a")), wait(1_009)]);
    assert_eq!(look(&mut share, seen(&[], &["a"]), at(10)), [wait(1_010)], "it is not checked again");
}

#[test]
fn a_round_that_was_done_before_is_never_counted() {
    let mut share = begun();
    look(&mut share, seen(&[], &["a", "b"]), at(0));
    let done = share.on(Event::Checked { is_done: true }, at(0));
    let (deletes, releases) = (Action::DeleteDurable(id("a")), Action::ReleaseLock(id("a")));
    assert_eq!(done, [deletes, releases, Action::Check(id("b"))]);
}

#[test]
fn closed_rounds_do_not_hold_up_open_ones_for_longer_than_a_second() {
    let mut share = begun();
    look(&mut share, seen(&[], &["a", "b", "c"]), at(0));
    assert_eq!(share.on(Event::Checked { is_done: false }, at(1_000)), [Action::Check(id("b"))]);
    assert_eq!(share.on(Event::Checked { is_done: false }, at(1_001)), [Action::Look]);
    let takes = share.on(seen(&["new"], &["a", "b", "c"]), at(1_001));
    assert_eq!(takes, [Action::TakeLocks(ids(&["a", "b", "new"]))]);
    let goes_on = share.on(Event::LocksHeld(ids(&["new"])), at(1_002));
    assert_eq!(goes_on, [Action::BeginCount(id("new")), Action::Check(id("c"))]);
    assert_eq!(share.on(Event::Checked { is_done: false }, at(1_003)), [Action::TakeLocks(ids(&["c"]))]);
}

#[test]
fn a_count_that_ends_while_closed_rounds_are_checked_begins_again() {
    let mut share = begun();
    look(&mut share, seen(&["a"], &["b", "c"]), at(0));
    assert_eq!(share.on(Event::Checked { is_done: true }, at(1_001)).last(), Some(&Action::Look));
    let rounds = Rounds { open: ids(&["a"]), closed: Vec::new() };
    let ended = Event::Seen { connected: true, rounds, ended: ids(&["a"]) };
    assert_eq!(share.on(ended, at(1_001)), [Action::TakeLocks(ids(&["a"]))]);
}

#[test]
fn rounds_whose_counts_were_replaced_begin_anew_once() {
    let mut share = begun();
    look(&mut share, seen(&["open"], &["done"]), at(0));
    share.on(Event::Checked { is_done: true }, at(0));
    let replaced = || Event::ReplacedFound(vec![(id("open"), 1), (id("done"), 1)]);
    share.on(seen(&["open"], &["done"]), at(1));
    let begins = share.on(replaced(), at(1));
    assert_eq!(begins, [Action::EndCount(id("open")), Action::TakeLocks(ids(&["open"]))]);
    let counts = share.on(Event::LocksHeld(ids(&["open"])), at(1));
    assert_eq!(
        counts,
        [Action::BeginCount(id("open")), Action::Check(id("done"))],
        "it is not done any more"
    );
    share.on(Event::Checked { is_done: true }, at(1));

    share.on(seen(&["open"], &["done"]), at(2));
    assert_eq!(share.on(replaced(), at(2)), [Action::TakeLocks(Vec::new())], "it was seen");
    assert_eq!(share.on(Event::LocksHeld(Vec::new()), at(2)), [wait(1_002)]);
    share.on(seen(&["open"], &["done"]), at(3));
    let again = share.on(Event::ReplacedFound(vec![(id("open"), 2)]), at(3));
    assert_eq!(again[0], Action::EndCount(id("open")), "and again");
}

#[test]
fn five_seconds_without_nats_leave_the_rounds_to_another_tally() {
    let mut share = begun();
    look(&mut share, seen(&["a"], &[]), at(1_000));
    assert_eq!(look(&mut share, unseen(), at(6_000)), [wait(7_000)]);
    assert_eq!(share.on(unseen(), at(6_001)), [Action::LetGo, wait(7_001)]);
    assert_eq!(share.on(unseen(), at(7_001)), [wait(8_001)], "no session without NATS");
    assert_eq!(share.on(seen(&["a"], &[]), at(8_001)), [Action::OpenSession]);
    share.on(Event::SessionOpened, at(8_001));
    let begins = look(&mut share, seen(&["a"], &[]), at(8_001));
    assert_eq!(begins[0], Action::BeginCount(id("a")), "what was held is forgotten");
}

#[test]
fn the_five_seconds_begin_with_the_session() {
    let mut share = Share::default();
    share.on(seen(&[], &[]), at(60_000));
    share.on(Event::SessionOpened, at(60_000));
    assert_eq!(look(&mut share, unseen(), at(65_000)), [wait(66_000)]);
    assert_eq!(share.on(unseen(), at(65_001)), [Action::LetGo, wait(66_001)]);
}

#[test]
fn without_nats_no_closed_round_is_checked() {
    let mut share = begun();
    let rounds = Rounds { open: Vec::new(), closed: ids(&["a"]) };
    let away = Event::Seen { connected: false, rounds, ended: Vec::new() };
    assert_eq!(look(&mut share, away, at(0)), [wait(1_000)]);
    look(&mut share, seen(&[], &["a", "b"]), at(1));
    assert_eq!(share.on(Event::Checked { is_done: false }, at(1_002)), [Action::Look]);
    assert_eq!(share.on(unseen(), at(1_002)), [Action::TakeLocks(ids(&["a"]))]);
    let counts = share.on(Event::LocksHeld(Vec::new()), at(1_002));
    assert_eq!(counts, [wait(2_002)]);
}

#[test]
fn a_session_that_is_lost_ends_every_count_and_is_opened_a_second_later() {
    let closed: [fn(&mut Share); 4] = [
        |share| drop(share.on(seen(&["a"], &["b"]), at(0))),
        |share| drop(share.on(Event::ReplacedFound(Vec::new()), at(0))),
        |share| drop(share.on(Event::LocksHeld(ids(&["a"])), at(0))),
        |share| drop(share.on(Event::Checked { is_done: true }, at(0))),
    ];
    for steps in 1..=closed.len() {
        let mut share = begun();
        closed[..steps].iter().for_each(|step| step(&mut share));
        assert_eq!(share.on(Event::SessionLost, at(0)), [Action::LetGo, wait(1_000)], "after {steps}");
        assert_eq!(share.on(seen(&["a"], &[]), at(999)), [wait(1_000)], "news do not hurry it");
        assert_eq!(share.on(seen(&["a"], &[]), at(1_000)), [Action::OpenSession]);
        assert_eq!(share.on(Event::SessionLost, at(1_000)), [Action::LetGo, wait(2_000)]);
    }
}

#[test]
fn an_answer_that_was_not_asked_for_changes_nothing() {
    let mut share = Share::default();
    let answers = || [Event::SessionOpened, Event::LocksHeld(ids(&["a"])), Event::Checked { is_done: true }];
    for answer in answers() {
        assert_eq!(share.on(answer, at(0)), []);
    }
    assert_eq!(share.on(Event::SessionLost, at(0)), []);
    let mut share = begun();
    for answer in answers() {
        assert_eq!(share.on(answer, at(0)), []);
    }
    assert_eq!(look(&mut share, seen(&["a"], &[]), at(0))[0], Action::BeginCount(id("a")));
}
