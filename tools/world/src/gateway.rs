//! One address in front of processes that serve a part of the addresses each, as a reverse proxy in front of them does.
//!
//! It reads the head of a request, chooses the process by the path, and passes bytes on in both directions until the
//! process closes the connection. What every process says of itself is asked of all, and answered as one.

use std::net::{Ipv4Addr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, sink};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::gathered::{GATHERED, gathered};

/// How long a client may take to close its connection when the process has closed its own.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);
/// The most bytes of a line in the head of a request that are looked at.
const LINE_MAX: u64 = 64 * 1024;

/// The port of each actor's process.
pub(crate) type Ports = Vec<(&'static str, u16)>;

/// Listens until it is dropped. Then its port refuses connections, and those it had are closed.
pub(crate) struct Gateway {
    /// Never sent: dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    /// Not the runtime of the test, which may wait for a command and do nothing else.
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Listens on this port for these processes.
    pub fn on(port: u16, ports: Ports) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port of urna is free");
        listener.set_nonblocking(true).expect("a listener can be asked not to block");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = listen(listener, Arc::new(ports)) => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(listener: TcpListener, ports: Arc<Ports>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((client, _)) = listener.accept().await {
        let ports = Arc::clone(&ports);
        // A client whose process is gone finds the connection closed, as it would without a gateway.
        tokio::spawn(async move { serve(client, &ports).await });
    }
}

async fn serve(client: TcpStream, ports: &Ports) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let mut from_client = BufReader::new(from_client);
    let first = line(&mut from_client).await?;
    let request = String::from_utf8_lossy(&first).into_owned();
    let (method, target) = request.split_once(' ').unwrap_or_default();
    let path = target.split([' ', '?']).next().unwrap_or_default();
    let head = head(first, &mut from_client).await?;
    if method == "GET" && GATHERED.contains(&path) {
        to_client.write_all(&gathered(ports, path).await?).await?;
        return Ok(());
    }
    let actor = actor_of(path);
    let (_, port) = ports.iter().find(|(name, _)| *name == actor).expect("every actor has a process");
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await?;
    server.set_nodelay(true)?;
    let (mut from_server, mut to_server) = server.into_split();
    let mut up = pin!(async {
        if to_server.write_all(&head).await.is_ok() {
            let _ = copy(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
        }
        // The process may refuse a body before it has read all: bytes that nobody takes would reset the connection, and
        // the answer would be lost.
        let _ = copy(&mut from_client, &mut sink()).await;
    });
    let mut down = pin!(async {
        let _ = copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    });
    tokio::select! {
        () = &mut up => down.await,
        () = &mut down => {
            let _ = tokio::time::timeout(CLOSES_WITHIN, up).await;
        }
    }
    Ok(())
}

/// The next line with its end, or what there is of it.
async fn line(from: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LINE_MAX).read_until(b'\n', &mut line).await?;
    Ok(line)
}

/// The head of a request, which asks the process to close the connection after its answer: the next request on it may
/// be another process's.
async fn head(first: Vec<u8>, from: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Vec<u8>> {
    let mut head = first;
    while head.ends_with(b"\n") {
        let line = line(from).await?;
        if line.iter().all(u8::is_ascii_whitespace) {
            head.extend(b"Connection: close\r\n");
            head.extend(line);
            break;
        }
        if !line.to_ascii_lowercase().starts_with(b"connection:") {
            head.extend(line);
        }
    }
    Ok(head)
}

/// The actor that serves a path. What nobody serves, one of them refuses as every other would.
fn actor_of(path: &str) -> &'static str {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments[..] {
        ["vote" | "receipts", ..] => "vote",
        ["login" | "register" | "account" | "me" | "users", ..] => "login",
        ["sessions" | "logout" | "token", ..] => "session",
        ["result" | "embed" | "present", ..] | ["rounds", _, "results" | "events"] => "result",
        _ => "round",
    }
}
