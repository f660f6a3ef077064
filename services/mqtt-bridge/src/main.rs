//! The bridge's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run(mqtt_bridge::about(), mqtt_bridge::start)
}
