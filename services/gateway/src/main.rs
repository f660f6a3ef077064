//! The gateway process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run(gateway::about(), gateway::start)
}
