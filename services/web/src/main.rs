//! The binary of web.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run(web::about(), web::start)
}
