//! Every transition: as given, when, then.

use super::*;
use crate::event::{Logged, Read};
use crate::rules::{Ballot, Refusal};
use crate::waiting::NotAccepted;
use subjects::{BallotId, Choice, OptionId, Place, RoundSealed, Timestamp, Unreadable, VoteMessage};

/// A box, and the time that its test has reached.
struct Bench {
    ballot_box: BallotBox<u8>,
    monotonic: Monotonic,
    read_to: u64,
}

/// An answer: to which voter, and what.
type Answer = (u8, Result<Place, NotAccepted>);

fn wall() -> Timestamp {
    Timestamp::from_unix_millis(0).unwrap()
}

fn round() -> RoundId {
    RoundId::parse("demo").unwrap()
}

fn ballot(voter: u8, choice: &str) -> Ballot {
    let choice = Choice([OptionId::parse(choice).unwrap()].into());
    Ballot { id: BallotId::random(), has_given_id: true, voter: Voter::from_bytes([voter; 16]), choice }
}

fn seal() -> VoteMessage {
    VoteMessage::Sealed(RoundSealed { at: wall(), round: round(), reason: "it was closed".into() })
}

/// Another box's block with a ballot of this voter.
fn another(voter: u8) -> VoteMessage {
    let Ballot { id, voter, choice, .. } = ballot(voter, "birds");
    let cast = subjects::CastBallot { ballot: id, voter, choice, replaces: None };
    VoteMessage::Cast(BallotsCast { at: wall(), round: round(), ballots: vec![cast] })
}

fn logged(sequence: u64, id: &str, message: VoteMessage) -> Logged {
    Logged { sequence, id: Some(id.to_owned()), message: Ok(message) }
}

fn answers(actions: &[Action<u8>]) -> Vec<Answer> {
    let answers = actions.iter().filter_map(|action| match action {
        Action::Answer { reply, answer, .. } => Some((*reply, answer.map(|accepted| accepted.place))),
        _ => None,
    });
    answers.collect()
}

/// The number, the id and the expectation of the block that is appended.
fn appended(actions: &[Action<u8>]) -> Option<(u64, String, u64)> {
    actions.iter().find_map(|action| match action {
        Action::Append { block, id, expected, .. } => Some((*block, id.as_str().to_owned(), *expected)),
        _ => None,
    })
}

fn ballots_of(actions: &[Action<u8>]) -> Arc<BallotsCast> {
    let block = actions.iter().find_map(|action| match action {
        Action::Append { ballots, .. } => Some(Arc::clone(ballots)),
        _ => None,
    });
    block.expect("a block is appended")
}

fn wakes(actions: &[Action<u8>]) -> Vec<Monotonic> {
    let wakes = actions.iter().filter_map(|action| match action {
        Action::WakeAt(moment) => Some(*moment),
        _ => None,
    });
    wakes.collect()
}

fn has_failed(actions: &[Action<u8>]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Fail))
}

fn reads_place(actions: &[Action<u8>]) -> bool {
    actions.iter().any(|action| matches!(action, Action::ReadPlace { sequence: 1, .. }))
}

fn asks_end(actions: &[Action<u8>]) -> bool {
    actions.iter().any(|action| matches!(action, Action::AskEnd { .. }))
}

fn place(sequence: u64, index: u32) -> Place {
    Place { sequence, index }
}

impl Bench {
    fn catching_up() -> Self {
        let ballot_box = BallotBox::new(round(), true, MessageId::named("box".into()));
        Self { ballot_box, monotonic: Monotonic::default(), read_to: 0 }
    }

    fn idle() -> Self {
        let mut bench = Self::catching_up();
        bench.reads(Vec::new());
        bench
    }

    /// A box whose first block, of the ballots of these voters, is in flight. Voters are their own reply.
    fn in_flight(voters: &[u8]) -> Self {
        let mut bench = Self::idle();
        let actions = bench.cast(voters);
        assert_eq!(appended(&actions), Some((1, "box-1".into(), 0)));
        bench
    }

    fn conflicted() -> Self {
        let mut bench = Self::in_flight(&[1]);
        let actions = bench.answered(1, Appended::Conflict);
        assert_eq!(wakes(&actions), [bench.monotonic + READ_PLACE_AFTER]);
        bench
    }

    fn in_doubt() -> Self {
        let mut bench = Self::in_flight(&[1]);
        assert!(reads_place(&bench.answered(1, Appended::Unanswered)));
        bench
    }

    fn on(&mut self, event: Event) -> Vec<Action<u8>> {
        let mut actions = Vec::new();
        self.ballot_box.on(event, Now { wall: wall(), monotonic: self.monotonic }, &mut actions);
        actions
    }

    fn hand_in(&mut self, voter: u8, ballot: Ballot) {
        self.ballot_box.hand_in([Waiting::new(ballot, self.monotonic, voter)].into());
    }

    fn cast(&mut self, voters: &[u8]) -> Vec<Action<u8>> {
        for voter in voters {
            self.hand_in(*voter, ballot(*voter, "cats"));
        }
        self.on(Event::BallotsWait)
    }

    fn reads(&mut self, messages: Vec<Logged>) -> Vec<Action<u8>> {
        let newest = messages.last().map_or(0, |logged| logged.sequence);
        self.read_to = self.read_to.max(newest);
        self.on(Event::LogRead(Read { messages, read_to: self.read_to, at_end: true }))
    }

    fn answered(&mut self, block: u64, outcome: Appended) -> Vec<Action<u8>> {
        self.on(Event::Appended { block, outcome })
    }

    fn finds(&mut self, block: u64, found: PlaceRead) -> Vec<Action<u8>> {
        self.on(Event::PlaceRead { block, found })
    }

    fn wakes_after(&mut self, passed: Duration) -> Vec<Action<u8>> {
        self.monotonic = self.monotonic + passed;
        self.on(Event::Wake)
    }
}

#[test]
fn a_box_that_catches_up_judges_nothing() {
    let mut bench = Bench::catching_up();
    assert!(bench.cast(&[1]).is_empty());
    let behind = Read { messages: vec![logged(1, "x", another(7))], read_to: 1, at_end: false };
    assert!(bench.on(Event::LogRead(behind)).is_empty());
    assert!(!bench.ballot_box.is_caught_up());
    let actions = bench.reads(vec![logged(2, "y", another(8))]);
    assert_eq!(appended(&actions), Some((1, "box-1".into(), 2)), "what waited is judged at the end");
}

#[test]
fn a_lone_ballot_is_appended_at_once_and_answered_when_stored() {
    let mut bench = Bench::in_flight(&[1]);
    let actions = bench.answered(1, Appended::Stored(1));
    assert_eq!(answers(&actions), [(1, Ok(place(1, 0)))]);
    assert!(bench.ballot_box.is_idle());
    assert_eq!(bench.ballot_box.sequence(), 1, "the block is folded");
}

#[test]
fn ballots_that_come_while_a_block_is_in_flight_make_the_next_one() {
    let mut bench = Bench::in_flight(&[1]);
    assert!(bench.cast(&[2, 3]).is_empty());
    let actions = bench.answered(1, Appended::Stored(1));
    assert_eq!(appended(&actions), Some((2, "box-2".into(), 1)));
    assert_eq!(ballots_of(&actions).ballots.len(), 2);
    assert_eq!(
        answers(&bench.answered(2, Appended::Stored(2))),
        [(2, Ok(place(2, 0))), (3, Ok(place(2, 1)))]
    );
}

#[test]
fn a_ballot_that_is_in_the_log_is_answered_without_a_block() {
    let mut bench = Bench::idle();
    let again = ballot(1, "cats");
    bench.hand_in(1, again.clone());
    bench.on(Event::BallotsWait);
    bench.answered(1, Appended::Stored(1));
    bench.hand_in(2, again);
    let actions = bench.on(Event::BallotsWait);
    assert_eq!(answers(&actions), [(2, Ok(place(1, 0)))]);
    assert_eq!(appended(&actions), None);
    assert!(bench.ballot_box.is_idle());
}

#[test]
fn a_ballot_refused_because_of_its_block_is_answered_with_the_block() {
    let mut bench = Bench::idle();
    let first = ballot(1, "cats");
    let reused = Ballot { choice: ballot(1, "dogs").choice, ..first.clone() };
    bench.hand_in(1, first);
    bench.hand_in(2, reused);
    assert!(answers(&bench.on(Event::BallotsWait)).is_empty());
    let refused = Err(NotAccepted::Refused(Refusal::BallotIdReused));
    assert_eq!(answers(&bench.answered(1, Appended::Stored(1))), [(1, Ok(place(1, 0))), (2, refused)]);
}

#[test]
fn behind_a_crowds_block_the_next_one_waits_for_its_moment() {
    let crowd: Vec<u8> = (0..16).collect();
    let mut bench = Bench::in_flight(&crowd);
    let actions = bench.answered(1, Appended::Stored(1));
    let moment = bench.monotonic + crate::CROWD_EVERY;
    assert_eq!(wakes(&actions), [moment]);
    assert!(bench.cast(&[99]).is_empty());
    assert!(bench.wakes_after(crate::CROWD_EVERY / 2).is_empty(), "it is not time yet");
    assert!(appended(&bench.wakes_after(crate::CROWD_EVERY / 2)).is_some());
}

#[test]
fn nothing_is_appended_while_nobody_knows_what_the_log_holds() {
    let mut bench = Bench::in_flight(&[1]);
    bench.on(Event::ReadingInterrupted);
    bench.cast(&[2]);
    let actions = bench.answered(1, Appended::Stored(1));
    assert_eq!(answers(&actions), [(1, Ok(place(1, 0)))]);
    assert_eq!(appended(&actions), None);
    assert!(!bench.ballot_box.is_caught_up());
    let behind = Read { messages: Vec::new(), read_to: 0, at_end: false };
    assert!(bench.on(Event::LogRead(behind)).is_empty());
    bench.read_to = 1;
    assert!(appended(&bench.reads(Vec::new())).is_some(), "its own block was read, and passed over");

    let mut bench = Bench::idle();
    bench.on(Event::ReadingInterrupted);
    assert!(bench.cast(&[1]).is_empty());
}

#[test]
fn a_log_that_ends_before_an_acknowledged_block_is_not_appended_to() {
    let mut bench = Bench::in_flight(&[1]);
    bench.answered(1, Appended::Stored(1));
    bench.on(Event::ReadingInterrupted);
    bench.reads(Vec::new());
    assert_eq!(appended(&bench.cast(&[2])), None, "block 1 was not read");
    assert!(!has_failed(&bench.wakes_after(nats::BELIEVED_AFTER)));
    bench.read_to = 1;
    bench.cast(&[3]);
    assert!(appended(&bench.reads(Vec::new())).is_some(), "it was late");

    let mut bench = Bench::in_flight(&[1]);
    bench.answered(1, Appended::Stored(1));
    bench.on(Event::ReadingInterrupted);
    bench.reads(Vec::new());
    assert!(has_failed(&bench.wakes_after(nats::BELIEVED_AFTER + Duration::from_millis(1))), "it is gone");
}

#[test]
fn another_message_where_a_block_was_folded_ends_the_process() {
    let mut bench = Bench::in_flight(&[1]);
    bench.answered(1, Appended::Stored(1));
    let actions = bench.reads(vec![logged(1, "x", another(7))]);
    assert!(actions.iter().any(|action| matches!(action, Action::Fail)));
}

#[test]
fn an_answer_about_a_settled_block_changes_nothing() {
    let mut bench = Bench::in_flight(&[1]);
    bench.answered(1, Appended::Stored(1));
    bench.cast(&[2]);
    assert!(bench.answered(1, Appended::Conflict).is_empty());
    assert!(bench.finds(1, PlaceRead::Nothing).is_empty());
    assert!(bench.on(Event::EndTold { block: 1, end: Some(0) }).is_empty());
    assert_eq!(answers(&bench.answered(2, Appended::Stored(2))), [(2, Ok(place(2, 0)))]);
}

#[test]
fn a_block_read_along_before_its_acknowledgement_is_folded_once() {
    let mut bench = Bench::idle();
    let block = ballots_of(&bench.cast(&[1]));
    let read = bench.reads(vec![logged(1, "box-1", VoteMessage::Cast((*block).clone()))]);
    assert!(answers(&read).is_empty(), "the acknowledgement comes first");
    assert_eq!(answers(&bench.answered(1, Appended::Stored(1))), [(1, Ok(place(1, 0)))]);
    assert_eq!((bench.ballot_box.sequence(), bench.ballot_box.voters()), (1, 1));
}

#[test]
fn a_block_that_was_refused_is_judged_again_behind_what_was_read() {
    for outcome in [Appended::Conflict, Appended::Sealed] {
        let mut bench = Bench::in_flight(&[1]);
        bench.answered(1, outcome);
        bench.cast(&[2]);
        let actions = bench.reads(vec![logged(1, "x", another(7)), logged(2, "y", another(8))]);
        assert_eq!(appended(&actions), Some((2, "box-2".into(), 2)));
        let voters: Vec<_> =
            ballots_of(&actions).ballots.iter().map(|cast| cast.voter.as_bytes()[0]).collect();
        assert_eq!(voters, [1, 2], "in the order in which they came");
    }
}

#[test]
fn a_conflict_is_settled_at_once_by_a_place_that_was_read() {
    let mut bench = Bench::in_flight(&[1]);
    assert!(bench.reads(vec![logged(1, "x", another(7))]).is_empty(), "its answer is still to come");
    let actions = bench.answered(1, Appended::Conflict);
    assert_eq!(appended(&actions), Some((2, "box-2".into(), 1)));
    assert!(actions.iter().any(|action| matches!(action, Action::Report(Report::Conflict))));
}

#[test]
fn a_block_that_its_own_first_copy_refused_is_stored() {
    let mut bench = Bench::idle();
    let block = ballots_of(&bench.cast(&[1]));
    assert!(answers(&bench.answered(1, Appended::Conflict)).is_empty());
    let actions = bench.reads(vec![logged(1, "box-1", VoteMessage::Cast((*block).clone()))]);
    assert_eq!(answers(&actions), [(1, Ok(place(1, 0)))]);
}

#[test]
fn the_place_of_a_refused_block_is_read_when_it_was_not_read_along() {
    let mut bench = Bench::conflicted();
    assert!(!reads_place(&bench.wakes_after(READ_PLACE_AFTER / 2)));
    assert!(reads_place(&bench.wakes_after(READ_PLACE_AFTER / 2)));
    let actions = bench.finds(1, PlaceRead::Message(Some("x".into())));
    assert!(appended(&actions).is_none(), "it is folded before anything is judged again");
    assert!(appended(&bench.reads(vec![logged(1, "x", another(7))])).is_some());
}

#[test]
fn a_block_without_an_acknowledgement_is_found_at_its_place() {
    let mut bench = Bench::in_doubt();
    let actions = bench.finds(1, PlaceRead::Message(Some("box-1".into())));
    assert_eq!(answers(&actions), [(1, Ok(place(1, 0)))]);
    assert_eq!(bench.ballot_box.voters(), 1);
}

#[test]
fn a_block_stored_elsewhere_than_expected_is_looked_for() {
    let mut bench = Bench::in_flight(&[1]);
    let actions = bench.answered(1, Appended::Stored(7));
    assert!(answers(&actions).is_empty());
    assert!(reads_place(&actions));
}

#[test]
fn a_block_in_doubt_is_settled_by_what_is_read_along() {
    let mut bench = Bench::in_doubt();
    assert!(appended(&bench.reads(vec![logged(1, "x", another(7))])).is_some());
    let mut bench = Bench::idle();
    let block = ballots_of(&bench.cast(&[1]));
    bench.answered(1, Appended::Unanswered);
    let actions = bench.reads(vec![logged(1, "box-1", VoteMessage::Cast((*block).clone()))]);
    assert_eq!(answers(&actions), [(1, Ok(place(1, 0)))]);
}

#[test]
fn a_look_that_got_no_answer_is_taken_again_later_and_later() {
    let mut bench = Bench::in_doubt();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let actions = bench.finds(1, PlaceRead::Unavailable);
        let pause = wakes(&actions)[0].since(bench.monotonic);
        assert!(reads_place(&bench.wakes_after(pause)));
        pauses.push(pause.as_millis());
    }
    assert_eq!(pauses, [20, 40, 80, 160, 320, 500, 500]);
}

#[test]
fn a_block_that_is_not_there_is_judged_again_at_the_same_place() {
    for end in [Some(0), None] {
        let mut bench = Bench::in_doubt();
        let pause = wakes(&bench.finds(1, PlaceRead::Nothing))[0].since(bench.monotonic);
        assert!(asks_end(&bench.wakes_after(pause)));
        let actions = bench.on(Event::EndTold { block: 1, end });
        assert_eq!(appended(&actions), Some((2, "box-2".into(), 0)), "at most one of the two is stored");
        assert_eq!(answers(&bench.answered(2, Appended::Away)), [(1, Err(NotAccepted::Unconfirmed))]);
    }
}

#[test]
fn a_log_that_stays_shorter_than_what_was_folded_ends_the_process() {
    let mut bench = Bench::idle();
    bench.reads(vec![logged(1, "x", another(7)), logged(2, "y", another(8))]);
    bench.cast(&[1]);
    bench.answered(1, Appended::Unanswered);
    bench.finds(1, PlaceRead::Nothing);
    bench.wakes_after(Duration::from_millis(20));
    let begin = bench.monotonic;
    loop {
        let actions = bench.on(Event::EndTold { block: 1, end: Some(1) });
        if actions.iter().any(|action| matches!(action, Action::Fail)) {
            break;
        }
        let pause = wakes(&actions)[0].since(bench.monotonic);
        assert!(asks_end(&bench.wakes_after(pause)));
    }
    assert!(bench.monotonic.since(begin) > nats::BELIEVED_AFTER);
}

#[test]
fn what_the_log_does_not_take_is_turned_away() {
    for outcome in [Appended::Away, Appended::Refused("full".into())] {
        let mut bench = Bench::in_flight(&[1]);
        assert_eq!(answers(&bench.answered(1, outcome)), [(1, Err(NotAccepted::LogAway))]);
        assert!(bench.ballot_box.is_idle());
    }
}

#[test]
fn a_voter_who_waits_too_long_is_turned_away() {
    let mut bench = Bench::catching_up();
    bench.cast(&[1]);
    assert!(answers(&bench.wakes_after(ANSWER_WITHIN)).is_empty());
    bench.cast(&[2]);
    let late = bench.wakes_after(Duration::from_millis(1));
    assert_eq!(answers(&late), [(1, Err(NotAccepted::LogAway))]);
    assert_eq!(bench.ballot_box.waiting(), 1);
}

#[test]
fn voters_of_a_late_block_are_told_that_it_is_not_confirmed() {
    let mut bench = Bench::in_flight(&[1]);
    let late = bench.wakes_after(ANSWER_WITHIN + Duration::from_millis(1));
    assert_eq!(answers(&late), [(1, Err(NotAccepted::Unconfirmed))]);
    assert!(bench.answered(1, Appended::Stored(1)).is_empty(), "nobody is answered twice");
    assert_eq!(bench.ballot_box.voters(), 1, "and the block is folded");
}

#[test]
fn a_message_that_cannot_be_decoded_is_passed_and_reported() {
    let mut bench = Bench::idle();
    let unreadable = Logged { sequence: 1, id: None, message: Err(Unreadable::because("no JSON")) };
    let actions = bench.reads(vec![unreadable]);
    assert!(matches!(actions[..], [Action::Report(Report::PassedOver { sequence: 1, .. })]));
    assert_eq!(appended(&bench.cast(&[1])), Some((1, "box-1".into(), 1)));
}

#[test]
fn a_box_that_has_read_the_seal_answers_everyone_and_stops() {
    let mut bench = Bench::conflicted();
    bench.cast(&[2]);
    let actions = bench.reads(vec![logged(1, "x", seal())]);
    let closed = Err(NotAccepted::Refused(Refusal::Closed));
    assert_eq!(answers(&actions), [(1, closed), (2, closed)]);
    assert!(matches!(actions.last(), Some(Action::Stop)));
    assert!(bench.ballot_box.is_sealed());
}

#[test]
fn a_voter_who_comes_behind_the_seal_is_told_what_the_log_says() {
    let mut bench = Bench::idle();
    let before = ballot(1, "cats");
    bench.hand_in(1, before.clone());
    bench.on(Event::BallotsWait);
    bench.answered(1, Appended::Stored(1));
    bench.reads(vec![logged(2, "x", seal())]);
    bench.hand_in(2, before);
    bench.hand_in(3, ballot(3, "dogs"));
    let answers = answers(&bench.on(Event::BallotsWait));
    assert_eq!(answers, [(2, Ok(place(1, 0))), (3, Err(NotAccepted::Refused(Refusal::Closed)))]);
}
