//! What people call a file: text to be shown, never part of a path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters of a name that is kept.
const CHARACTERS_MAX: usize = 150;

/// Characters of an extension that survive when a name is cut.
const EXTENSION_MAX: usize = 10;

/// A name that is left when nothing else is.
const NAMELESS: &str = "file";

/// What may stand unencoded in `filename*` (RFC 8187).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes what the sender calls a file harmless to show and to save: one path component, without what is invisible or
/// turns the direction of text around.
pub(crate) fn tidy(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|one| is_harmless(*one)).collect();
    let trimmed = kept.trim_matches(|one: char| one == '.' || one.is_whitespace());
    if trimmed.is_empty() { NAMELESS.to_owned() } else { cut(trimmed) }
}

/// `Content-Disposition` of a download: the name as old and as new programs read it.
pub(crate) fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(
            |one| if one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_' | ' ') { one } else { '_' },
        )
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
}

fn is_harmless(one: char) -> bool {
    let is_invisible = matches!(
        one,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}'
    );
    !(one.is_control() || is_invisible || matches!(one, '<' | '>' | ':' | '"' | '|' | '?' | '*'))
}

fn cut(name: &str) -> String {
    let count = name.chars().count();
    if count <= CHARACTERS_MAX {
        return name.to_owned();
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match extension.filter(|extension| extension.chars().count() <= EXTENSION_MAX) {
        Some(extension) => {
            let stem: String = name.chars().take(CHARACTERS_MAX - extension.chars().count() - 1).collect();
            format!("{stem}.{extension}")
        }
        None => name.chars().take(CHARACTERS_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component_without_tricks() {
        for (given, kept) in [
            ("leak.jpg", "leak.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\windows\\win.ini", "win.ini"),
            ("/abs/olute.pdf", "olute.pdf"),
            ("..", "file"),
            ("", "file"),
            ("...", "file"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie x.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("nul\0byte.png", "nulbyte.png"),
            ("Störung Übersicht №5.pdf", "Störung Übersicht №5.pdf"),
            ("\"><script>.txt", "script.txt"),
        ] {
            assert_eq!(tidy(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = tidy(&format!("{}.jpeg", "ä".repeat(400)));
        assert_eq!(name.chars().count(), CHARACTERS_MAX);
        assert!(name.ends_with("ä.jpeg"));
        assert_eq!(tidy(&"x".repeat(400)).len(), CHARACTERS_MAX);
    }

    #[test]
    fn a_download_names_the_file_in_both_ways_and_nothing_else() {
        assert_eq!(
            disposition("Öl \"x\";\r\n.pdf"),
            "attachment; filename=\"_l _x____.pdf\"; filename*=UTF-8''%C3%96l%20%22x%22%3B%0D%0A.pdf"
        );
    }
}
