//! Files at tickets: what is known of them. The bytes stand elsewhere, under the storage key.

use domain::{AttachmentId, PersonId, SiteId, TicketId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// A file that is added to a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAttachment {
    /// Its id, made by whoever asks, so that asking twice adds it once.
    pub id: AttachmentId,
    /// Which ticket.
    pub ticket_id: TicketId,
    /// What people call it; never part of a path.
    pub file_name: String,
    /// What it is, by its bytes.
    pub media_type: &'static str,
    /// How long it is.
    pub size_bytes: i64,
    /// The SHA-256 of what is kept.
    pub sha256: [u8; 32],
    /// Where the bytes are.
    pub storage_key: String,
}

/// A file as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Where that ticket is.
    pub site_id: SiteId,
    /// What people call it.
    pub file_name: String,
    /// What it is.
    pub media_type: String,
    /// How long it is.
    pub size_bytes: i64,
    /// The SHA-256 of what is kept.
    pub sha256: Vec<u8>,
    /// Where the bytes are.
    pub storage_key: String,
    /// Who added it.
    pub created_by: Option<PersonId>,
    /// The name of who added it.
    pub created_by_name: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

row! { Attachment {
    id, ticket_id, site_id, file_name, media_type, size_bytes, sha256, storage_key, created_by, created_by_name, created_at
} }

queries! {
    /// One file.
    GET: (AttachmentId,) => Attachment = "
        select ticket_attachment.id, ticket_attachment.ticket_id, ticket.site_id, ticket_attachment.file_name,
               ticket_attachment.media_type, ticket_attachment.size_bytes, ticket_attachment.sha256,
               ticket_attachment.storage_key, ticket_attachment.created_by, person.name as created_by_name,
               ticket_attachment.created_at
          from ticket_attachment
          join ticket on ticket.client_id = ticket_attachment.client_id and ticket.id = ticket_attachment.ticket_id
          left join person on person.client_id = ticket_attachment.client_id
                          and person.id = ticket_attachment.created_by
         where ticket_attachment.id = $1";
    /// The files at a ticket, the earliest first.
    LIST: (TicketId, i64) => Attachment = "
        select ticket_attachment.id, ticket_attachment.ticket_id, ticket.site_id, ticket_attachment.file_name,
               ticket_attachment.media_type, ticket_attachment.size_bytes, ticket_attachment.sha256,
               ticket_attachment.storage_key, ticket_attachment.created_by, person.name as created_by_name,
               ticket_attachment.created_at
          from ticket_attachment
          join ticket on ticket.client_id = ticket_attachment.client_id and ticket.id = ticket_attachment.ticket_id
          left join person on person.client_id = ticket_attachment.client_id
                          and person.id = ticket_attachment.created_by
         where ticket_attachment.ticket_id = $1
         order by ticket_attachment.created_at, ticket_attachment.id
         limit $2";
    /// How many files a ticket has.
    COUNT: (TicketId,) => i64 = "
        select count(*)
          from ticket_attachment
         where ticket_id = $1";
    /// Adds a file; one that exists stays as it is.
    ADD: (AttachmentId, TicketId, String, String, i64, Vec<u8>, String, Option<PersonId>, Timestamp) => () = "
        insert into ticket_attachment (id, ticket_id, file_name, media_type, size_bytes, sha256, storage_key, created_by,
                                       created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (client_id, id) do nothing";
    /// Removes a file.
    REMOVE: (AttachmentId,) => () = "
        delete from ticket_attachment
         where id = $1";
}

impl Tx {
    /// Reads a file.
    pub async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error> {
        self.opt(&GET, (id,)).await
    }

    /// Reads the first `limit` files at a ticket, the earliest first.
    pub async fn attachments(&self, ticket: TicketId, limit: i64) -> Result<Vec<Attachment>, Error> {
        self.all(&LIST, (ticket, limit)).await
    }

    /// Counts the files at a ticket.
    pub async fn count_attachments(&self, ticket: TicketId) -> Result<i64, Error> {
        self.one(&COUNT, (ticket,)).await
    }

    /// Adds a file; answers whether it was not there.
    pub async fn add_attachment(
        &self,
        file: &NewAttachment,
        created_by: Option<PersonId>,
        created_at: Timestamp,
    ) -> Result<bool, Error> {
        let columns = (
            file.id,
            file.ticket_id,
            file.file_name.as_str(),
            file.media_type,
            file.size_bytes,
            file.sha256.to_vec(),
            file.storage_key.as_str(),
            created_by,
            created_at,
        );
        Ok(self.execute(&ADD, columns).await? > 0)
    }

    /// Removes a file.
    pub async fn remove_attachment(&self, id: AttachmentId) -> Result<(), Error> {
        self.execute_one(&REMOVE, (id,)).await
    }
}
