//! The product's binaries, run as an operator runs them.

mod child;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use crate::environment::env_with;
use crate::wait::{PATIENCE, wait_until};
use child::Child;

/// The shortest text that counts as a secret: shorter ones stand in sentences by chance.
const SECRET_BYTES_MIN: usize = 8;

/// A binary and the environment it gets; nothing of the test's own environment reaches it.
#[derive(Clone, Debug)]
pub struct Binary {
    program: String,
    files: Vec<String>,
    env: Vec<(String, String)>,
}

/// How a run ended, and everything it said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output and standard error.
    pub said: String,
}

/// A binary that serves and is ready.
///
/// Dropping it kills it. Terminated or dropped, an ERROR line that was not announced fails the test.
#[derive(Debug)]
pub struct Started {
    /// Where its first listener is; `None` when it has none.
    pub address: Option<SocketAddr>,
    /// Where its admin listener is.
    pub admin: SocketAddr,
    child: Child,
    announced: Vec<String>,
}

impl Binary {
    /// Takes the path of a program: `env!("CARGO_BIN_EXE_web")`.
    pub fn new(program: &str) -> Self {
        Self { program: program.to_owned(), files: Vec::new(), env: Vec::new() }
    }

    /// Adds environment variables, such as those of [`crate::Database::env`] and [`crate::trust_env`].
    #[must_use]
    pub fn env(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(pairs);
        self
    }

    /// Adds or replaces settings, written `SECTION__KEY`.
    #[must_use]
    pub fn set(mut self, changes: &[(&str, &str)]) -> Self {
        self.env = env_with(self.env, changes);
        self
    }

    /// Adds a file of settings.
    ///
    /// # Panics
    /// When its name is not UTF-8.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        self.files.push(path.to_str().expect("a name in UTF-8").to_owned());
        self
    }

    /// Runs a command that ends by itself.
    ///
    /// # Panics
    /// When it cannot be started or does not end within [`PATIENCE`].
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.launch(arguments).end().await
    }

    /// Asserts that `config check` finds no mistake.
    ///
    /// # Panics
    /// When it finds one.
    pub async fn accepts_settings(&self) {
        self.run(&["config", "check"]).await.succeeded();
    }

    /// Asserts that `config check` and `serve` both refuse the settings, name every one of `keys`, and show no secret.
    ///
    /// # Panics
    /// When one of them does not.
    pub async fn refuses_settings(&self, keys: &[&str]) {
        for arguments in [&["config", "check"][..], &["serve"]] {
            let complaint = self.run(arguments).await.failed();
            for key in keys {
                assert!(complaint.contains(key), "{arguments:?} does not name {key}: {complaint}");
            }
            self.assert_no_secret_in(&complaint);
        }
    }

    /// What `config print` shows, without the secrets of the environment.
    ///
    /// # Panics
    /// When it fails or shows one.
    pub async fn printed_settings(&self) -> String {
        let shown = self.run(&["config", "print"]).await.succeeded();
        self.assert_no_secret_in(&shown);
        let masked = shown.matches("\"***\"").count();
        let secrets = self.secrets().count();
        assert!(masked >= secrets, "{masked} of {secrets} secrets stand masked in {shown}");
        shown
    }

    /// Starts `serve` and waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready within [`PATIENCE`].
    pub async fn start(&self) -> Started {
        let mut child = self.launch(&["serve"]);
        let line = wait_until("the line `started`", PATIENCE, async || {
            let ended = child.has_ended();
            let said = child.said();
            let line = lines(&said).find(|line| line["message"] == "started");
            assert!(line.is_some() || !ended, "it ended instead of starting: {said}");
            line.ok_or(said)
        })
        .await;
        let address = |key: &str| Some(line.get(key)?.as_str()?.parse().expect("an address"));
        let admin = address("admin").expect("the address of the admin listener");
        let started = Started { address: address("address"), admin, child, announced: Vec::new() };
        crate::wait_until_ready(admin).await;
        started
    }

    fn launch(&self, arguments: &[&str]) -> Child {
        let files = self.files.iter().flat_map(|file| ["--config", file.as_str()]);
        let arguments: Vec<&str> = files.chain(arguments.iter().copied()).collect();
        Child::launch(&self.program, &arguments, &self.env)
    }

    /// The values of settings that are secret by their name.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let names = ["PASSWORD", "SECRET", "INTERNAL_KEY", "SIGNING_KEY"];
        let is_secret = move |key: &str| names.iter().any(|name| key.ends_with(name));
        self.env.iter().filter(move |(key, _)| is_secret(key)).map(|(_, value)| value.as_str())
    }

    fn assert_no_secret_in(&self, text: &str) {
        for line in self.secrets().flat_map(str::lines).filter(|line| line.len() >= SECRET_BYTES_MIN) {
            assert!(!text.contains(line), "a secret stands in {text}");
        }
    }
}

impl Ended {
    /// What it said, when it ended with 0.
    ///
    /// # Panics
    /// When it ended otherwise.
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.said);
        self.said
    }

    /// What it said, when it ended with 1, which is a refusal.
    ///
    /// # Panics
    /// When it ended otherwise.
    pub fn failed(self) -> String {
        assert_eq!(self.code, Some(1), "{}", self.said);
        self.said
    }
}

impl Started {
    /// An address of its first listener.
    ///
    /// # Panics
    /// When it has none.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address.expect("a listener"))
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        self.child.said()
    }

    /// Announces that it may log ERROR lines that contain `words`.
    pub fn announce_error(&mut self, words: &str) {
        self.announced.push(words.to_owned());
    }

    /// Sends SIGHUP.
    ///
    /// # Panics
    /// When it is gone.
    pub fn hang_up(&self) {
        self.child.signal_hangup();
    }

    /// Sends SIGTERM and asserts that it ends with 0.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`], or has logged an ERROR that was not announced.
    pub async fn terminate(mut self) {
        self.child.signal_term();
        self.child.end().await.succeeded();
    }

    /// ERROR lines nobody announced.
    fn unannounced_errors(&self) -> Vec<String> {
        lines(&self.child.said())
            .filter(|line| line["level"] == "ERROR")
            .map(|line| line.to_string())
            .filter(|line| !self.announced.iter().any(|words| line.contains(words)))
            .collect()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.child.kill();
        // A test that failed keeps its own words.
        if !std::thread::panicking() {
            let errors = self.unannounced_errors();
            assert!(errors.is_empty(), "unannounced ERROR lines: {errors:#?}");
        }
    }
}

/// The lines of a log that are JSON; others come from elsewhere than the log.
fn lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok())
}
