//! `testkit stop` stops the cluster the tests left running.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("stop") {
        return say("usage: testkit stop");
    }
    match testkit::stop() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(&format!("the test cluster could not be stopped: {error:#}")),
    }
}

#[expect(clippy::print_stderr, reason = "this is a command-line tool")]
fn say(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}
