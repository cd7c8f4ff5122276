use super::*;
use nats::SayError;
use nats::intake::InOrder;
use subjects::{
    BallotId, BallotsCast, CastBallot, Choice, OptionId, RoundSealed, Timestamp, VoteMessage, Voter,
};

fn at(millis: u64) -> Now {
    let wall = Timestamp::from_unix_millis(i64::try_from(millis).unwrap()).unwrap();
    Now { wall, monotonic: Monotonic::from_duration(Duration::from_millis(millis)) }
}

fn round() -> RoundId {
    RoundId::parse("demo").unwrap()
}

fn message(sequence: u64, said: &VoteMessage) -> InOrder<Totals> {
    let stored_at = Timestamp::from_unix_millis(i64::try_from(sequence).unwrap());
    InOrder { sequence, trace: None, stored_at, message: Ok(Totals::of(said)) }
}

fn ballot(sequence: u64) -> InOrder<Totals> {
    let cast = CastBallot {
        ballot: BallotId::random(),
        voter: Voter::from_bytes([7; 16]),
        choice: Choice([OptionId::parse("cats").unwrap()].into()),
        replaces: None,
    };
    let block = BallotsCast { at: at(0).wall, round: round(), ballots: vec![cast] };
    message(sequence, &VoteMessage::Cast(block))
}

fn seal(sequence: u64) -> InOrder<Totals> {
    let seal = RoundSealed { at: at(0).wall, round: round(), reason: "it was closed".to_owned() };
    message(sequence, &VoteMessage::Sealed(seal))
}

fn batch(messages: Vec<InOrder<Totals>>, behind: u64) -> Event {
    Event::BatchArrived(Run { messages, behind })
}

/// What is committed after one ballot at each sequence up to this one.
fn counted(sequence: u64) -> Scoreboard {
    let mut counts = Scoreboard::default();
    counts.count(&(1..=sequence).map(ballot).collect::<Vec<_>>());
    counts
}

fn announced(counts: &Scoreboard, head: u64) -> NewestAnnouncement {
    NewestAnnouncement { sequence: 40, counts: Some(announcement(&round(), counts, at(0).wall, head)) }
}

/// A count that has read these counts and this announcement, and what it wants done then.
fn begun(counts: Scoreboard, newest: NewestAnnouncement) -> (Count, Vec<Action>) {
    let mut count = Count::new(round());
    assert_eq!(count.on(Event::PositionAsked, at(0)), [Action::ReadAnnouncement]);
    assert_eq!(count.on(Event::AnnouncementRead(newest), at(0)), [Action::ReadScoreboard]);
    let actions = count.on(Event::ScoreboardRead(counts), at(0));
    (count, actions)
}

/// A count at rest, whose counts up to this sequence are announced at sequence 40 of TALLIES.
fn idle(sequence: u64) -> Count {
    let counts = counted(sequence);
    let newest = announced(&counts, sequence);
    begun(counts, newest).0
}

fn announces(actions: &[Action]) -> (&TallyCounted, u64) {
    match actions {
        [Action::Announce { counts, expected, .. }] => (counts, *expected),
        other => panic!("{other:?}"),
    }
}

fn retries(actions: &[Action]) -> bool {
    matches!(actions, [Action::Retry(_)])
}

#[test]
fn a_round_that_nobody_has_counted_begins_at_zero_and_announces_nothing() {
    let (count, actions) = begun(Scoreboard::default(), NewestAnnouncement::default());
    assert_eq!(actions, [Action::AnswerPosition(LastRead::default())]);
    assert!(!count.is_final());
}

#[test]
fn a_batch_is_committed_then_announced_then_acknowledged() {
    let mut count = idle(2);
    let (from, to) = (Arc::new(counted(2)), Arc::new(counted(3)));
    assert_eq!(count.on(batch(vec![ballot(3)], 0), at(1)), [Action::Commit { from, to }]);
    assert_eq!(count.position().sequence, 2, "nothing is believed before it is committed");
    let actions = count.on(Event::Committed, at(2));
    let (counts, expected) = announces(&actions);
    assert_eq!((counts.sequence, counts.ledger.accepted, counts.at, expected), (3, 3, at(2).wall, 40));
    assert_eq!(count.on(Event::Announced(41), at(3)), [Action::Acknowledge]);
    count.on(batch(vec![ballot(4)], 0), at(4));
    assert_eq!(announces(&count.on(Event::Committed, at(5))).1, 41, "its own is the newest now");
}

#[test]
fn an_announcement_continues_the_trace_of_the_last_message() {
    let mut count = idle(0);
    let trace = TraceContext::parse("00-0000000000000000000000000000000a-000000000000000b-01");
    let traced = InOrder { trace, ..ballot(1) };
    count.on(batch(vec![traced], 0), at(0));
    let [Action::Announce { cause, .. }] = &count.on(Event::Committed, at(0))[..] else { panic!() };
    assert!(cause.is_some() && *cause == trace);
}

#[test]
fn while_there_is_more_to_count_it_announces_ten_times_a_second() {
    let mut count = idle(0);
    count.on(batch(vec![ballot(1)], 5), at(50));
    assert_eq!(count.on(Event::Committed, at(99)), [Action::Acknowledge]);
    assert_eq!((count.position().sequence, count.head()), (1, 6));
    count.on(batch(vec![ballot(2)], 4), at(99));
    announces(&count.on(Event::Committed, at(100)));
    assert_eq!(count.on(Event::Announced(41), at(110)), [Action::Acknowledge]);
    count.on(batch(vec![ballot(3)], 3), at(120));
    assert_eq!(count.on(Event::Committed, at(209)), [Action::Acknowledge]);
    count.on(batch(vec![ballot(4)], 0), at(209));
    announces(&count.on(Event::Committed, at(209)));
}

#[test]
fn the_seal_is_announced_at_once_as_final() {
    let mut count = idle(1);
    count.on(batch(vec![seal(2)], 9), at(1));
    assert!(announces(&count.on(Event::Committed, at(1))).0.is_final);
    assert!(!count.is_final(), "it is not announced yet");
    assert_eq!(count.on(Event::Announced(41), at(2)), [Action::Acknowledge]);
    assert!(count.is_final());
    // It comes again, because the acknowledgement was lost.
    let [Action::Commit { from, to }] = &count.on(batch(vec![seal(2)], 0), at(3))[..] else { panic!() };
    assert_eq!(from, to);
}

#[test]
fn a_cursor_that_moved_or_a_lost_answer_makes_it_read_again() {
    let answers = [|| Event::CursorMoved, || Event::CommitUnanswered("no answer".to_owned())];
    for answer in answers {
        let mut count = idle(2);
        count.on(batch(vec![ballot(3)], 0), at(1));
        assert!(retries(&count.on(answer(), at(2))));
        assert!(retries(&count.on(batch(vec![ballot(3)], 0), at(3))), "what it knew is not believed");
        assert_eq!(count.on(Event::PositionAsked, at(4)), [Action::ReadAnnouncement]);
    }
}

#[test]
fn counts_that_were_committed_and_not_announced_are_announced_before_it_goes_on() {
    for cause in [SayError::Conflict, SayError::Unanswered, SayError::Away] {
        let mut count = idle(2);
        count.on(batch(vec![ballot(3)], 0), at(1));
        count.on(Event::Committed, at(1));
        assert!(retries(&count.on(Event::NotAnnounced(cause), at(2))));
        count.on(Event::PositionAsked, at(3));
        count.on(Event::AnnouncementRead(announced(&counted(2), 2)), at(3));
        let actions = count.on(Event::ScoreboardRead(counted(3)), at(3));
        let (counts, expected) = announces(&actions);
        assert_eq!((counts.sequence, expected), (3, 40));
        let position = LastRead { sequence: 3, stored_at: counted(3).stored_at };
        assert_eq!(count.on(Event::Announced(41), at(4)), [Action::AnswerPosition(position)]);
    }
}

#[test]
fn a_position_whose_announcement_fails_is_asked_for_again() {
    let (mut count, actions) = begun(counted(3), NewestAnnouncement::default());
    assert_eq!(announces(&actions).1, 0);
    assert!(retries(&count.on(Event::NotAnnounced(SayError::Conflict), at(1))));
    assert_eq!(count.on(Event::PositionAsked, at(2)), [Action::ReadAnnouncement]);
}

#[test]
fn what_is_announced_is_not_announced_again() {
    let position = LastRead { sequence: 3, stored_at: counted(3).stored_at };
    let (count, actions) = begun(counted(3), announced(&counted(3), 8));
    assert_eq!(actions, [Action::AnswerPosition(position)]);
    assert_eq!(count.head(), 8, "the log was that long");
    let is_final = Scoreboard { is_final: true, ..counted(3) };
    let newest = announced(&is_final, 3);
    assert!(begun(is_final, newest).0.is_final());
}

#[test]
fn counts_that_an_operator_has_put_in_place_are_announced_as_of_their_own_log() {
    let repaired = Scoreboard { generation: 1, ..counted(2) };
    let (_, actions) = begun(repaired, announced(&counted(9), 9));
    let (counts, expected) = announces(&actions);
    assert_eq!((counts.sequence, counts.head, counts.generation, expected), (2, 2, 1, 40));
    let emptied = Scoreboard { generation: 2, ..Scoreboard::default() };
    let (_, actions) = begun(emptied, announced(&counted(9), 9));
    assert_eq!(announces(&actions).0.sequence, 0, "that there are none, too");
}

#[test]
fn a_read_that_fails_is_tried_again_when_the_intake_asks_again() {
    let mut count = Count::new(round());
    let failed = || Event::ReadFailed("no answer".to_owned());
    count.on(Event::PositionAsked, at(0));
    assert_eq!(count.on(failed(), at(0)), [Action::Retry("no answer".to_owned())]);
    count.on(Event::PositionAsked, at(1));
    count.on(Event::AnnouncementRead(NewestAnnouncement::default()), at(1));
    assert_eq!(count.on(failed(), at(1)), [Action::Retry("no answer".to_owned())]);
    assert_eq!(count.on(Event::PositionAsked, at(2)), [Action::ReadAnnouncement]);
}

#[test]
fn a_batch_before_the_position_was_asked_for_is_not_counted() {
    assert!(retries(&Count::new(round()).on(batch(vec![ballot(1)], 0), at(0))));
}

#[test]
fn a_batch_that_is_given_up_is_forgotten_when_the_position_is_asked_for() {
    let mut count = idle(2);
    count.on(batch(vec![ballot(3)], 0), at(1));
    assert_eq!(count.on(Event::PositionAsked, at(1)), [Action::ReadAnnouncement]);
    assert_eq!(count.on(Event::Committed, at(1)), [], "an answer that is not waited for");
    count.on(Event::AnnouncementRead(announced(&counted(2), 2)), at(1));
    count.on(Event::ScoreboardRead(counted(2)), at(1));
    assert_eq!(count.position().sequence, 2);
}

#[test]
fn an_answer_that_was_not_asked_for_changes_nothing() {
    let mut count = idle(2);
    let answers = [
        Event::AnnouncementRead(NewestAnnouncement::default()),
        Event::ScoreboardRead(counted(9)),
        Event::ReadFailed("no answer".to_owned()),
        Event::Committed,
        Event::CursorMoved,
        Event::CommitUnanswered("no answer".to_owned()),
        Event::Announced(99),
        Event::NotAnnounced(SayError::Conflict),
    ];
    for answer in answers {
        assert_eq!(count.on(answer, at(1)), []);
    }
    let commit = count.on(batch(vec![ballot(3)], 0), at(1));
    assert_eq!(commit, [Action::Commit { from: Arc::new(counted(2)), to: Arc::new(counted(3)) }]);
}
