//! `[files]`: what is taken and where it is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::{Environment, Mistakes};

use super::archive::ArchiveLimits;
use super::kind::Class;
use super::scanner::{Address, Scanner};

/// Most bytes a file may have, whatever its kind.
const BYTES_MAX: u64 = 524_288_000;

/// `[files]`: files at tickets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Where they are kept.
    pub folder: String,
    /// Says that every replica sees the same folder.
    pub shared: bool,
    /// Largest picture.
    pub image_bytes_max: u64,
    /// Largest document.
    pub document_bytes_max: u64,
    /// Largest file of another kind.
    pub other_bytes_max: u64,
    /// Pixels of a picture.
    pub image_pixels_max: u64,
    /// Files one ticket takes.
    pub per_ticket_max: u16,
    /// Uploads at once.
    pub uploads_max: usize,
    /// Files that are examined at once.
    pub examinations_max: usize,
    /// Where clamd listens; empty asks nobody.
    pub scanner: String,
    /// Whether no file is taken without the scanner's word.
    pub scanner_required: bool,
    /// How long the scanner may take.
    pub scanner_timeout_ms: u64,
    /// What office documents may hold.
    pub archive: ArchiveLimits,
}

impl FileSettings {
    /// Adds what is wrong in the section.
    pub(crate) fn check(&self, environment: Environment, mistakes: &mut Mistakes) {
        if self.folder.is_empty() {
            mistakes.add("files.folder", "name the folder where files are kept");
        }
        if environment == Environment::Production && !self.shared {
            let what =
                "must be true in production: files.folder has to be a volume that every replica of web sees";
            mistakes.add("files.shared", what);
        }
        mistakes.range("files.image_bytes_max", self.image_bytes_max, 1..=BYTES_MAX);
        mistakes.range("files.document_bytes_max", self.document_bytes_max, 1..=BYTES_MAX);
        mistakes.range("files.other_bytes_max", self.other_bytes_max, 1..=BYTES_MAX);
        mistakes.range("files.image_pixels_max", self.image_pixels_max, 1..=400_000_000);
        mistakes.range("files.per_ticket_max", self.per_ticket_max, 1..=app::attachment::FILES_MAX);
        mistakes.range("files.uploads_max", self.uploads_max, 1..=1_000);
        mistakes.range("files.examinations_max", self.examinations_max, 1..=64);
        mistakes.range("files.scanner_timeout_ms", self.scanner_timeout_ms, 1..=600_000);
        mistakes.range("files.archive.entries_max", self.archive.entries_max, 1..=65_534);
        mistakes.range("files.archive.bytes_max", self.archive.bytes_max, 1..=4_294_967_295);
        mistakes.range("files.archive.ratio_max", self.archive.ratio_max, 1..=1_032);
        if let (false, Err(what)) = (self.scanner.is_empty(), self.scanner.parse::<Address>()) {
            mistakes.add("files.scanner", what);
        }
        if self.scanner_required && self.scanner.is_empty() {
            mistakes.add("files.scanner", "is missing, and files.scanner_required is true");
        }
    }

    /// How large a file of a class may be.
    pub(crate) fn bytes_max(&self, class: Class) -> u64 {
        match class {
            Class::Image => self.image_bytes_max,
            Class::Document => self.document_bytes_max,
            Class::Other => self.other_bytes_max,
        }
    }

    /// The largest of them all.
    pub(crate) fn largest(&self) -> u64 {
        self.image_bytes_max.max(self.document_bytes_max).max(self.other_bytes_max)
    }

    /// The scanner, where there is one.
    pub(crate) fn scanner(&self) -> Option<Scanner> {
        let address = self.scanner.parse().ok()?;
        Some(Scanner { address, timeout: Duration::from_millis(self.scanner_timeout_ms) })
    }
}
