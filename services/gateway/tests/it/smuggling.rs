//! Bytes that two servers might read differently: each is refused, or passed on as exactly one request.
//!
//! Behind each case stands a second, honest request on the same connection. Whatever the first one is, the upstream must see
//! nothing but what the case says and, at most, that honest request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::raw_cases::{CASES, Case, Expected};
use crate::tape::{Taken, Tape};
use crate::world::{SOON, World};

const HONEST: &[u8] = b"GET /login?honest HTTP/1.1\r\nHost: y.example\r\nConnection: close\r\n\r\n";

/// After an answer nothing more is expected for this long.
const QUIET: Duration = Duration::from_millis(400);

#[tokio::test]
async fn no_request_is_read_in_two_ways() {
    let tape = Tape::start();
    let world = World::with(|settings| {
        settings.upstreams.insert("web".to_owned(), vec![tape.url().parse().unwrap()].into());
        settings.http.header_timeout_ms = 1_000;
        settings.limits.body_timeout_ms = 700;
        settings.limits.body_grace_ms = 300;
    })
    .await;
    world.auth.sign_in("t");
    let mut faults = Vec::new();
    for case in CASES {
        let address = world.address();
        let bytes = bytes_of(case);
        let statuses = tokio::task::spawn_blocking(move || converse(address, &bytes)).await.unwrap();
        if let Some(fault) = fault(case, &statuses, &tape.take_all()) {
            faults.push(fault);
        }
    }
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), CASES.len(), faults.join("\n"));
}

#[test]
fn there_are_enough_cases_and_each_has_its_own_name() {
    let names: std::collections::BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), CASES.len());
    assert!(CASES.len() >= 60, "{}", CASES.len());
}

/// The bytes of a case, with `{token}` as somebody who is signed in, and the honest request behind them.
fn bytes_of(case: &Case) -> Vec<u8> {
    let mut bytes = case.bytes();
    bytes.extend_from_slice(HONEST);
    bytes
}

/// Sends everything at once and reads the statuses of all that is answered.
fn converse(address: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    // A gateway that refuses may have closed before all was written.
    drop(stream.write_all(bytes));
    let mut answers = Vec::new();
    let mut piece = [0; 16_384];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                answers.extend_from_slice(&piece[..length]);
                if !statuses(&answers).is_empty() {
                    stream.set_read_timeout(Some(QUIET)).unwrap();
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(_) => break,
        }
    }
    statuses(&answers)
}

fn statuses(answers: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answers);
    let starts =
        text.match_indices("HTTP/1.1 ").filter_map(|(at, found)| text.get(at + found.len()..)?.get(..3));
    starts.filter_map(|status| status.parse().ok()).filter(|status| *status != 100).collect()
}

fn fault(case: &Case, statuses: &[u16], taken: &[Taken]) -> Option<String> {
    let complain =
        |what: &str| Some(format!("{}: {what}; answered {statuses:?}, upstream saw {taken:#?}", case.name));
    let (honest, others): (Vec<&Taken>, Vec<&Taken>) =
        taken.iter().partition(|request| request.line == "GET /login?honest HTTP/1.1");
    if honest.len() > 1 {
        return complain("the honest request came twice");
    }
    if honest.iter().any(|request| !request.body.is_empty()) {
        return complain("the honest request was given a body");
    }
    match (&case.expected, others.as_slice()) {
        (Expected::Refused, []) => {
            let first = statuses.first().copied();
            let is_refusal = first.is_none_or(|status| (400..=505).contains(&status) && status != 404);
            if is_refusal { None } else { complain("it was not refused") }
        }
        (Expected::Refused, _) => complain("something went through"),
        (Expected::Passed(line, body), [only]) => {
            if only.line != format!("{line} HTTP/1.1") || only.body != *body {
                return complain("it went through as something else");
            }
            if only
                .headers
                .iter()
                .any(|(name, _)| case.gone.iter().any(|gone| gone.eq_ignore_ascii_case(name)))
            {
                return complain("a header went through that is for one hop, or ours");
            }
            (statuses.first() != Some(&200)).then(|| complain("it was not answered")).flatten()
        }
        (Expected::Passed(..), _) => complain("it did not go through as one request"),
    }
}
