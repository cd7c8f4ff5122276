//! The limit of watching: the same streams of events, from something that does nothing but write them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::args::Target;
use crate::pace::Cast;
use crate::watch::{Watched, Watchers};

/// What Urna's answer begins with, as far as a watcher looks at it.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
/// How long a request may be.
const REQUEST: usize = 2_048;

/// Lets so many watch events of this size, so many a second.
///
/// # Errors
/// When a connection cannot be opened.
pub async fn measure(watchers: usize, size: usize, rate: u32, length: Duration) -> anyhow::Result<Watched> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
    let target: Target = format!("http://{}", listener.local_addr()?).parse()?;
    let accepting = tokio::spawn(accept(listener, watchers));
    let open = Watchers::open(&target, "limit", watchers).await?;
    let streams = accepting.await.context("failed to wait for watchers")??;
    let (cast, streams) = write(streams, size, rate, length).await?;
    let watched = open.end(&cast).await;
    drop(streams);
    Ok(watched)
}

async fn accept(listener: TcpListener, watchers: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(watchers);
    let mut room = [0; REQUEST];
    while streams.len() < watchers {
        let (mut stream, _) = listener.accept().await.context("failed to accept a watcher")?;
        stream.set_nodelay(true)?;
        stream.read(&mut room).await.context("failed to read a request")?;
        stream.write_all(HEAD).await.context("failed to answer a watcher")?;
        streams.push(stream);
    }
    Ok(streams)
}

/// Writes every event to everybody, in two tasks with half of the streams each. Tells when each was due, as if it were a
/// ballot that it shows.
async fn write(
    mut streams: Vec<TcpStream>,
    size: usize,
    rate: u32,
    length: Duration,
) -> anyhow::Result<(Vec<Cast>, Vec<TcpStream>)> {
    let other_half = streams.split_off(streams.len() / 2);
    let mut shares = vec![streams, other_half];
    let (begin, mut cast) = (Instant::now(), Vec::new());
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    while begin.elapsed() < length {
        let at = ticks.tick().await.into_std();
        let sequence = cast.len() as u64 + 1;
        let event = event(sequence, size);
        let mut writing = JoinSet::new();
        for mut share in shares.drain(..) {
            let event = event.clone();
            writing.spawn(async move {
                for stream in &mut share {
                    stream.write_all(&event).await?;
                }
                std::io::Result::Ok(share)
            });
        }
        while let Some(written) = writing.join_next().await {
            shares.push(written?.context("failed to write an event")?);
        }
        cast.push(Cast { sequence, at });
    }
    Ok((cast, shares.into_iter().flatten().collect()))
}

fn event(sequence: u64, size: usize) -> Vec<u8> {
    let mut event = format!("id: {sequence}\ndata: ").into_bytes();
    event.resize(size.saturating_sub(2).max(event.len()), b'x');
    event.extend(b"\n\n");
    event
}
