//! The files at a ticket, as its page shows them.

use app::attachment::{Attachment, may_remove};
use domain::{Actor, AttachmentId};
use jiff::Timestamp;

use crate::uploads::{Kind, Uploads, size};

/// The section with the files, and the form that adds one.
#[derive(Clone, Debug)]
pub(crate) struct TicketFiles {
    /// The earliest first.
    pub(crate) rows: Vec<FileRow>,
    /// What is taken, for people.
    pub(crate) hint: String,
    /// What is taken, for the browser's choice of files.
    pub(crate) accept: String,
    /// Becomes the id of the next file, so that sending twice adds it once.
    pub(crate) key: AttachmentId,
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    /// Its id.
    pub(crate) id: AttachmentId,
    /// What it is called.
    pub(crate) name: String,
    /// How large it is.
    pub(crate) size: String,
    /// Who added it.
    pub(crate) added_by: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Whether the reader may take it away.
    pub(crate) may_remove: bool,
}

impl TicketFiles {
    /// No files, and nothing said of those that would be taken.
    pub(crate) fn none() -> Self {
        Self { rows: Vec::new(), hint: String::new(), accept: String::new(), key: AttachmentId::generate() }
    }

    /// Shows files to somebody.
    pub(crate) fn of(files: Vec<Attachment>, actor: &Actor, uploads: &Uploads) -> Self {
        let row = |file: Attachment| FileRow {
            id: file.id,
            size: size(u64::try_from(file.size_bytes).unwrap_or(0)),
            added_by: file.created_by_name.clone().unwrap_or_else(|| "Youtility".to_owned()),
            at: file.created_at,
            may_remove: may_remove(actor, &file),
            name: file.file_name,
        };
        let rows = files.into_iter().map(row).collect();
        Self { rows, hint: uploads.hint(), accept: Kind::accepted(), key: AttachmentId::generate() }
    }
}
