//! A proxy that breaks on demand.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Stands in front of a server; can be cut and healed. Dropping it closes everything.
pub struct ChaosProxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
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
        let (open, state) = watch::channel(true);
        let accepting = tokio::spawn(accept(listener, upstream, state));
        Ok(Self { address, open, accepting })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection and closes new ones at once.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "each task ends with its connection or with the proxy")]
async fn accept(listener: TcpListener, upstream: SocketAddr, state: watch::Receiver<bool>) {
    while let Ok((client, _)) = listener.accept().await {
        if *state.borrow() {
            tokio::spawn(pass(client, upstream, state.clone()));
        }
    }
}

/// Copies both ways until either side ends or the proxy is cut.
async fn pass(mut client: TcpStream, upstream: SocketAddr, mut state: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    tokio::select! {
        _ended = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _cut = state.wait_for(|open| !open) => {}
    }
}
