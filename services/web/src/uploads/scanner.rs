//! clamd, by its `INSTREAM` command: the file is sent in pieces, the answer is one line.

use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Bytes of one piece.
const PIECE_BYTES: usize = 65_536;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// Where clamd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `host:port`.
    Tcp(String),
    /// The path of a socket.
    Unix(String),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match port {
            _ if text.starts_with('/') => Ok(Self::Unix(text.to_owned())),
            Some((host, _port)) if !host.is_empty() => Ok(Self::Tcp(text.to_owned())),
            Some(_) | None => Err("name it as host:port, or as the path of a socket"),
        }
    }
}

/// What clamd says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was found.
    Clean,
    /// What was found, as clamd calls it.
    Found(String),
}

/// A scanner that is asked about every file.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    /// Where it listens.
    pub(crate) address: Address,
    /// How long the whole question may take.
    pub(crate) timeout: Duration,
}

impl Scanner {
    /// Asks about a file.
    pub(crate) async fn ask(&self, file: &Path) -> io::Result<Verdict> {
        tokio::time::timeout(self.timeout, self.converse(file)).await?
    }

    async fn converse(&self, file: &Path) -> io::Result<Verdict> {
        let file = File::open(file).await?;
        match &self.address {
            Address::Tcp(address) => talk(TcpStream::connect(address).await?, file).await,
            Address::Unix(path) => talk(UnixStream::connect(path).await?, file).await,
        }
    }
}

async fn talk(mut line: impl AsyncRead + AsyncWrite + Unpin, mut file: File) -> io::Result<Verdict> {
    line.write_all(b"zINSTREAM\0").await?;
    let mut piece = vec![0_u8; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).await?;
        let length = u32::try_from(read).map_err(io::Error::other)?;
        line.write_all(&length.to_be_bytes()).await?;
        let Some(fresh) = piece.get(..read).filter(|fresh| !fresh.is_empty()) else { break };
        line.write_all(fresh).await?;
    }
    line.flush().await?;
    let mut answer = Vec::new();
    line.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    read_answer(&String::from_utf8_lossy(&answer))
}

fn read_answer(answer: &str) -> io::Result<Verdict> {
    let answer = answer.trim_matches(['\0', '\n', ' ']);
    match answer.strip_prefix("stream: ") {
        Some("OK") => Ok(Verdict::Clean),
        Some(found) if found.ends_with(" FOUND") => {
            Ok(Verdict::Found(found.trim_end_matches(" FOUND").to_owned()))
        }
        Some(_) | None => Err(io::Error::other(format!("clamd answered {answer:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_is_clean() {
        assert_eq!(read_answer("stream: OK\0").unwrap(), Verdict::Clean);
        let found = read_answer("stream: Eicar-Test-Signature FOUND\0").unwrap();
        assert_eq!(found, Verdict::Found("Eicar-Test-Signature".to_owned()));
        for broken in ["", "OK", "stream: ", "INSTREAM size limit exceeded. ERROR\0", "stream: OK maybe"] {
            assert!(read_answer(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_address_is_a_port_or_a_path() {
        assert_eq!("clamd:3310".parse(), Ok(Address::Tcp("clamd:3310".to_owned())));
        assert_eq!("/run/clamd.sock".parse(), Ok(Address::Unix("/run/clamd.sock".to_owned())));
        for broken in ["clamd", ":3310", "clamd:port", ""] {
            assert!(broken.parse::<Address>().is_err(), "{broken}");
        }
    }
}
