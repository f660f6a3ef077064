//! The worker's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run(worker::about(), worker::start)
}
