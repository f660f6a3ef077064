//! A server that keeps what it was sent, byte for byte, and reads it as strictly as HTTP/1.1 is written.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request as it came out of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Taken {
    /// Every value of a header, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let ours = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        ours.map(|(_, value)| value.as_str()).collect()
    }
}

/// A running recorder.
pub(crate) struct Tape {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    broken: Arc<Mutex<Vec<String>>>,
}

impl Tape {
    pub(crate) fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let tape =
            Self { address: socket.local_addr().unwrap(), taken: Arc::default(), broken: Arc::default() };
        let (taken, broken) = (Arc::clone(&tape.taken), Arc::clone(&tape.broken));
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let (taken, broken) = (Arc::clone(&taken), Arc::clone(&broken));
                std::thread::spawn(move || {
                    if let Err(what) = record(stream.unwrap(), &taken) {
                        broken.lock().unwrap().push(what);
                    }
                });
            }
        });
        tape
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was taken since the last look; fails when anything was no HTTP.
    pub(crate) fn take_all(&self) -> Vec<Taken> {
        let broken = std::mem::take(&mut *self.broken.lock().unwrap());
        assert!(broken.is_empty(), "the gateway sent what is no HTTP: {broken:?}");
        std::mem::take(&mut *self.taken.lock().unwrap())
    }
}

/// Reads requests until the connection ends; answers each.
fn record(stream: TcpStream, taken: &Mutex<Vec<Taken>>) -> Result<(), String> {
    let mut answers = stream.try_clone().map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    while let Some(line) = read_line(&mut reader)? {
        let mut headers = Vec::new();
        loop {
            let header = read_line(&mut reader)?.ok_or("the head ends early")?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or_else(|| format!("no header: {header:?}"))?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                return Err(format!("no header name: {name:?}"));
            }
            headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        let mut request = Taken { line, headers, body: String::new() };
        request.body = read_body(&mut reader, &request)?;
        let is_head = request.line.starts_with("HEAD ");
        taken.lock().map_err(|error| error.to_string())?.push(request);
        let body = if is_head { "" } else { "ok" };
        // The gateway may be gone by this time; what it sent is what counts.
        drop(write!(answers, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}"));
    }
    Ok(())
}

fn read_line(reader: &mut impl BufRead) -> Result<Option<String>, String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).is_err() || line.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line).into_owned();
    let text = text.strip_suffix("\r\n").ok_or_else(|| format!("a bare line feed: {text:?}"))?;
    if text.contains(['\r', '\0']) {
        return Err(format!("control bytes: {text:?}"));
    }
    Ok(Some(text.to_owned()))
}

fn read_body(reader: &mut impl BufRead, request: &Taken) -> Result<String, String> {
    let (lengths, encodings) = (request.values("content-length"), request.values("transfer-encoding"));
    match (lengths.as_slice(), encodings.as_slice()) {
        ([], []) => Ok(String::new()),
        ([length], []) => {
            let length = length.parse().map_err(|_error| format!("no length: {length:?}"))?;
            read_bytes(reader, length)
        }
        ([], ["chunked"]) => read_chunks(reader),
        both => Err(format!("two answers to where the body ends: {both:?}")),
    }
}

fn read_chunks(reader: &mut impl BufRead) -> Result<String, String> {
    let mut body = String::new();
    loop {
        let size = read_line(reader)?.ok_or("the chunks end early")?;
        let length = usize::from_str_radix(&size, 16).map_err(|_error| format!("no chunk size: {size:?}"))?;
        body.push_str(&read_bytes(reader, length)?);
        if read_line(reader)?.as_deref() != Some("") {
            return Err("a chunk does not end where it says, or a trailer follows".to_owned());
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

fn read_bytes(reader: &mut impl Read, length: usize) -> Result<String, String> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).map_err(|error| format!("the body ends early: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
