//! A proxy that breaks on demand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes taken from one side at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// What the proxy does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Bytes pass.
    Open,
    /// Connections stay and are accepted, but no byte passes.
    Frozen,
    /// Connections are dropped, new ones closed at once.
    Cut,
}

/// Stands in front of a server; can be cut, frozen and healed. Dropping it closes everything.
pub struct ChaosProxy {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    accepting: JoinHandle<()>,
}

impl ChaosProxy {
    /// Starts a proxy on a free port of this machine.
    ///
    /// # Panics
    /// When the port cannot be opened.
    pub async fn start(upstream: SocketAddr) -> Self {
        Self::bind(upstream).await.expect("a proxy in front of the server")
    }

    #[expect(clippy::disallowed_methods, reason = "the task ends with the proxy")]
    async fn bind(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("opening a port")?;
        let address = listener.local_addr().context("reading the port")?;
        let (mood, watched) = watch::channel(Mood::Open);
        let accepting = tokio::spawn(accept(listener, upstream, watched));
        Ok(Self { address, mood, accepting })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection and closes new ones at once: a server that is gone.
    pub fn cut(&self) {
        self.mood.send_replace(Mood::Cut);
    }

    /// Keeps connections and accepts new ones, but passes no byte: a server that hangs.
    pub fn freeze(&self) {
        self.mood.send_replace(Mood::Frozen);
    }

    /// Lets bytes pass again.
    pub fn heal(&self) {
        self.mood.send_replace(Mood::Open);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "each task ends with its connection or with the proxy")]
async fn accept(listener: TcpListener, upstream: SocketAddr, mood: watch::Receiver<Mood>) {
    while let Ok((client, _)) = listener.accept().await {
        if *mood.borrow() != Mood::Cut {
            tokio::spawn(pass(client, upstream, mood.clone()));
        }
    }
}

/// Copies both ways until either side ends or the proxy is cut.
async fn pass(mut client: TcpStream, upstream: SocketAddr, mut mood: watch::Receiver<Mood>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let (up, down) = (mood.clone(), mood.clone());
    tokio::select! {
        _ended = async { tokio::join!(copy(from_client, to_server, up), copy(from_server, to_client, down)) } => {}
        _cut = mood.wait_for(|mood| *mood == Mood::Cut) => {}
    }
}

/// Copies one way while the proxy is open; the end of one side becomes the end of the other.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mood: watch::Receiver<Mood>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await?;
        if mood.wait_for(|mood| *mood == Mood::Open).await.is_err() || count == 0 {
            return to.shutdown().await;
        }
        to.write_all(chunk.get(..count).unwrap_or(&chunk)).await?;
    }
}
