//! What a process says on its admin listener.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::{PATIENCE, wait_until};

/// Asks a process whether it takes work.
///
/// # Errors
/// Its words when it does not, or why nobody answered.
pub async fn readiness(admin: SocketAddr) -> Result<(), String> {
    match get(admin, "/readyz").await {
        Ok((200, _)) => Ok(()),
        Ok((status, words)) => Err(format!("{status} {words}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits until a process takes work.
///
/// # Panics
/// When it does not within [`PATIENCE`]; with the words of its `/readyz`.
pub async fn wait_until_ready(admin: SocketAddr) {
    wait_until("readiness", PATIENCE, async || readiness(admin).await).await;
}

/// The sum of a counter, or of a histogram's `_count`, over all its lines that contain `label`.
///
/// # Panics
/// When the process does not answer.
pub async fn metric_count(admin: SocketAddr, name: &str, label: &str) -> u64 {
    let (_, metrics) = get(admin, "/metrics").await.expect("the metrics");
    metrics
        .lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name) && line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Status and body of an admin page.
async fn get(admin: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    tokio::time::timeout(PATIENCE, exchange(admin, path)).await.map_err(io::Error::from)?
}

async fn exchange(admin: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(admin).await?;
    // HTTP/1.0: the body is never chunked, and ends with the connection.
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.trim().to_owned()))
}
