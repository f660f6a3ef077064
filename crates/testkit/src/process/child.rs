//! A child process whose words are kept.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::Ended;
use crate::wait::{PATIENCE, wait_until};

/// A running program; killed when it is dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    said: Arc<Mutex<String>>,
    listeners: Vec<JoinHandle<()>>,
}

impl Child {
    /// Starts a program with these environment variables and no others.
    pub(super) fn launch(program: &str, arguments: &[&str], env: &[(String, String)]) -> Self {
        let mut process = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("starting {program}: {error}"));
        let said = Arc::new(Mutex::new(String::new()));
        let out = process.stdout.take().map(|pipe| keep(pipe, &said));
        let err = process.stderr.take().map(|pipe| keep(pipe, &said));
        Self { process, said, listeners: out.into_iter().chain(err).collect() }
    }

    /// Everything it has said so far.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it has ended; then everything it said is there.
    pub(super) fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// Waits for its end.
    pub(super) async fn end(&mut self) -> Ended {
        let status =
            wait_until("the process to end", PATIENCE, async || self.status().ok_or_else(|| self.said()))
                .await;
        Ended { code: status.code(), said: self.said() }
    }

    /// Sends the signal that asks it to end.
    pub(super) fn signal_term(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("a process to signal");
    }

    /// Sends the signal that asks it to read its settings again.
    pub(super) fn signal_hangup(&self) {
        kill_process(Pid::from_child(&self.process), Signal::HUP).expect("a process to signal");
    }

    /// Ends it at once, if it runs.
    pub(super) fn kill(&mut self) {
        if self.status().is_none() {
            self.process.kill().expect("a process to kill");
            self.process.wait().expect("the end of a killed process");
            self.hear_out();
        }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        let status = self.process.try_wait().expect("the state of the process");
        if status.is_some() {
            self.hear_out();
        }
        status
    }

    /// Waits for the last words of a process that has ended.
    fn hear_out(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.join().expect("a listener that does not panic");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Keeps what comes out of a pipe, line by line, until it closes.
fn keep(pipe: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            said.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            line.clear();
        }
    })
}
