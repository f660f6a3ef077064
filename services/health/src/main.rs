//! The health service.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run(health::about(), health::start)
}
