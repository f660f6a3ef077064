//! Connections that stall or end.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::bench::Bench;

/// A body of which only the beginning arrives.
const STALLED: &str = "host: kitchen\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";

#[tokio::test]
async fn a_chunked_body_that_stalls_loses_its_connection_after_the_answer() {
    let bench = Bench::start().await;
    for (head, status) in [
        ("POST /nowhere HTTP/1.1\r\n", "404"),
        ("POST /orders HTTP/1.1\r\n", "415"),
        ("POST /raw HTTP/1.1\r\nx-youtility-deadline-ms: 50\r\n", "504"),
    ] {
        let mut connection = bench.connect(&format!("{head}{STALLED}")).await;
        let mut answer = String::new();
        let reading = connection.read_to_string(&mut answer);
        timeout(Duration::from_secs(5), reading).await.expect("the server closes").unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_chunked_body_that_is_read_keeps_its_connection() {
    let bench = Bench::start().await;
    let mut connection = bench.connect(&format!("POST /raw HTTP/1.1\r\n{STALLED}0\r\n\r\n")).await;
    for _ in 0..2 {
        let mut answer = [0; 1024];
        let count = timeout(Duration::from_secs(5), connection.read(&mut answer)).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&answer[..count]).starts_with("HTTP/1.1 200 OK"));
        let again = format!("POST /raw HTTP/1.1\r\n{STALLED}0\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut connection, again.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_handler_ends_with_its_client_and_is_still_counted() {
    let bench = Bench::start().await;
    let counted =
        async { while !bench.metrics().await.contains("status=\"499\",error_type=\"client-gone\"") {} };
    drop(bench.connect("GET /slow HTTP/1.1\r\nhost: kitchen\r\n\r\n").await);
    timeout(Duration::from_secs(4), counted).await.expect("the line is counted before the deadline");
}
