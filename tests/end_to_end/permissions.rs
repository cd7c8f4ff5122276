//! Every user of the nats-server tries every subject and every request: the server allows what the table says, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::{Client, Event, ServerError};
use subjects::{Account, kinds};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use urna_access::{Permissions, ServerAccount, User, permissions};
use urna_world::World;

/// Who publishes messages of each kind, written down apart from the table.
const PUBLISHERS: [(&str, &[User]); 13] = [
    ("account_registered", &[User::Login]),
    ("account_authenticated", &[User::Login]),
    ("account_authentication_failed", &[User::Login]),
    ("account_changed", &[User::Login]),
    ("account_password_changed", &[User::Login]),
    ("session_opened", &[User::Session]),
    ("session_ended", &[User::Session]),
    ("round_changed", &[User::Round, User::Close]),
    ("voter_key_created", &[User::Round]),
    ("ballots_cast", &[User::Vote]),
    ("round_sealed", &[User::Round]),
    ("tally_counted", &[User::Tally]),
    // In the name of `somebody`, which no process has.
    ("message_dead_lettered", &[]),
];
/// The requests that name a stream.
const OF_A_STREAM: [&str; 28] = [
    "STREAM.CREATE.{}",
    "STREAM.UPDATE.{}",
    "STREAM.INFO.{}",
    "STREAM.DELETE.{}",
    "STREAM.PURGE.{}",
    "STREAM.SNAPSHOT.{}",
    "STREAM.RESTORE.{}",
    "STREAM.MSG.GET.{}",
    "STREAM.MSG.DELETE.{}",
    "STREAM.PEER.REMOVE.{}",
    "STREAM.LEADER.STEPDOWN.{}",
    "DIRECT.GET.{}",
    "DIRECT.GET.{}.vote.demo.cast",
    "CONSUMER.CREATE.{}",
    "CONSUMER.CREATE.{}.somebody",
    "CONSUMER.CREATE.{}.somebody.>",
    "CONSUMER.CREATE.{}.somebody.vote.demo.>",
    "CONSUMER.CREATE.{}.somebody.key.*",
    "CONSUMER.CREATE.{}.tally.vote.demo.>",
    "CONSUMER.DURABLE.CREATE.{}.somebody",
    "CONSUMER.NAMES.{}",
    "CONSUMER.LIST.{}",
    "CONSUMER.INFO.{}.tally",
    "CONSUMER.DELETE.{}.tally",
    "CONSUMER.PAUSE.{}.tally",
    "CONSUMER.RESET.{}.tally",
    "CONSUMER.MSG.NEXT.{}.tally",
    "CONSUMER.MSG.NEXT.{}.somebody",
];
/// Those that name none.
const OF_AN_ACCOUNT: [&str; 9] = [
    "INFO",
    "STREAM.NAMES",
    "STREAM.LIST",
    "META.LEADER.STEPDOWN",
    "SERVER.REMOVE",
    "ACCOUNT.PURGE.ELECTIONS",
    "ACCOUNT.STREAM.MOVE.ELECTIONS.VOTES-demo",
    "STREAM.TEMPLATE.CREATE.somebody",
    "CONSUMER.LEADER.STEPDOWN.VOTES-demo.tally",
];
/// What no process may ask for, of any stream; only `round` may purge, and only pictures.
const NEVER: [&str; 6] = ["DELETE", "PURGE", "SNAPSHOT", "RESTORE", "PEER.REMOVE", "LEADER.STEPDOWN"];
/// Nobody may publish here: when the server has refused it, it has judged all before it.
const LAST: &str = "nobody.may.publish.here";
/// How many are tried before the server is waited for: the client forgets events when there are many.
const AT_ONCE: usize = 20;

/// A connection of one user, and what the server has refused it.
struct Tried {
    client: Client,
    refused: UnboundedReceiver<String>,
}

impl Tried {
    async fn connect(world: &World, user: User) -> Self {
        let (tell, refused) = unbounded_channel();
        let options = world.options_of(user).event_callback(move |event| {
            let tell = tell.clone();
            async move {
                if let Event::ServerError(ServerError::Other(words)) = event {
                    let _ = tell.send(words);
                }
            }
        });
        let client = options.connect(world.nats_url()).await.expect("every user can connect");
        Self { client, refused }
    }

    /// Which of these subjects the server refuses: to publish on, or to subscribe to.
    async fn refused(mut self, publish: bool, subjects: &BTreeSet<String>) -> BTreeSet<String> {
        let subjects: Vec<&String> = subjects.iter().collect();
        let mut refused = BTreeSet::new();
        for some in subjects.chunks(AT_ONCE) {
            refused.extend(self.refused_of(publish, some).await);
        }
        refused
    }

    async fn refused_of(&mut self, publish: bool, subjects: &[&String]) -> BTreeSet<String> {
        let mut subscriptions = Vec::new();
        for &subject in subjects {
            match publish {
                true => self.client.publish(subject.clone(), "{}".into()).await.expect("connected"),
                false => {
                    let subscription = self.client.subscribe(subject.clone()).await;
                    subscriptions.push(subscription.expect("connected"));
                }
            }
        }
        self.client.publish(LAST, "".into()).await.expect("connected");
        self.client.flush().await.expect("connected");
        let mut refused = BTreeSet::new();
        loop {
            let words = tokio::time::timeout(Duration::from_secs(20), self.refused.recv()).await;
            let words = words.expect("the server refuses the last").expect("connected");
            let subject = words.split('"').nth(1).unwrap_or_else(|| panic!("{words}")).to_owned();
            if subject == LAST {
                return refused;
            }
            refused.insert(subject);
        }
    }
}

/// Whether a pattern of a permission covers a subject, which may have wildcards itself.
fn covers(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(expected), Some(token)) if expected == token => {}
            _ => return false,
        }
    }
}

pub fn may_publish(permissions: &Permissions, subject: &str) -> bool {
    permissions.publish.iter().any(|allowed| covers(allowed, subject))
        && !permissions.publish_denied.iter().any(|denied| covers(denied, subject))
}

fn may_subscribe(permissions: &Permissions, subject: &str) -> bool {
    permissions.subscribe.iter().any(|allowed| covers(allowed, subject))
}

/// A subject of each kind of message.
fn subjects_of_messages() -> Vec<String> {
    kinds::ALL.iter().map(|kind| kind.subject.replace('*', "somebody")).collect()
}

/// The streams of every account, a log among them.
fn streams() -> Vec<String> {
    let mut streams = vec!["VOTES-demo".to_owned()];
    for account in Account::ALL {
        streams.extend(account.streams().into_iter().map(|stream| stream.name));
        streams.extend(account.buckets().iter().map(subjects::Bucket::stream));
    }
    streams.sort();
    streams.dedup();
    streams
}

fn requests(prefix: &str) -> Vec<String> {
    let of_streams = streams()
        .into_iter()
        .flat_map(|stream| OF_A_STREAM.map(|request| format!("{prefix}.{}", request.replace("{}", &stream))));
    of_streams.chain(OF_AN_ACCOUNT.map(|request| format!("{prefix}.{request}"))).collect()
}

fn everything_to_publish() -> BTreeSet<String> {
    let mut subjects: BTreeSet<String> = subjects_of_messages().into_iter().collect();
    for prefix in ["$JS.API", ServerAccount::Audit.api_prefix(), ServerAccount::Support.api_prefix()] {
        subjects.extend(requests(prefix));
    }
    for user in User::ALL {
        subjects.insert(format!("{}.somebody", user.inbox_prefix()));
        subjects.insert(format!("dead_letter.{}.VOTES-demo", user.name()));
        subjects.insert(format!("$JS.ACK.VOTES-demo.{}.1.2.3.4.5", user.name()));
    }
    let others = [
        "$SYS.REQ.SERVER.PING",
        "$SYS.REQ.ACCOUNT.ELECTIONS.CONNZ",
        "$SRV.PING",
        "$KV.x.y",
        "other",
        "urna.>",
    ];
    subjects.extend(others.map(str::to_owned));
    subjects.extend(["$O.PICTURES.C.x", "$O.PICTURES.M.x", "$JS.SNAPSHOT.ACK.x.y"].map(str::to_owned));
    subjects
}

fn everything_to_subscribe_to() -> BTreeSet<String> {
    let mut subjects: BTreeSet<String> = kinds::ALL.iter().map(|kind| kind.subject.to_owned()).collect();
    subjects.extend(User::ALL.map(|user| format!("{}.>", user.inbox_prefix())));
    let others =
        [">", "*", "*.>", "_INBOX.>", "$SYS.>", "$JS.>", "$JS.EVENT.>", "$SRV.>", "$O.>", "vote.>", "key.>"];
    subjects.extend(others.map(str::to_owned));
    subjects
}

fn assert_same(user: User, does: &str, refused: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let allowed: Vec<_> = expected.difference(refused).collect();
    assert!(allowed.is_empty(), "{} {does} what the table does not allow: {allowed:#?}", user.name());
    let lacking: Vec<_> = refused.difference(expected).collect();
    assert!(lacking.is_empty(), "{} is refused what the table allows: {lacking:#?}", user.name());
}

#[test]
fn a_kind_of_message_is_published_by_its_own_process_alone() {
    for kind in kinds::ALL {
        let publishers = PUBLISHERS.iter().find(|(name, _)| *name == kind.name);
        let (_, publishers) = publishers.unwrap_or_else(|| panic!("who publishes {}?", kind.name));
        for user in User::ALL {
            let Some(permissions) = permissions::of(user) else { continue };
            let may = may_publish(&permissions, &kind.subject.replace('*', "somebody"));
            assert_eq!(may, publishers.contains(&user), "{} and {}", user.name(), kind.name);
        }
    }
}

#[test]
fn no_process_may_delete_purge_restore_or_save_a_stream() {
    for user in User::ALL.into_iter().filter(|user| user.is_process()) {
        let permissions = permissions::of(user).expect("processes are limited");
        for request in requests("$JS.API") {
            let is_its_task = match user {
                // It destroys keys at the seal, and deletes pictures.
                User::Round => {
                    ["MSG.DELETE.KEYS", "PURGE.OBJ_PICTURES"].iter().any(|of| request.ends_with(of))
                        || request.contains("CONSUMER.DELETE.OBJ_PICTURES")
                }
                // A reader, not a stream: it begins to read elsewhere.
                User::Tally => request.contains("CONSUMER.DELETE"),
                _ => false,
            };
            if NEVER.iter().any(|never| request.contains(&format!(".{never}."))) && !is_its_task {
                assert!(!may_publish(&permissions, &request), "{}: {request}", user.name());
            }
        }
    }
}

/// Who may change or take away a stream, written down apart from the table: the request, the stream, the users.
const CHANGES: [(&str, &str, &[User]); 16] = [
    ("STREAM.CREATE", "VOTES-demo", &[User::Round]),
    ("STREAM.UPDATE", "VOTES-demo", &[User::Round]),
    ("STREAM.DELETE", "VOTES-demo", &[User::Archive]),
    ("STREAM.PURGE", "VOTES-demo", &[]),
    ("STREAM.MSG.DELETE", "VOTES-demo", &[]),
    ("STREAM.SNAPSHOT", "VOTES-demo", &[User::Backup]),
    ("STREAM.RESTORE", "VOTES-demo", &[User::Restore]),
    ("STREAM.CREATE", "ROUNDS", &[User::Deploy]),
    ("STREAM.UPDATE", "ROUNDS", &[User::Deploy]),
    ("STREAM.DELETE", "ROUNDS", &[]),
    ("STREAM.PURGE", "TALLIES", &[]),
    ("STREAM.MSG.DELETE", "KEYS", &[User::Round]),
    ("STREAM.UPDATE", "KEYS", &[User::Deploy]),
    ("STREAM.UPDATE", "ACCOUNTS", &[User::DeployPeople]),
    ("STREAM.DELETE", "ACCOUNTS", &[]),
    ("STREAM.SNAPSHOT", "SESSIONS", &[User::BackupPeople]),
];

#[test]
fn a_stream_is_changed_or_taken_away_by_named_users_alone() {
    for (request, stream, users) in CHANGES {
        for user in User::ALL {
            let Some(permissions) = permissions::of(user) else { continue };
            let holds = user.account().streams_of().is_some_and(|account| {
                let name = |of: subjects::Stream| of.name == stream;
                stream.starts_with("VOTES-") == (account == Account::Elections)
                    || account.streams().into_iter().any(name)
            });
            let may =
                may_publish(&permissions, &format!("{}.{request}.{stream}", user.account().api_prefix()));
            let expected = users.contains(&user);
            // In an account without such a stream the request finds nothing.
            assert!(may == expected || (!holds && !expected), "{} and {request}.{stream}", user.name());
        }
    }
}

#[test]
fn keys_are_read_by_vote_and_round_and_saved_by_backup_alone() {
    for user in User::ALL {
        let Some(permissions) = permissions::of(user) else { continue };
        let reads = [
            "STREAM.MSG.GET.KEYS",
            "CONSUMER.CREATE.KEYS.x.key.*",
            "CONSUMER.MSG.NEXT.KEYS.x",
            "DIRECT.GET.KEYS",
            "STREAM.SNAPSHOT.KEYS",
        ];
        let api = user.account().api_prefix();
        let may = reads.iter().any(|read| may_publish(&permissions, &format!("{api}.{read}")))
            || ["key.*", "key.>", ">"].iter().any(|subject| may_subscribe(&permissions, subject));
        let of_people = user.account().streams_of() == Some(Account::People);
        assert!(
            of_people || may == [User::Vote, User::Round, User::Backup].contains(&user),
            "{}",
            user.name()
        );
    }
}

#[tokio::test]
async fn every_user_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    for user in User::ALL {
        // The user of the system account is not limited within it, and has no other account's subjects.
        let Some(permissions) = permissions::of(user) else { continue };
        let subjects = everything_to_publish();
        let refused = Tried::connect(&world, user).await.refused(true, &subjects).await;
        let expected =
            subjects.iter().filter(|subject| !may_publish(&permissions, subject)).cloned().collect();
        assert_same(user, "publishes on", &refused, &expected);
        let subjects = everything_to_subscribe_to();
        let refused = Tried::connect(&world, user).await.refused(false, &subjects).await;
        let expected =
            subjects.iter().filter(|subject| !may_subscribe(&permissions, subject)).cloned().collect();
        assert_same(user, "subscribes to", &refused, &expected);
    }
    // Some of them may do harm, each of its own kind, and did.
    world.abandon();
}
