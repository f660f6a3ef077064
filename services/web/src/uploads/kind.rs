//! The kinds of files that are taken: by name, by what the sender says, and by the bytes. All three must agree.

/// How large a file of a kind may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A picture; it is decoded and written anew.
    Image,
    /// A document that is kept as it came.
    Document,
    /// Anything else that is taken.
    Other,
}

/// One kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jpeg,
    Png,
    Webp,
    Pdf,
    Docx,
    Xlsx,
    Pptx,
    Odt,
    Ods,
    Text,
    Csv,
}

/// What is known of a kind.
#[derive(Debug)]
struct Line {
    kind: Kind,
    class: Class,
    media_type: &'static str,
    /// The first is the one names get.
    extensions: &'static [&'static str],
}

const fn line(
    kind: Kind,
    class: Class,
    media_type: &'static str,
    extensions: &'static [&'static str],
) -> Line {
    Line { kind, class, media_type, extensions }
}

const TABLE: [Line; 11] = [
    line(Kind::Jpeg, Class::Image, "image/jpeg", &["jpg", "jpeg"]),
    line(Kind::Png, Class::Image, "image/png", &["png"]),
    line(Kind::Webp, Class::Image, "image/webp", &["webp"]),
    line(Kind::Pdf, Class::Document, "application/pdf", &["pdf"]),
    line(
        Kind::Docx,
        Class::Document,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        &["docx"],
    ),
    line(
        Kind::Xlsx,
        Class::Document,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        &["xlsx"],
    ),
    line(
        Kind::Pptx,
        Class::Document,
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        &["pptx"],
    ),
    line(Kind::Odt, Class::Document, "application/vnd.oasis.opendocument.text", &["odt"]),
    line(Kind::Ods, Class::Document, "application/vnd.oasis.opendocument.spreadsheet", &["ods"]),
    line(Kind::Text, Class::Other, "text/plain", &["txt"]),
    line(Kind::Csv, Class::Other, "text/csv", &["csv"]),
];

/// How many bytes [`Family::of`] looks at.
pub(crate) const MAGIC_BYTES: usize = 16;

/// What the first bytes of a file can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Jpeg,
    Png,
    Webp,
    Pdf,
    Zip,
    /// Nothing known: text, if its bytes are.
    Unmarked,
}

impl Family {
    /// Reads the first bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Self::Png,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::Webp,
            [b'%', b'P', b'D', b'F', b'-', ..] => Self::Pdf,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            _ => Self::Unmarked,
        }
    }
}

impl Kind {
    /// The kind a name promises; none that is not taken.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        let found =
            TABLE.iter().find(|line| line.extensions.iter().any(|one| one.eq_ignore_ascii_case(extension)));
        found.map(|line| line.kind)
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        self.line().media_type
    }

    /// How large it may be.
    pub(crate) fn class(self) -> Class {
        self.line().class
    }

    /// What its first bytes must be.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Jpeg => Family::Jpeg,
            Self::Png => Family::Png,
            Self::Webp => Family::Webp,
            Self::Pdf => Family::Pdf,
            Self::Docx | Self::Xlsx | Self::Pptx | Self::Odt | Self::Ods => Family::Zip,
            Self::Text | Self::Csv => Family::Unmarked,
        }
    }

    /// The values of `accept` in the form.
    pub(crate) fn accepted() -> String {
        let all: Vec<String> =
            TABLE.iter().flat_map(|line| line.extensions.iter().map(|one| format!(".{one}"))).collect();
        all.join(",")
    }

    fn line(self) -> &'static Line {
        TABLE.iter().find(|line| line.kind == self).expect("every kind has its line; a test looks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_line_and_no_extension_stands_twice() {
        use Kind::{Csv, Docx, Jpeg, Ods, Odt, Pdf, Png, Pptx, Text, Webp, Xlsx};
        for kind in [Jpeg, Png, Webp, Pdf, Docx, Xlsx, Pptx, Odt, Ods, Text, Csv] {
            assert!(!kind.media_type().is_empty());
            assert_eq!(Kind::of_name(&format!("a.{}", kind.line().extensions[0])), Some(kind));
        }
        let mut all: Vec<&str> = TABLE.iter().flat_map(|line| line.extensions.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_last_extension_counts_and_what_runs_is_not_taken() {
        assert_eq!(Kind::of_name("Leak.JPG"), Some(Kind::Jpeg));
        for refused in ["a.svg", "a.html", "a.jpg.exe", "a.docm", "a.zip", "jpg", "a.", "a.php", ".htaccess"]
        {
            assert_eq!(Kind::of_name(refused), None, "{refused}");
        }
    }

    #[test]
    fn bytes_say_what_they_are_or_nothing() {
        assert_eq!(Family::of(b"%PDF-1.7"), Family::Pdf);
        assert_eq!(Family::of(b"RIFF\x10\0\0\0WEBPVP8 "), Family::Webp);
        for unmarked in [&b""[..], b"\xff\xd8", b" %PDF-1.7", b"RIFF\x10\0\0\0WAVE", b"MZ", b"GIF89a"] {
            assert_eq!(Family::of(unmarked), Family::Unmarked, "{unmarked:?}");
        }
    }
}
