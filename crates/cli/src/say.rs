//! What the person at the terminal reads.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to the terminal")]

use std::io::IsTerminal;

fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A finished step.
pub(crate) fn done(text: &str) {
    println!("{} {text}", paint("32", "✓"));
}

/// A step that takes a while.
pub(crate) fn step(text: &str) {
    println!("{} {text}", paint("36", "…"));
}

/// Something the reader should know.
pub(crate) fn notice(text: &str) {
    println!("{} {text}", paint("33", "!"));
}

/// The command failed; what to do stands in the text.
pub(crate) fn failure(text: &str) {
    eprintln!("{} {text}", paint("31", "✗"));
}

/// A plain line.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A heading.
pub(crate) fn title(text: &str) {
    println!("\n{}", paint("1", text));
}
