//! Two thousand clients that send a byte now and then, and one that wants an answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{SOON, World};

const SLOW_CLIENTS: usize = 2_000;

/// So many addresses they come from: one address alone may hold fewer connections.
const ADDRESSES: u8 = 8;

/// What each of them has sent of its request when it stops.
const BEGINNINGS: [&[u8]; 4] = [
    b"",
    b"GET /lo",
    b"GET /login HTTP/1.1\r\nHost: y.example\r\nX-A: ",
    b"POST /tickets HTTP/1.1\r\nHost: y.example\r\nAuthorization: Bearer t\r\nContent-Length: 1000\r\n\r\nhalf",
];

async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, from), 0))).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn two_thousand_slow_clients_stop_nobody_and_are_let_go() {
    let world = World::with(|settings| {
        settings.http.header_timeout_ms = 3_000;
        settings.limits.body_timeout_ms = 3_000;
        settings.limits.body_grace_ms = 1_000;
    })
    .await;
    world.auth.sign_in("t");
    let mut slow = Vec::with_capacity(SLOW_CLIENTS);
    for number in 0..SLOW_CLIENTS {
        let address = u8::try_from(number % usize::from(ADDRESSES)).unwrap() + 1;
        let mut stream = connect(address, world.address()).await;
        stream.write_all(BEGINNINGS[number % BEGINNINGS.len()]).await.unwrap();
        slow.push(stream);
        if number % 200 == 199 {
            assert_eq!(world.get("/login").send().await.unwrap().status(), 200, "beside {number} slow ones");
        }
    }
    for _ in 0..20 {
        let answer = world.get("/tickets").bearer_auth("t").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let patience = Instant::now() + SOON * 2;
    for mut stream in slow {
        let left = patience.saturating_duration_since(Instant::now());
        let mut answer = Vec::new();
        let ended =
            tokio::time::timeout(left.max(Duration::from_millis(1)), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "a slow client was not let go");
    }
}
