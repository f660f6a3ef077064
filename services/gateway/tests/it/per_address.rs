//! Connections of one address, and clients that are slow with them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::world::{SOON, World};

const REQUEST: &[u8] = b"GET /assets/app.js HTTP/1.1\r\nHost: y\r\n\r\n";

/// A connection from an address of this machine.
async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Whether a request on a connection is answered.
async fn is_served(stream: &mut TcpStream) -> bool {
    if stream.write_all(REQUEST).await.is_err() {
        return false;
    }
    let mut answer = vec![0; 4096];
    let read = timeout(SOON, stream.read(&mut answer)).await.expect("an answer or an end");
    read.is_ok_and(|bytes| answer[..bytes].starts_with(b"HTTP/1.1 200"))
}

#[tokio::test]
async fn an_address_holds_so_many_connections_and_others_are_served_all_the_same() {
    let world = World::with(|settings| settings.connections.per_address_max = 3).await;
    let address = world.address();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connect("127.0.0.2", address).await;
        assert!(is_served(&mut stream).await);
        held.push(stream);
    }
    assert!(!is_served(&mut connect("127.0.0.2", address).await).await, "one too many");
    assert!(is_served(&mut connect("127.0.0.3", address).await).await, "somebody else");
    assert!(is_served(&mut held[0]).await, "those that stand are not touched");
    held.pop();
    testkit::wait_until("a place for another", SOON, || async {
        is_served(&mut connect("127.0.0.2", address).await).await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxy_holds_the_connections_of_many() {
    let world = World::with(|settings| {
        settings.connections.per_address_max = 1;
        settings.trusted_proxies.networks = vec!["127.0.0.2/32".parse().unwrap()].into();
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = connect("127.0.0.2", world.address()).await;
        assert!(is_served(&mut stream).await);
        held.push(stream);
    }
}

#[tokio::test]
async fn the_second_head_on_a_connection_may_not_take_longer_than_the_first() {
    let world = World::with(|settings| settings.http.header_timeout_ms = 300).await;
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    assert!(is_served(&mut stream).await);
    stream.write_all(b"GET /assets/app.js HTTP/1.1\r\nHost: ").await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let closed = async {
        loop {
            ticks.tick().await;
            // A client that sends a byte now and then is no faster.
            if stream.write_all(b"y").await.is_err() {
                return;
            }
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(1), stream.read(&mut [0; 64])).await {
                return;
            }
        }
    };
    timeout(SOON, closed).await.expect("the end of the connection");
}

#[tokio::test]
async fn a_kept_connection_may_be_quiet_between_requests() {
    let world = World::with(|settings| settings.http.header_timeout_ms = 200).await;
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(1500));
    for _ in 0..3 {
        ticks.tick().await;
        assert!(is_served(&mut stream).await);
    }
}

#[tokio::test]
async fn a_client_that_takes_no_answer_loses_its_connection() {
    let world = World::with(|settings| {
        settings.connections.per_address_max = 1;
        settings.connections.write_timeout_ms = 300;
    })
    .await;
    world.auth.sign_in("t");
    let mut greedy = connect("127.0.0.2", world.address()).await;
    let request = b"GET /tickets/whole/65536 HTTP/1.1\r\nHost: y\r\nAuthorization: Bearer t\r\n\r\n";
    let ask = async {
        // It never reads: the answers fill what there is, and then nothing is taken from it either.
        while greedy.write_all(request).await.is_ok() {}
    };
    timeout(SOON, ask).await.expect("the end of the connection");
    testkit::wait_until("its place", SOON, || async {
        is_served(&mut connect("127.0.0.2", world.address()).await).await.then_some(())
    })
    .await;
}
