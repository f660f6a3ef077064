//! The auth service.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run(auth::about(), auth::start)
}
