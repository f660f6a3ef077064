//! What the person at the terminal reads.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to the terminal")]

use std::io::IsTerminal;

/// A terminal obeys control characters, and names and errors come from outside: they show as `�`. Lines stay lines.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() && char != '\n' { char::REPLACEMENT_CHARACTER } else { char })
        .collect()
}

/// JSON as text, with the control characters escaped that JSON lets stand.
pub(crate) fn escape_controls(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut escaped, char| {
        if char.is_control() && char != '\n' {
            let code = format!("\\u{:04x}", u32::from(char));
            escaped.push_str(&code);
        } else {
            escaped.push(char);
        }
        escaped
    })
}

fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A finished step.
pub(crate) fn done(text: &str) {
    println!("{} {}", paint("32", "✓"), harmless(text));
}

/// A step that takes a while.
pub(crate) fn step(text: &str) {
    println!("{} {}", paint("36", "…"), harmless(text));
}

/// Something the reader should know.
pub(crate) fn notice(text: &str) {
    println!("{} {}", paint("33", "!"), harmless(text));
}

/// The command failed; what to do stands in the text.
pub(crate) fn failure(text: &str) {
    eprintln!("{} {}", paint("31", "✗"), harmless(text));
}

/// A plain line.
pub(crate) fn line(text: &str) {
    println!("{}", harmless(text));
}

/// A heading.
pub(crate) fn title(text: &str) {
    println!("\n{}", paint("1", &harmless(text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(harmless("a\u{1b}[2K\r\u{9b}b\nc"), "a\u{fffd}[2K\u{fffd}\u{fffd}b\nc");
    }

    #[test]
    fn json_stays_what_it_was() {
        let value = serde_json::json!({ "name": "a\u{1b}\u{9b}\u{7f}b" });
        let text = escape_controls(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
