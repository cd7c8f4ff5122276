//! What was once said can always be heard, and is said the same way today.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::kinds::ALL;
use crate::{
    AccountMessage, Heard, Keyed, Kind, MessageDeadLettered, RoundChanged, RoundId, Said, SessionMessage,
    TallyCounted, Unreadable, VoteMessage, VoterKeyCreated,
};

/// Each golden file, named by the words of its subject, and the subject of the message in it.
const GOLDEN: [(&str, &str); 17] = [
    ("account.registered", "account.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.registered"),
    ("account.authenticated", "account.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.authenticated"),
    ("account.authentication_failed", "account.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.authentication_failed"),
    ("account.changed", "account.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.changed"),
    ("account.password_changed", "account.6f9619ff-8b86-4d01-b42d-00cf4fc964ff.password_changed"),
    ("session.opened", "session.67e55044-10b1-426f-9247-bb680e5fe0c8.opened"),
    ("session.ended", "session.67e55044-10b1-426f-9247-bb680e5fe0c8.ended"),
    ("round.created", "round.demo"),
    ("round.edited", "round.board"),
    ("round.organised", "round.board"),
    ("round.closed", "round.demo"),
    ("key", "key.demo"),
    ("vote.cast", "vote.demo.cast"),
    ("vote.sealed", "vote.demo.sealed"),
    ("tally.counted", "tally.demo.counted"),
    ("tally.repaired", "tally.demo.counted"),
    ("dead_letter", "dead_letter.tally.VOTES-demo"),
];

/// A message that was heard, as it is said today.
struct Told {
    kind: Kind,
    subject: String,
    json: Value,
}

impl Told {
    fn of<M: Said>(message: &M) -> Self {
        let json = serde_json::to_value(message).unwrap();
        Self { kind: Kind::of::<M>(), subject: message.subject(), json }
    }
}

fn golden(file: &str) -> String {
    fs::read_to_string(format!("{}/golden/{file}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn hear(subject: &str, json: &str) -> Result<Told, Unreadable> {
    let payload = json.as_bytes();
    Ok(match subject.split('.').next().unwrap_or_default() {
        "account" => match AccountMessage::hear(subject, payload)? {
            AccountMessage::Registered(it) => Told::of(&it),
            AccountMessage::Authenticated(it) => Told::of(&it),
            AccountMessage::AuthenticationFailed(it) => Told::of(&it),
            AccountMessage::Changed(it) => Told::of(&it),
            AccountMessage::PasswordChanged(it) => Told::of(&it),
        },
        "session" => match SessionMessage::hear(subject, payload)? {
            SessionMessage::Opened(it) => Told::of(&it),
            SessionMessage::Ended(it) => Told::of(&it),
        },
        "round" => Told::of(&RoundChanged::hear(subject, payload)?),
        "key" => Told::of(&VoterKeyCreated::hear(subject, payload)?),
        "vote" => match VoteMessage::hear(subject, payload)? {
            VoteMessage::Cast(it) => Told::of(&it),
            VoteMessage::Sealed(it) => Told::of(&it),
        },
        "tally" => Told::of(&TallyCounted::hear(subject, payload)?),
        "dead_letter" => Told::of(&MessageDeadLettered::hear(subject, payload)?),
        other => panic!("no message is called {other}"),
    })
}

#[test]
fn what_was_once_said_can_always_be_heard() {
    for (file, subject) in GOLDEN {
        let json = golden(file);
        let told = hear(subject, &json).expect("an old message is heard");
        assert_eq!(told.subject, subject);
        assert_eq!(told.json, serde_json::from_str::<Value>(&json).unwrap(), "{file}");
    }
}

#[test]
fn every_kind_of_message_is_listed_and_has_a_golden_file() {
    let mut kinds = BTreeSet::new();
    for (file, subject) in GOLDEN {
        let kind = hear(subject, &golden(file)).expect("a message").kind;
        let matching: Vec<Kind> = ALL.into_iter().filter(|kind| kind.matches(subject)).collect();
        assert_eq!(matching, [kind], "{subject}");
        kinds.insert(kind.name);
    }
    assert_eq!(kinds, ALL.iter().map(|kind| kind.name).collect());
}

#[test]
fn every_golden_file_is_heard() {
    let files = fs::read_dir(format!("{}/golden", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, GOLDEN.iter().map(|(file, _)| format!("{file}.json")).collect());
}

/// A type that can be said is forgotten in no list.
#[test]
fn every_type_that_can_be_said_is_in_the_list_of_kinds() {
    let sources = fs::read_dir(format!("{}/src", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let sources = sources.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let said: usize = sources.map(|source| source.matches("\nimpl Said for ").count()).sum();
    assert_eq!(said, ALL.len());
}

#[test]
fn a_kind_matches_its_own_subjects_alone() {
    let cast = Kind { name: "ballots_cast", subject: "vote.*.cast" };
    assert!(cast.matches("vote.demo.cast"));
    for other in
        ["", "vote", "vote.demo", "vote..cast", "vote.demo.sealed", "vote.demo.cast.x", "tally.demo.cast"]
    {
        assert!(!cast.matches(other), "{other}");
    }
}

#[test]
fn a_subject_names_the_round_that_its_message_is_about() {
    let board = RoundId::parse("board").unwrap();
    assert_eq!(RoundChanged::key_of(&RoundChanged::subject_of(&board)), Ok(board.clone()));
    assert_eq!(VoterKeyCreated::key_of(&VoterKeyCreated::subject_of(&board)), Ok(board.clone()));
    assert_eq!(TallyCounted::key_of(&TallyCounted::subject_of(&board)), Ok(board));
    for wrong in ["", "round", "round.", "round.No", "round.board.x", "key.board", "tally.board"] {
        assert!(RoundChanged::key_of(wrong).is_err(), "{wrong}");
    }
    for wrong in ["tally.board", "tally..counted", "tally.counted", "tally.board.counted.x", "round.board"] {
        assert!(TallyCounted::key_of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_message_that_contradicts_its_subject_is_refused() {
    let other = "2f1c7a52-3f0b-4d6e-9c58-1b7a90d4e6f3";
    for (file, subject) in [
        ("account.authentication_failed", format!("account.{other}.authentication_failed")),
        ("session.ended", format!("session.{other}.ended")),
    ] {
        assert!(hear(&subject, &golden(file)).is_err(), "{subject}");
    }
}

#[test]
fn what_is_no_message_says_why_without_quoting_it() {
    let why = |subject: &str, payload: &str| {
        VoteMessage::hear(subject, payload.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(why("vote.demo.cast", "secret"), "no JSON at line 1 column 1");
    assert_eq!(why("vote.demo.cast", "{\"at\":\"secret\"}"), "JSON of another shape at line 1 column 14");
    assert_eq!(why("vote.demo.counted", "{}"), "neither a block of ballots nor a seal");
    assert_eq!(why("vote.other.cast", &golden("vote.cast")), "a message of round demo");
    let empty = "{\"at\":\"2026-11-21T09:30:00Z\",\"round\":\"demo\",\"ballots\":[]}";
    assert_eq!(why("vote.demo.cast", empty), "a block of 0 ballots");
}
