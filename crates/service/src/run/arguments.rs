//! The command line of every service binary.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::About;

#[derive(Debug, Parser)]
struct CommandLine {
    /// A TOML file laid over the defaults; may be repeated, the last one wins.
    #[arg(long = "config", value_name = "FILE", global = true)]
    files: Vec<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM (the default).
    Serve,
    /// Looks at the settings.
    #[command(subcommand)]
    Config(Config),
    /// Says which build this is.
    Version,
}

#[derive(Debug, Subcommand)]
enum Config {
    /// Reports every mistake in the settings.
    Check,
    /// Prints the effective settings, secrets masked.
    Print,
}

/// What the binary shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Serve,
    Check,
    Print,
    Version,
}

/// The parsed command line.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) files: Vec<PathBuf>,
    pub(super) action: Action,
}

impl Arguments {
    /// Parses the process's arguments; ends the process for `--help` and mistakes.
    pub(super) fn parse(about: &About) -> Self {
        let command = CommandLine::command().name(about.name).version(about.version);
        let line = CommandLine::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
        let action = match line.command {
            None | Some(Command::Serve) => Action::Serve,
            Some(Command::Config(Config::Check)) => Action::Check,
            Some(Command::Config(Config::Print)) => Action::Print,
            Some(Command::Version) => Action::Version,
        };
        Self { files: line.files, action }
    }
}

/// Prints a line and succeeds if it can.
pub(super) fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_closed) => ExitCode::FAILURE,
    }
}

/// Prints a complaint and fails.
pub(super) fn complain(text: &str) -> ExitCode {
    match writeln!(std::io::stderr(), "{}", text.trim_end()) {
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}
