//! What was once said can always be heard, and is said the same way today.

use std::fmt::Debug;

use crate::{
    BallotsCast, Heard, Keyed, LoginMessage, MessageBuried, RoundChanged, RoundId, RoundSealed, Said,
    SessionMessage, TallyCounted, VoteMessage, VoterKeyMade,
};
use serde::Serialize;

fn holds<M: Heard + Said + Debug>(subject: &str, golden: &str) {
    let message = M::hear(subject, golden.as_bytes()).expect("an old message is heard");
    assert_eq!(message.subject(), subject);
    same_json(&message, golden);
}

fn same_json(message: &impl Serialize, golden: &str) {
    let said = serde_json::to_value(message).unwrap();
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert_eq!(said, golden);
}

#[test]
fn what_was_once_said_can_always_be_heard() {
    holds::<RoundChanged>("round.demo", include_str!("../golden/round.changed.json"));
    holds::<RoundChanged>("round.demo", include_str!("../golden/round.closing.json"));
    holds::<RoundChanged>("round.board", include_str!("../golden/round.edited.json"));
    holds::<RoundChanged>("round.board", include_str!("../golden/round.organised.json"));
    holds::<VoterKeyMade>("key.demo", include_str!("../golden/key.made.json"));
    holds::<TallyCounted>("tally.demo.counted", include_str!("../golden/tally.counted.json"));
    holds::<TallyCounted>("tally.demo.counted", include_str!("../golden/tally.repaired.json"));
    holds::<MessageBuried>("dead.tally.VOTES-demo", include_str!("../golden/dead.buried.json"));
}

#[test]
fn a_log_holds_blocks_and_a_seal() {
    let golden = include_str!("../golden/vote.cast.json");
    let VoteMessage::Cast(block) = VoteMessage::hear("vote.demo.cast", golden.as_bytes()).unwrap() else {
        panic!("a block is heard as a block");
    };
    assert_eq!(BallotsCast::subject(&block), "vote.demo.cast");
    same_json(&block, golden);

    let golden = include_str!("../golden/vote.sealed.json");
    let VoteMessage::Sealed(seal) = VoteMessage::hear("vote.demo.sealed", golden.as_bytes()).unwrap() else {
        panic!("a seal is heard as a seal");
    };
    assert_eq!(RoundSealed::subject(&seal), "vote.demo.sealed");
    same_json(&seal, golden);
}

#[test]
fn a_subject_names_the_round_that_its_message_is_about() {
    let board = RoundId::parse("board").unwrap();
    assert_eq!(RoundChanged::key_of(&RoundChanged::subject_of(&board)), Ok(board.clone()));
    assert_eq!(VoterKeyMade::key_of(&VoterKeyMade::subject_of(&board)), Ok(board.clone()));
    assert_eq!(TallyCounted::key_of(&TallyCounted::subject_of(&board)), Ok(board));
    for wrong in ["", "round", "round.", "round.No", "round.board.x", "key.board", "tally.board"] {
        assert!(RoundChanged::key_of(wrong).is_err(), "{wrong}");
    }
    for wrong in ["tally.board", "tally..counted", "tally.counted", "tally.board.counted.x", "round.board"] {
        assert!(TallyCounted::key_of(wrong).is_err(), "{wrong}");
    }
}

fn says(message: &impl Said, subject: &str, golden: &str) {
    assert_eq!(message.subject(), subject);
    same_json(message, golden);
}

#[test]
fn an_account_is_spoken_of_in_five_ways() {
    let of = |what: &str| format!("login.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.{what}");
    let golden = [
        ("registered", include_str!("../golden/login.registered.json")),
        ("proved", include_str!("../golden/login.proved.json")),
        ("refused", include_str!("../golden/login.refused.json")),
        ("changed", include_str!("../golden/login.changed.json")),
        ("secured", include_str!("../golden/login.secured.json")),
    ];
    for (what, golden) in golden {
        let subject = of(what);
        match LoginMessage::hear(&subject, golden.as_bytes()).expect("an old message is heard") {
            LoginMessage::Registered(it) => says(&it, &subject, golden),
            LoginMessage::Proved(it) => says(&it, &subject, golden),
            LoginMessage::Refused(it) => says(&it, &subject, golden),
            LoginMessage::Changed(it) => says(&it, &subject, golden),
            LoginMessage::Secured(it) => says(&it, &subject, golden),
        }
    }
    let refused = include_str!("../golden/login.refused.json").as_bytes();
    assert!(LoginMessage::hear("login.67e55044-10b1-426f-9247-bb680e5fe0c8.refused", refused).is_err());
}

#[test]
fn a_session_opens_and_ends() {
    let of = |what: &str| format!("session.67e55044-10b1-426f-9247-bb680e5fe0c8.{what}");
    let opened = include_str!("../golden/session.opened.json");
    let ended = include_str!("../golden/session.ended.json");
    for (what, golden) in [("opened", opened), ("ended", ended)] {
        match SessionMessage::hear(&of(what), golden.as_bytes()).expect("an old message is heard") {
            SessionMessage::Opened(it) => says(&it, &of(what), golden),
            SessionMessage::Ended(it) => says(&it, &of(what), golden),
        }
    }
    assert!(SessionMessage::hear("session.demo.ended", ended.as_bytes()).is_err());
}

#[test]
fn what_is_no_message_says_why_without_quoting_it() {
    let why = |subject: &str, payload: &str| {
        VoteMessage::hear(subject, payload.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(why("vote.demo.cast", "secret"), "no JSON at line 1 column 1");
    assert_eq!(why("vote.demo.cast", "{\"at\":\"secret\"}"), "JSON of another shape at line 1 column 14");
    assert_eq!(why("vote.demo.counted", "{}"), "neither a block of ballots nor a seal");
    assert_eq!(why("vote.other.cast", include_str!("../golden/vote.cast.json")), "a message of round demo");
    let empty = "{\"at\":\"2026-11-21T09:30:00Z\",\"round\":\"demo\",\"ballots\":[]}";
    assert_eq!(why("vote.demo.cast", empty), "a block of 0 ballots");
}
