//! A bad connection: passes bytes on until told to lose them.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the connection does to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Passes them on.
    None,
    /// Loses what the server answers.
    LosesAnswers,
    /// Loses what the client sends.
    LosesRequests,
    /// Ends every connection.
    Ends,
}

/// Stands between a client and a server on loopback.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect.
    pub port: u16,
    fault: Arc<watch::Sender<Fault>>,
}

impl Proxy {
    /// Begins to pass connections on to `server`.
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let port = listener.local_addr().expect("a listener has an address").port();
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let faults = Arc::clone(&fault);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, faults.subscribe(), Fault::LosesRequests));
                tokio::spawn(pass(from_server, to_client, faults.subscribe(), Fault::LosesAnswers));
            }
        });
        Self { port, fault }
    }

    /// From now on, does this to bytes.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Fault>,
    loses: Fault,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read.unwrap_or(0),
            // The other half is dropped by its own task: both see the fault.
            _ = faults.wait_for(|fault| *fault == Fault::Ends) => return,
        };
        if read == 0 {
            return;
        }
        let fault = *faults.borrow();
        if fault != loses && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
