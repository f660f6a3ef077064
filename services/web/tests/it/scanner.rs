//! Something that speaks clamd's protocol: it reads what is streamed to it and finds one word.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listener that answers `INSTREAM`.
pub(crate) struct FakeScanner {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl FakeScanner {
    #[expect(
        clippy::disallowed_methods,
        reason = "the scanner is another process, and ends with the test's runtime"
    )]
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sizes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let length = answer(line).await;
                sizes.lock().unwrap().push(length);
            }
        });
        Self { address, seen }
    }

    /// An address at which nobody listens.
    pub(crate) async fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    }

    /// How long each file was.
    pub(crate) fn seen(&self) -> Vec<usize> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(mut line: TcpStream) -> usize {
    let mut command = [0; 10];
    line.read_exact(&mut command).await.unwrap();
    assert_eq!(&command, b"zINSTREAM\0");
    let mut file = Vec::new();
    loop {
        let length = line.read_u32().await.unwrap();
        if length == 0 {
            break;
        }
        let mut piece = vec![0; usize::try_from(length).unwrap()];
        line.read_exact(&mut piece).await.unwrap();
        file.extend_from_slice(&piece);
    }
    let is_found = file.windows(5).any(|window| window == b"EICAR");
    let verdict: &[u8] = if is_found { b"stream: Eicar-Test-Signature FOUND\0" } else { b"stream: OK\0" };
    line.write_all(verdict).await.unwrap();
    file.len()
}
