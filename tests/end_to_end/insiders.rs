//! Somebody with the credentials of one process, command or person, and somebody with none, forge every kind of message and
//! request while people vote: it is refused unless the table says otherwise, and votes and counts go on.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions};
use futures_util::future::join_all;
use serde_json::{Value, json};
use subjects::{Account, kinds};
use urna_access::{User, permissions};
use urna_world::{Own, World, audit, eventually};

use crate::people::{id_of, person, role_of};
use crate::permissions::may_publish;

/// How long a forger waits for an acknowledgement.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);
/// What would do most harm to the demonstration round, and to the streams that everything is in.
const REQUESTS: [(&str, &str); 12] = [
    ("STREAM.DELETE.VOTES-demo", "{}"),
    ("STREAM.PURGE.VOTES-demo", "{}"),
    ("STREAM.MSG.DELETE.VOTES-demo", r#"{"seq":1}"#),
    ("STREAM.DELETE.ROUNDS", "{}"),
    ("STREAM.PURGE.KEYS", "{}"),
    ("STREAM.MSG.GET.KEYS", r#"{"last_by_subj":"key.demo"}"#),
    ("STREAM.DELETE.TALLIES", "{}"),
    ("STREAM.DELETE.ACCOUNTS", "{}"),
    ("STREAM.PURGE.SESSIONS", "{}"),
    ("CONSUMER.DELETE.VOTES-demo.tally", "{}"),
    ("CONSUMER.DELETE.ROUNDS.round", "{}"),
    ("CONSUMER.DELETE.ACCOUNTS.session", "{}"),
];

/// A message of each kind, about the demonstration round or the person of the golden files.
const GOLDEN: [(&str, &str, &str); 13] = [
    (
        "account_registered",
        "account.USER.registered",
        include_str!("../../subjects/golden/account.registered.json"),
    ),
    (
        "account_authenticated",
        "account.USER.authenticated",
        include_str!("../../subjects/golden/account.authenticated.json"),
    ),
    (
        "account_authentication_failed",
        "account.USER.authentication_failed",
        include_str!("../../subjects/golden/account.authentication_failed.json"),
    ),
    ("account_changed", "account.USER.changed", include_str!("../../subjects/golden/account.changed.json")),
    (
        "account_password_changed",
        "account.USER.password_changed",
        include_str!("../../subjects/golden/account.password_changed.json"),
    ),
    ("session_opened", "session.SESSION.opened", include_str!("../../subjects/golden/session.opened.json")),
    ("session_ended", "session.SESSION.ended", include_str!("../../subjects/golden/session.ended.json")),
    ("round_changed", "round.demo", include_str!("../../subjects/golden/round.closed.json")),
    ("voter_key_created", "key.demo", include_str!("../../subjects/golden/key.json")),
    ("ballots_cast", "vote.demo.cast", include_str!("../../subjects/golden/vote.cast.json")),
    ("round_sealed", "vote.demo.sealed", include_str!("../../subjects/golden/vote.sealed.json")),
    ("tally_counted", "tally.demo.counted", include_str!("../../subjects/golden/tally.counted.json")),
    (
        "message_dead_lettered",
        "dead_letter.forger.VOTES-demo",
        include_str!("../../subjects/golden/dead_letter.json"),
    ),
];
/// The person of the golden files, and a session.
const PERSON: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const SESSION: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// A forged message of each kind: this person is an admin, and a million votes are counted.
fn forgeries(user: &str) -> BTreeMap<&'static str, (String, String)> {
    let forge = |(kind, subject, golden): (&'static str, &str, &str)| {
        let subject = subject.replace("USER", user).replace("SESSION", SESSION);
        let forged = golden.replace(PERSON, user).replace("organiser", "admin").replace(": 10", ": 1000001");
        (kind, (subject, forged))
    };
    GOLDEN.map(forge).into()
}

/// The last sequence of every stream, and how many readers each has that the processes share.
async fn state(world: &World) -> BTreeMap<String, (u64, u64)> {
    let mut state = BTreeMap::new();
    for account in Account::ALL {
        let jetstream = world.jetstream_of(account).await.expect("the nats-server answers");
        let mut names: Vec<String> = account.streams().into_iter().map(|stream| stream.name).collect();
        names.extend((account == Account::Elections).then(|| "VOTES-demo".to_owned()));
        for name in names {
            let stream = jetstream.get_stream(&name).await.unwrap_or_else(|cause| panic!("{name}: {cause}"));
            let state_of = &stream.cached_info().state;
            state.insert(format!("{account:?} {name}"), (state_of.last_sequence, state_of.messages));
        }
    }
    state
}

/// What is answered to each of these, all sent at once; nothing within a while if nobody may send it.
async fn answers(client: &Client, sent: Vec<(String, String)>) -> Vec<(String, Option<Vec<u8>>)> {
    let answers = sent.into_iter().map(|(subject, body)| async move {
        let asked = client.request(subject.clone(), body.into());
        let answer = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        (subject, answer.ok().and_then(Result::ok).map(|answer| answer.payload.to_vec()))
    });
    join_all(answers).await
}

fn is_refusal(answer: &[u8]) -> bool {
    serde_json::from_slice::<Value>(answer).is_ok_and(|answer| !answer["error"].is_null())
}

#[tokio::test]
async fn no_insider_can_say_what_another_process_says() {
    let world = World::with_urna_owning(&[Own::Nats]).await;
    let ann = person(&world, "Ann").await;
    let user = id_of(&ann).await;
    assert!(world.voter_at("urna", "before").insists("cats").await.is_accepted());
    world.quiet().await;
    let (before, forgeries) = (state(&world).await, forgeries(&user));
    for insider in User::ALL {
        let Some(permissions) = permissions::of(insider) else { continue };
        let client = world.client_as(insider).await;
        let forged = kinds::ALL.iter().filter_map(|kind| {
            let (subject, forged) = &forgeries[kind.name];
            assert!(kind.matches(subject), "{subject}");
            (!may_publish(&permissions, subject)).then(|| (subject.clone(), forged.clone()))
        });
        for (subject, answer) in answers(&client, forged.collect()).await {
            assert!(answer.is_none(), "{} could publish {subject}", insider.name());
        }
    }
    assert_eq!(state(&world).await, before, "nothing was stored");
    assert_eq!(role_of(&ann).await, "voter");
    let refused = world.nats_log();
    for (subject, _) in forgeries.values() {
        assert!(refused.contains(subject.as_str()), "the server's log shows no refusal of {subject}");
    }
    assert!(world.voter_at("urna", "after").insists("dogs").await.is_accepted());
    audit(&world).await.agrees(&world).await;
    world.close().await;
}

#[tokio::test]
async fn no_insider_can_take_anything_away() {
    let world = World::with_urna_owning(&[Own::Nats]).await;
    person(&world, "Ann").await;
    assert!(world.voter_at("urna", "before").insists("cats").await.is_accepted());
    world.quiet().await;
    let before = state(&world).await;
    for insider in User::ALL.into_iter().filter(|user| *user != User::System) {
        let (client, api) = (world.client_as(insider).await, insider.account().api_prefix());
        let mut requests = Vec::new();
        for (request, body) in REQUESTS {
            let may = (insider == User::Tally && request == "CONSUMER.DELETE.VOTES-demo.tally")
                // They archive logs, and read keys.
                || (insider == User::Archive && request == "STREAM.DELETE.VOTES-demo")
                || ([User::Vote, User::Round].contains(&insider) && request == "STREAM.MSG.GET.KEYS");
            if may {
                continue;
            }
            requests.extend([api, "$JS.API"].map(|prefix| (format!("{prefix}.{request}"), body.to_owned())));
        }
        for (request, answer) in answers(&client, requests).await {
            // Of the other account's streams, the server says that it has none.
            assert!(
                answer.is_none_or(|answer| is_refusal(&answer)),
                "{} was answered {request}",
                insider.name()
            );
        }
    }
    assert_eq!(state(&world).await, before);
    assert!(world.voter_at("urna", "after").insists("dogs").await.is_accepted());
    audit(&world).await.agrees(&world).await;
    world.close().await;
}

#[tokio::test]
async fn an_auditor_cannot_have_an_old_message_delivered_as_a_new_one() {
    let world = World::with_urna().await;
    assert!(world.voter_at("urna", "before").insists("cats").await.is_accepted());
    world.quiet().await;
    let (before, auditor) = (state(&world).await, world.client_as(User::Auditor).await);
    let api = User::Auditor.account().api_prefix();
    for (stream, filter, target) in [
        ("ROUNDS", "round.*", "round.demo"),
        ("VOTES-demo", "vote.demo.>", "vote.demo.cast"),
        ("VOTES-demo", "vote.demo.>", "tally.demo.counted"),
        ("TALLIES", "tally.*.counted", "tally.demo.counted"),
    ] {
        let config = json!({ "name": "replay", "filter_subject": filter, "ack_policy": "none" });
        let create = json!({ "stream_name": stream, "config": config });
        let created = auditor
            .request(format!("{api}.CONSUMER.CREATE.{stream}.replay.{filter}"), create.to_string().into())
            .await
            .expect("an auditor reads");
        let created: Value = serde_json::from_slice(&created.payload).expect("JSON");
        assert!(created["error"].is_null(), "{created}");
        // The server sends what is asked for to the reply subject, whatever that is, with no look at permissions.
        let next = format!("{api}.CONSUMER.MSG.NEXT.{stream}.replay");
        auditor
            .publish_with_reply(next, target, r#"{"batch":5,"no_wait":true}"#.into())
            .await
            .expect("connected");
        let info = format!("{api}.STREAM.INFO.{stream}");
        auditor.publish_with_reply(info, target, "".into()).await.expect("connected");
    }
    auditor.flush().await.expect("connected");
    // An answer to a request sent last says that those before it were handled.
    auditor.request(format!("{api}.STREAM.INFO.ROUNDS"), "".into()).await.expect("an auditor reads");
    assert_eq!(state(&world).await, before, "answers to an auditor stay in the auditor's account");
    world.close().await;
}

#[tokio::test]
async fn what_people_are_answered_is_stored_nowhere() {
    let world = World::with_urna().await;
    person(&world, "Ann").await;
    assert!(world.voter_at("urna", "before").insists("cats").await.is_accepted());
    world.quiet().await;
    let before = state(&world).await;
    for (user, stream, targets) in [
        (User::Auditor, "ROUNDS", ["round.demo", "key.demo", "tally.demo.counted"]),
        (User::Operator, "DEAD_LETTERS", ["dead_letter.tally.VOTES-demo", "vote.demo.cast", "key.other"]),
        (
            User::Support,
            "ACCOUNTS",
            ["account.ann.changed", "session.x.opened", "dead_letter.session.ACCOUNTS"],
        ),
    ] {
        let (client, api) = (world.client_as(user).await, user.account().api_prefix());
        for target in targets {
            let info = format!("{api}.STREAM.INFO.{stream}");
            client.publish_with_reply(info, target, "".into()).await.expect("connected");
        }
        // An answer to a request sent last says that those before it were handled.
        client.request(format!("{api}.STREAM.INFO.{stream}"), "".into()).await.expect("people may look");
    }
    assert_eq!(state(&world).await, before);
    world.close().await;
}

#[tokio::test]
async fn nobody_connects_without_credentials_or_with_wrong_ones() {
    let world = World::new().await;
    let strangers = [
        ConnectOptions::new(),
        ConnectOptions::with_user_and_password("vote".to_owned(), "guessed".to_owned()),
        ConnectOptions::with_token("guessed".to_owned()),
        ConnectOptions::with_nkey(nkeys::KeyPair::new_user().seed().expect("a new key has a seed")),
    ];
    for stranger in strangers {
        let connected = stranger.connect(world.nats_url()).await;
        let refused = match connected {
            Err(refused) => refused.to_string(),
            Ok(client) => {
                eventually("a stranger is sent away", || async {
                    (client.connection_state() != State::Connected).then_some(())
                })
                .await;
                continue;
            }
        };
        assert!(refused.contains("authorization violation"), "{refused}");
    }
    world.close().await;
}
