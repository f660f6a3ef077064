#![doc = include_str!("../README.md")]

mod configuration;
mod crates;
mod documents;
mod exceptions;
mod names;
mod sources;
mod standard;
mod tree;

use std::process::ExitCode;

use crate::tree::{Finding, Tree};

/// A check over the whole tree.
type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    crates::directions,
    crates::furniture,
    sources::sizes,
    sources::sql_outside_store,
    sources::sleeping_tests,
    sources::stringly_errors,
    sources::comment_words,
    sources::main_files,
    names::files,
    names::suffixes,
    documents::templates,
    documents::problem_codes,
    documents::migrations,
    documents::links,
    documents::history,
    documents::large_files,
    configuration::is_current,
    standard::requirements,
];

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        Some("docs") => docs(),
        Some(other) => say_usage(other),
        None => say_usage(""),
    }
}

#[expect(clippy::print_stderr, reason = "this is a command-line tool")]
fn say_usage(given: &str) -> ExitCode {
    eprintln!("`{given}` is not a task; use: cargo xtask tidy | docs");
    ExitCode::FAILURE
}

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "this is a command-line tool")]
fn tidy() -> ExitCode {
    let outcome = Tree::load().and_then(|tree| {
        let found: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
        exceptions::apply(&tree, &found)
    });
    match outcome {
        Ok(findings) if findings.is_empty() => {
            println!("tidy: {} checks, nothing found", CHECKS.len());
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            eprintln!("tidy: {} findings", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "this is a command-line tool")]
fn docs() -> ExitCode {
    match Tree::load().and_then(|tree| configuration::write(&tree)) {
        Ok(()) => {
            println!("docs: {} written", configuration::PATH);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("docs could not be written: {error:#}");
            ExitCode::FAILURE
        }
    }
}
