#![doc = include_str!("../README.md")]

mod args;
mod audit;
mod broker;
mod broker_files;
mod config_files;
mod database;
mod device;
mod down;
mod home;
mod keys;
mod logs;
mod mail;
mod migrate;
mod ports;
mod say;
mod status;
mod supervisor;
mod tasks;
mod tools;
mod up;
mod upkeep;
mod users;

use std::process::ExitCode;

use clap::Parser;

use crate::args::broker::BrokerCommand;
use crate::args::{Arguments, Command, DemoCommand, DeviceCommand};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(dispatch(arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Up(options) => up::run(&options).await,
        Command::Down(options) => down::run(&options).await,
        Command::Status(place) => status::run(&place).await,
        Command::Logs(options) => logs::run(&options).await,
        Command::Migrate(options) => migrate::run(&options).await,
        Command::Tasks(command) => tasks::run(&command).await,
        Command::Mail(command) => mail::run(&command).await,
        Command::Audit(command) => audit::run(&command).await,
        Command::User(command) => users::run(&command).await,
        Command::Client(command) => users::run_client(&command).await,
        Command::CleanupSessions(options) => upkeep::clean_up_sessions(&options).await,
        Command::ResetRateLimit(options) => upkeep::reset_rate_limit(&options).await,
        Command::Select2Cache(command) => upkeep::select2_cache(&command).await,
        Command::Broker(BrokerCommand::Files(options)) => broker_files::write(&options).await,
        Command::Demo(DemoCommand::Seed(place)) => database::seed_again(&place).await,
        Command::Device(DeviceCommand::Simulate(options)) => device::simulate(&options).await,
        Command::Device(DeviceCommand::Password(options)) => broker_files::set_password(&options).await,
    }
}
