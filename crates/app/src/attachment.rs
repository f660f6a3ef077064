//! Files at tickets: adding, listing, opening and removing them. Bytes are kept by who calls.

use domain::{Actor, AttachmentId, Capability, TicketId};
use jiff::Timestamp;
use serde_json::json;
pub use store::attachment::{Attachment, NewAttachment};
use store::audit::AuditEntry;
use store::{Store, Tx};

use crate::{AccountError, Error, right, ticket};

/// Most files that are listed; no ticket may be given more.
pub const FILES_MAX: u16 = 500;

/// What became of a file that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    New(Attachment),
    /// The same request was answered before; its bytes are kept under another key.
    Known(Attachment),
}

/// Says before any byte arrives whether the actor may add a file to a ticket that has fewer than `files_max`.
///
/// # Errors
/// `forbidden`, `ticket-not-found`, `upload-refused`.
pub async fn may_add(store: &Store, actor: &Actor, ticket: TicketId, files_max: u16) -> Result<(), Error> {
    right::require(actor, Capability::TicketsWrite)?;
    store
        .read(actor, "may_add_attachment", |tx| async move {
            ticket::visible(&tx, actor, ticket).await?;
            has_room(&tx, ticket, files_max).await
        })
        .await
}

/// Adds a file whose bytes are kept already. Safe to repeat with the same id.
///
/// # Errors
/// `forbidden`, `ticket-not-found`, `upload-refused`, `ticket-exists` when the id was used for something else.
pub async fn add(
    store: &Store,
    actor: &Actor,
    file: &NewAttachment,
    files_max: u16,
    now: Timestamp,
) -> Result<Added, Error> {
    right::require(actor, Capability::TicketsWrite)?;
    store
        .run_tx(actor, "add_attachment", |tx| async move {
            ticket::visible(&tx, actor, file.ticket_id).await?;
            if let Some(known) = tx.attachment(file.id).await? {
                return same(known, file, actor);
            }
            has_room(&tx, file.ticket_id, files_max).await?;
            let is_new = tx.add_attachment(file, actor.person_id, now).await?;
            let kept = tx.attachment(file.id).await?.ok_or(Error::TicketExists(file.ticket_id))?;
            if !is_new {
                return same(kept, file, actor);
            }
            tx.audit(&entry("attachment_added", &kept)).await?;
            Ok(Added::New(kept))
        })
        .await
}

/// Lists the files at a ticket, the earliest first.
///
/// # Errors
/// `forbidden`, `ticket-not-found`.
pub async fn list(store: &Store, actor: &Actor, ticket: TicketId) -> Result<Vec<Attachment>, Error> {
    right::require(actor, Capability::TicketsRead)?;
    store
        .read(actor, "list_attachments", |tx| async move {
            ticket::visible(&tx, actor, ticket).await?;
            Ok(tx.attachments(ticket, i64::from(FILES_MAX)).await?)
        })
        .await
}

/// Finds a file, to be read.
///
/// # Errors
/// `forbidden`, `file-not-found`.
pub async fn open(store: &Store, actor: &Actor, id: AttachmentId) -> Result<Attachment, Error> {
    right::require(actor, Capability::TicketsRead)?;
    store.read(actor, "open_attachment", |tx| async move { visible(&tx, actor, id).await }).await
}

/// Removes a file: who added it may, and who administers. Its bytes are for the caller to remove.
///
/// # Errors
/// `forbidden`, `file-not-found`.
pub async fn remove(store: &Store, actor: &Actor, id: AttachmentId) -> Result<Attachment, Error> {
    right::require(actor, Capability::TicketsWrite)?;
    store
        .run_tx(actor, "remove_attachment", |tx| async move {
            let file = visible(&tx, actor, id).await?;
            if !may_remove(actor, &file) {
                return Err(Error::Forbidden(Capability::Admin));
            }
            tx.remove_attachment(id).await?;
            tx.audit(&entry("attachment_removed", &file)).await?;
            Ok(file)
        })
        .await
}

/// Whether the actor may remove a file they see.
pub fn may_remove(actor: &Actor, file: &Attachment) -> bool {
    let is_theirs = actor.person_id.is_some() && file.created_by == actor.person_id;
    actor.may(Capability::TicketsWrite) && (is_theirs || actor.may(Capability::Admin))
}

/// Reads a file the actor may see; another client's and another site's are not there.
async fn visible(tx: &Tx, actor: &Actor, id: AttachmentId) -> Result<Attachment, Error> {
    let found = tx.attachment(id).await?.filter(|file| actor.sites.contains(file.site_id));
    Ok(found.ok_or(AccountError::FileNotFound(id))?)
}

async fn has_room(tx: &Tx, ticket: TicketId, files_max: u16) -> Result<(), Error> {
    if tx.count_attachments(ticket).await? < i64::from(files_max.min(FILES_MAX)) {
        return Ok(());
    }
    let full = domain::FieldError::new("/file", "Remove a file first: this ticket has as many as it takes.");
    Err(AccountError::UploadRefused(vec![full]).into())
}

/// A file that is there already under the id: the same person's same bytes at the same ticket, or something else.
fn same(known: Attachment, file: &NewAttachment, actor: &Actor) -> Result<Added, Error> {
    let is_same = known.ticket_id == file.ticket_id
        && known.sha256 == file.sha256
        && known.created_by == actor.person_id
        && actor.sites.contains(known.site_id);
    if is_same { Ok(Added::Known(known)) } else { Err(Error::TicketExists(file.ticket_id)) }
}

fn entry(action: &'static str, file: &Attachment) -> AuditEntry {
    AuditEntry {
        action,
        subject_kind: "ticket_attachment",
        subject_id: Some(*file.id.as_uuid()),
        detail: json!({
            "ticket_id": file.ticket_id,
            "media_type": file.media_type,
            "size_bytes": file.size_bytes,
        }),
    }
}
