//! What each user may do in Redis is what `access` says: every command there is, tried by every user on every kind of key.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value, cmd};
use urna_access::redis::{
    ACTORS, LIMITS_OF_LOGIN, LIMITS_OF_RECEIPT, LIMITS_OF_REGISTRATION, LIMITS_OF_VOTE, LOGIN, OPERATOR,
    SESSION, SESSIONS, User, acl_file,
};
use urna_servers::Server;
use urna_world::{eventually, programs};

use crate::unavailable::folder;

/// What Redis lets everybody send: they say who one is, and end what one has begun.
const EVERYBODY: [&str; 4] = ["auth", "hello", "quit", "reset"];
/// Keys of no user.
const ELSEWHERE: &str = "elsewhere:*";

async fn connect(server: &Server, user: &str) -> MultiplexedConnection {
    let url = format!("redis://{user}:{user}@127.0.0.1:{}", server.port);
    let client = redis::Client::open(url).expect("an address");
    eventually("redis answers", || async { client.get_multiplexed_async_connection().await.ok() }).await
}

/// Every command by its name, each subcommand after a bar, with how many words it takes at least.
async fn commands(operator: &mut MultiplexedConnection) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let all: Vec<Value> = cmd("COMMAND").query_async(operator).await.expect("redis names its commands");
    let mut rest = all;
    while let Some(command) = rest.pop() {
        let parts: Vec<Value> = redis::from_redis_value(command).expect("a command");
        let name: String = redis::from_redis_value(parts[0].clone()).expect("a name");
        let arity: i64 = redis::from_redis_value(parts[1].clone()).expect("an arity");
        let subcommands: Vec<Value> = redis::from_redis_value(parts[9].clone()).expect("subcommands");
        // One that has others is none by itself.
        if subcommands.is_empty() {
            found.insert(name, usize::try_from(arity.abs()).expect("a small number"));
        }
        rest.extend(subcommands);
    }
    found
}

/// The smallest request of a command in which every key that it can have is this one.
fn request(name: &str, words: usize, key: &str) -> redis::Cmd {
    let mut request = redis::Cmd::new();
    let mut count = 0;
    for part in name.split('|') {
        request.arg(part);
        count += 1;
    }
    if matches!(name, "eval" | "eval_ro" | "evalsha" | "evalsha_ro" | "fcall" | "fcall_ro") {
        return request.arg("return 1").arg(1).arg(key).take();
    }
    for _ in count..words {
        request.arg(key);
    }
    request.take()
}

async fn is_let(connection: &mut MultiplexedConnection, request: &redis::Cmd) -> bool {
    let answer: Result<Value, RedisError> = request.query_async(connection).await;
    // A refused `exec` says that it ends the transaction.
    let refused = |fault: RedisError| {
        matches!(fault.kind(), ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::ExecAbort))
    };
    !answer.is_err_and(refused)
}

async fn tried(server: &Server, user: &User, commands: &BTreeMap<String, usize>) {
    for keys in [
        SESSION,
        SESSIONS,
        LOGIN,
        LIMITS_OF_LOGIN,
        LIMITS_OF_REGISTRATION,
        LIMITS_OF_VOTE,
        LIMITS_OF_RECEIPT,
        ELSEWHERE,
    ] {
        let key = keys.replace('*', "1");
        for (name, words) in commands.iter().filter(|(name, _)| !EVERYBODY.contains(&name.as_str())) {
            // One that begins a transaction would change what the next one means.
            let mut connection = connect(server, user.name).await;
            let found = is_let(&mut connection, &request(name, *words, &key)).await;
            assert_eq!(found, user.may(name, keys), "{} {name} {key}", user.name);
        }
    }
}

#[tokio::test]
async fn each_user_of_redis_may_do_what_the_table_says_and_nothing_else() {
    let folder = folder();
    let file = folder.path().join("users.acl");
    std::fs::write(&file, acl_file(|user| Some(user.to_owned()))).unwrap();
    // Without these two Redis refuses their commands to everybody, and does not ask its rules.
    let enabled = ["--enable-debug-command", "yes", "--enable-module-command", "yes", "--aclfile"];
    let mut arguments: Vec<String> = enabled.map(str::to_owned).into();
    arguments.push(file.display().to_string());
    let server = Server::redis_with(&programs(), folder.path(), arguments).unwrap();
    let mut operator = connect(&server, OPERATOR).await;
    let commands = commands(&mut operator).await;
    assert!(commands.len() > 300, "{}", commands.len());
    for user in &ACTORS {
        tried(&server, user, &commands).await;
    }
    let nobody = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut nobody = nobody.get_multiplexed_async_connection().await.unwrap();
    let refused = cmd("PING").exec_async(&mut nobody).await.unwrap_err();
    assert_eq!(refused.code(), Some("NOAUTH"));
    let mut session = connect(&server, "session").await;
    let script = "return redis.call('SET', 'elsewhere', 'x')";
    let refused: Result<Value, RedisError> = cmd("EVAL").arg(script).arg(0).query_async(&mut session).await;
    assert!(refused.is_err(), "a script may do no more than its user");
    drop(folder);
}
