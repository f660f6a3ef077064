//! The harness of binaries, with a shell script in a binary's place.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use testkit::process::{Binary, Started};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An admin listener that is ready.
async fn admin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer =
        b"HTTP/1.0 200 OK\r\n\r\nseen_total{kind=\"a\"} 2\nseen_total{kind=\"b\"} 3\nseen_totals 7\n";
    #[expect(clippy::disallowed_methods, reason = "the task ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 256];
            assert!(stream.read(&mut question).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
        }
    });
    address
}

/// A program made of a shell script; it goes with its test.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, text: &str) -> Self {
        let file = std::env::temp_dir().join(format!("testkit-{}-{name}", std::process::id()));
        // Written by another process: a file this one has open for writing cannot be run by a test beside it.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#;
        let written = Command::new("/bin/sh").args(["-c", write]).arg(&file).arg(text).status().unwrap();
        assert!(written.success());
        Self(file)
    }

    /// A program that starts, runs a command, and ends with a code at SIGTERM.
    async fn serving(name: &str, command: &str, code: u8) -> Self {
        let admin = admin().await;
        Self::new(
            name,
            &format!(
                "trap 'exit {code}' TERM\necho '{{\"message\":\"started\",\"admin\":\"{admin}\"}}'\n\
                 {command}\nwhile :; do sleep 0.02; done"
            ),
        )
    }

    fn binary(&self) -> Binary {
        Binary::new(self.0.to_str().unwrap())
    }

    async fn start(&self) -> Started {
        let started = self.binary().start().await;
        testkit::wait_until("two lines", testkit::PATIENCE, async || {
            (started.log().lines().count() == 2).then_some(()).ok_or_else(|| started.log())
        })
        .await;
        started
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

const ERROR: &str = r#"echo '{"level":"ERROR","message":"the roof is gone"}'"#;

#[tokio::test]
async fn a_started_binary_is_found_by_its_log_and_ends_with_its_signal() {
    let script = Script::serving("ends", r#"echo '{"level":"WARN"}'"#, 0).await;
    let started = script.start().await;
    assert_eq!(started.address, None);
    assert_eq!(testkit::metric_count(started.admin, "seen_total", "").await, 5);
    assert_eq!(testkit::metric_count(started.admin, "seen_total", "\"b\"").await, 3);
    started.terminate().await;
}

#[tokio::test]
#[should_panic(expected = "left: Some(3)")]
async fn an_end_with_another_code_than_0_fails_the_test() {
    let script = Script::serving("three", "echo last words", 3).await;
    script.start().await.terminate().await;
}

#[tokio::test]
#[should_panic(expected = "the roof is gone")]
async fn an_error_that_was_not_announced_fails_the_test() {
    let script = Script::serving("error", ERROR, 0).await;
    script.start().await.terminate().await;
}

#[tokio::test]
#[should_panic(expected = "the roof is gone")]
async fn an_error_that_was_not_announced_fails_a_test_that_only_drops_the_binary() {
    let script = Script::serving("dropped", ERROR, 0).await;
    drop(script.start().await);
}

#[tokio::test]
async fn an_announced_error_passes() {
    let script = Script::serving("announced", ERROR, 0).await;
    let mut started = script.start().await;
    started.announce_error("the roof");
    started.terminate().await;
}

#[tokio::test]
async fn a_dropped_binary_is_gone() {
    let script = Script::serving("killed", "echo $$", 0).await;
    let started = script.start().await;
    let process = PathBuf::from("/proc").join(started.log().lines().last().unwrap());
    assert!(process.exists(), "{}", started.log());
    drop(started);
    assert!(!process.exists());
}

#[tokio::test]
#[should_panic(expected = "it ended instead of starting: no roof")]
async fn a_binary_that_does_not_start_says_why() {
    let script = Script::new("refuses", "echo no roof >&2; exit 1");
    script.binary().start().await;
}

#[tokio::test]
async fn refusals_name_every_mistake_and_printed_settings_mask_every_secret() {
    let refusing = Script::new("names", "echo 'wrong: a.key, b.key' >&2; exit 1");
    refusing.binary().refuses_settings(&["a.key", "b.key"]).await;
    let printing = Script::new("masks", r#"echo 'password = "***"'"#);
    let shown = printing.binary().set(&[("DATABASE__PASSWORD", "of the house")]).printed_settings().await;
    assert_eq!(shown, "password = \"***\"\n");
}

#[tokio::test]
#[should_panic(expected = "a secret stands in")]
async fn a_printed_secret_fails_the_test() {
    let script = Script::new("tells", r#"echo "password = '$YOUTILITY_DATABASE__PASSWORD'""#);
    script.binary().set(&[("DATABASE__PASSWORD", "of the house")]).printed_settings().await;
}
