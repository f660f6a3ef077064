//! Whether a file is what its name says, and what is kept of it.

use super::archive::{self, ArchiveLimits};
use super::kind::{Family, Kind, MAGIC_BYTES};
use super::picture;
use super::refused::Reason;

/// How much at the end of a PDF is searched for the end of an archive, whose comment may be 64 KiB long.
const TAIL_BYTES: usize = 65_557;

/// What an examination may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExaminationLimits {
    /// Pixels of a picture.
    pub(crate) pixels_max: u64,
    /// What an archive may hold.
    pub(crate) archive: ArchiveLimits,
}

/// What is to be kept of a file that may stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The file as it came.
    AsItCame,
    /// These bytes in its place.
    Rewritten(Vec<u8>),
}

/// Examines a whole file. This takes its time: keep it away from threads that serve requests.
pub(crate) fn examine(kind: Kind, bytes: &[u8], limits: &ExaminationLimits) -> Result<Kept, Reason> {
    let head = bytes.get(..MAGIC_BYTES).unwrap_or(bytes);
    if Family::of(head) != kind.family() {
        return Err(Reason::NotWhatItSays);
    }
    match kind {
        Kind::Jpeg | Kind::Png | Kind::Webp => {
            picture::rewrite(kind, bytes, limits.pixels_max).map(Kept::Rewritten)
        }
        Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Odt | Kind::Ods => {
            archive::examine(kind, bytes, limits.archive).map(|()| Kept::AsItCame)
        }
        Kind::Pdf => examine_pdf(bytes).map(|()| Kept::AsItCame),
        Kind::Text | Kind::Csv => examine_text(bytes).map(|()| Kept::AsItCame),
    }
}

fn examine_pdf(bytes: &[u8]) -> Result<(), Reason> {
    let tail = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or(bytes);
    let has = |needle: &[u8]| tail.windows(needle.len()).any(|window| window == needle);
    if has(b"PK\x05\x06") {
        Err(Reason::Polyglot)
    } else if has(b"%%EOF") {
        Ok(())
    } else {
        Err(Reason::Unreadable)
    }
}

/// Text of whatever encoding that is ASCII below: no control characters but those of lines and columns.
fn examine_text(bytes: &[u8]) -> Result<(), Reason> {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x20..=0x7e | 0x80..);
    if bytes.iter().all(is_text) { Ok(()) } else { Err(Reason::NotWhatItSays) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ExaminationLimits = ExaminationLimits {
        pixels_max: 1_000_000,
        archive: ArchiveLimits { entries_max: 100, bytes_max: 1_000_000, ratio_max: 100 },
    };

    #[test]
    fn a_file_is_what_its_name_says_or_refused() {
        for (kind, bytes, outcome) in [
            (Kind::Pdf, &b"%PDF-1.7\n%%EOF\n"[..], Ok(Kept::AsItCame)),
            (Kind::Pdf, b"%PDF-1.7\n", Err(Reason::Unreadable)),
            (Kind::Pdf, b"%PDF-1.7\n%%EOF\nPK\x05\x06", Err(Reason::Polyglot)),
            (Kind::Pdf, b"<html>%PDF-1.7", Err(Reason::NotWhatItSays)),
            (Kind::Png, b"%PDF-1.7\n%%EOF\n", Err(Reason::NotWhatItSays)),
            (Kind::Docx, b"%PDF-1.7\n%%EOF\n", Err(Reason::NotWhatItSays)),
            (Kind::Text, "Größe;5 m²\r\n".as_bytes(), Ok(Kept::AsItCame)),
            (Kind::Csv, b"Gr\xf6\xdfe;5\t1\n", Ok(Kept::AsItCame)),
            (Kind::Text, b"%PDF-1.7\n%%EOF\n", Err(Reason::NotWhatItSays)),
            (Kind::Text, b"MZ\x90\0\x03", Err(Reason::NotWhatItSays)),
            (Kind::Text, b"", Ok(Kept::AsItCame)),
        ] {
            assert_eq!(examine(kind, bytes, &LIMITS), outcome, "{kind:?} {bytes:?}");
        }
    }
}
