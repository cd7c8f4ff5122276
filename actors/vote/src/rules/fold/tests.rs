//! Ballots judged one by one, and blocks folded: as given, when, then.

use super::*;
use subjects::{BallotId, OptionId, RoundId, RoundSealed, Timestamp};

fn ballot(id: Option<BallotId>, voter: u8, choice: &str) -> Ballot {
    let choice = Choice([OptionId::parse(choice).unwrap()].into());
    let has_given_id = id.is_some();
    let id = id.unwrap_or_else(BallotId::random);
    Ballot { id, has_given_id, voter: Voter::from_bytes([voter; 16]), choice }
}

/// Judges ballots together and appends the block, as a box does.
fn append(fold: &mut Fold, ballots: &[Ballot], allow_changes: bool) -> Vec<Verdict> {
    let mut builder = BlockBuilder::default();
    let verdicts = ballots.iter().map(|ballot| fold.judge(&mut builder, ballot, allow_changes)).collect();
    if !builder.is_empty() {
        let round = RoundId::parse("demo").unwrap();
        let block = BallotsCast { at: now(), round, ballots: builder.into_ballots() };
        fold.take(fold.sequence() + 1, &VoteMessage::Cast(block));
    }
    verdicts
}

fn now() -> Timestamp {
    Timestamp::from_unix_millis(0).unwrap()
}

fn choice_of(fold: &Fold, voter: u8) -> Option<String> {
    fold.standing(Voter::from_bytes([voter; 16])).map(|standing| standing.choice.to_string())
}

#[test]
fn a_new_voter_is_accepted_and_a_change_names_what_it_replaces() {
    let mut fold = Fold::default();
    let (first, second) = (BallotId::random(), BallotId::random());
    let verdicts = append(&mut fold, &[ballot(Some(first), 1, "cats"), ballot(None, 2, "cats")], true);
    assert_eq!(verdicts[0], Verdict::InBlock(first, 0));
    assert!(matches!(verdicts[1], Verdict::InBlock(_, 1)));

    let mut builder = BlockBuilder::default();
    fold.judge(&mut builder, &ballot(Some(second), 1, "dogs"), true);
    let replaces = builder.into_ballots()[0].replaces.clone().unwrap();
    assert_eq!((replaces.ballot, replaces.choice.to_string()), (first, "cats".to_owned()));
}

#[test]
fn a_ballot_sent_again_gets_the_answer_of_the_first_time() {
    let mut fold = Fold::default();
    let (first, second) = (BallotId::random(), BallotId::random());
    let at = |sequence, index| Place { sequence, index };
    append(&mut fold, &[ballot(Some(first), 1, "cats")], false);
    assert_eq!(
        append(&mut fold, &[ballot(Some(first), 1, "cats")], false),
        [Verdict::InLog(first, at(1, 0))]
    );

    append(&mut fold, &[ballot(Some(second), 1, "dogs")], true);
    let late = append(&mut fold, &[ballot(Some(first), 1, "cats")], true);
    assert_eq!(late, [Verdict::InLog(first, at(1, 0))], "a late retry does not change the ballot back");
    assert_eq!(choice_of(&fold, 1).as_deref(), Some("dogs"));
}

#[test]
fn a_form_sent_twice_is_one_ballot() {
    for allow_changes in [true, false] {
        let mut fold = Fold::default();
        let twice = [ballot(None, 1, "cats"), ballot(None, 1, "cats")];
        let verdicts = append(&mut fold, &twice, allow_changes);
        assert_eq!(verdicts[0], verdicts[1]);
        let again = append(&mut fold, &twice[..1], allow_changes);
        assert!(matches!(again[0], Verdict::InLog(_, Place { sequence: 1, index: 0 })));
        assert_eq!(fold.sequence(), 1);
    }
}

#[test]
fn a_second_ballot_is_refused_where_the_round_does_not_let_it_be_changed() {
    let mut fold = Fold::default();
    let together = append(&mut fold, &[ballot(None, 1, "cats"), ballot(None, 1, "dogs")], false);
    assert_eq!(together[1], Verdict::RefusedByBlock(Refusal::AlreadyVoted));
    let later = append(&mut fold, &[ballot(None, 1, "dogs")], false);
    assert_eq!(later, [Verdict::Refused(Refusal::AlreadyVoted)]);
    assert_eq!(choice_of(&fold, 1).as_deref(), Some("cats"));
}

#[test]
fn a_ballot_id_cannot_be_used_for_another_choice() {
    let mut fold = Fold::default();
    let id = Some(BallotId::random());
    let together = append(&mut fold, &[ballot(id, 1, "cats"), ballot(id, 1, "dogs")], true);
    assert_eq!(together[1], Verdict::RefusedByBlock(Refusal::BallotIdReused));
    assert_eq!(
        append(&mut fold, &[ballot(id, 1, "dogs")], true),
        [Verdict::Refused(Refusal::BallotIdReused)]
    );
}

#[test]
fn another_voters_ballot_id_is_no_retry() {
    let mut fold = Fold::default();
    let id = Some(BallotId::random());
    append(&mut fold, &[ballot(id, 1, "cats")], true);
    let other = append(&mut fold, &[ballot(id, 2, "cats")], true);
    assert!(matches!(other[0], Verdict::InBlock(_, 0)));
    assert_eq!(fold.voters(), 2);
}

#[test]
fn nothing_follows_the_seal() {
    let mut fold = Fold::default();
    append(&mut fold, &[ballot(None, 1, "cats")], true);
    let seal = RoundSealed { at: now(), round: RoundId::parse("demo").unwrap(), reason: "time".into() };
    fold.take(2, &VoteMessage::Sealed(seal));
    let again = append(&mut fold, &[ballot(None, 1, "cats")], true);
    assert!(
        matches!(again[0], Verdict::InLog(_, Place { sequence: 1, index: 0 })),
        "but a retry is answered"
    );
    assert_eq!(append(&mut fold, &[ballot(None, 2, "cats")], true), [Verdict::Refused(Refusal::Closed)]);
}

#[test]
fn a_message_that_is_in_the_fold_changes_nothing() {
    let mut fold = Fold::default();
    append(&mut fold, &[ballot(None, 1, "cats")], true);
    append(&mut fold, &[ballot(None, 1, "dogs")], true);
    let seal = RoundSealed { at: now(), round: RoundId::parse("demo").unwrap(), reason: "time".into() };
    fold.take(2, &VoteMessage::Sealed(seal));
    assert!(!fold.is_sealed());
    assert_eq!(choice_of(&fold, 1).as_deref(), Some("dogs"));
}

#[test]
fn a_block_has_room_for_a_thousand_ballots_and_for_half_a_mebibyte() {
    let fold = Fold::default();
    let mut builder = BlockBuilder::default();
    let voter = |number: u32| Voter::from_bytes(u128::from(number).to_be_bytes());
    let long = Choice(vec![OptionId::parse(&"x".repeat(64)).unwrap(); 100].into());
    let mut room = 0;
    let ballot = |number, choice: &Choice| {
        let id = BallotId::random();
        Ballot { id, has_given_id: false, voter: voter(number), choice: choice.clone() }
    };
    while fold.judge(&mut builder, &ballot(room, &long), true) != Verdict::NoRoom {
        room += 1;
    }
    assert_eq!(room, 75);

    let mut builder = BlockBuilder::default();
    let short = Choice([OptionId::parse("cats").unwrap()].into());
    let verdicts: Vec<_> =
        (0..1_001).map(|number| fold.judge(&mut builder, &ballot(number, &short), true)).collect();
    assert!(matches!(verdicts[999], Verdict::InBlock(_, 999)));
    assert_eq!(verdicts[1_000], Verdict::NoRoom);
}

#[test]
fn a_form_judged_again_is_known_when_its_first_copy_was_stored() {
    let mut fold = Fold::default();
    let form = ballot(None, 1, "cats");
    append(&mut fold, std::slice::from_ref(&form), true);
    append(&mut fold, &[ballot(None, 1, "dogs")], true);
    let again = append(&mut fold, std::slice::from_ref(&form), true);
    assert_eq!(again, [Verdict::InLog(form.id, Place { sequence: 1, index: 0 })]);
    assert_eq!(choice_of(&fold, 1).as_deref(), Some("dogs"), "it does not change the later ballot back");
}
