//! Files at tickets over HTTP: what REST API and pages share. `GET /files/{id}` gives the bytes to browsers.

use std::future::{Ready, ready};

use actix_web::body::SizedStream;
use actix_web::dev;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use app::attachment::{Added, Attachment, NewAttachment};
use app::security::NewSecurityEvent;
use app::{AccountError, Error};
use domain::security::SecurityEventKind;
use domain::{AttachmentId, Fault, SecurityEventId, TicketId};
use serde_json::json;
use service::extract::Path;
use service::{Caller, ClientAddress, Problem};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::state::{Shared, State};
use crate::uploads::{Demanded, Failed, Reason, Stored, disposition};

/// What a browser may do with a file that it shows in spite of everything: nothing.
const FILE_POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A file that is on its way, and who sends it.
pub(crate) struct Upload {
    /// Who.
    pub(crate) caller: Caller,
    request: HttpRequest,
    payload: Payload,
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        let body = Payload::from_request(request, payload).into_inner();
        ready(caller.and_then(|caller| {
            let payload = body.map_err(|error| Problem::malformed_request().because(error))?;
            Ok(Self { caller, request: request.clone(), payload })
        }))
    }
}

impl Upload {
    /// Takes the file in for a ticket. Nothing is read for who may not add it, and nothing stays of what is refused.
    pub(crate) async fn add_to(
        self,
        state: &State,
        ticket: TicketId,
        key: Option<Uuid>,
        demanded: &Demanded,
    ) -> Result<Attachment, Problem> {
        let Self { caller, request, payload } = self;
        let files_max = state.uploads.per_ticket_max();
        app::attachment::may_add(&state.store, &caller.actor, ticket, files_max).await?;
        let client = caller.actor.client_id;
        let stored = match state.uploads.take_in(client, &request, payload, demanded).await {
            Ok(stored) => stored,
            Err(Failed::Problem(problem)) => return Err(problem),
            Err(Failed::Refused(reason)) => {
                tell(state, &caller, &request, reason).await;
                return Err(Error::from(AccountError::from(reason)).into());
            }
        };
        keep(state, &caller, ticket, key, stored).await
    }
}

/// Writes down what was kept; when that fails, or was done before, its bytes go.
async fn keep(
    state: &State,
    caller: &Caller,
    ticket: TicketId,
    key: Option<Uuid>,
    stored: Stored,
) -> Result<Attachment, Problem> {
    let file = NewAttachment {
        id: key.map(AttachmentId::from_uuid).or(stored.id).unwrap_or_else(AttachmentId::generate),
        ticket_id: ticket,
        file_name: stored.name,
        media_type: stored.kind.media_type(),
        size_bytes: i64::try_from(stored.bytes).map_err(|error| Problem::internal().because(error))?,
        sha256: stored.sha256,
        storage_key: stored.key,
    };
    let files_max = state.uploads.per_ticket_max();
    let added = app::attachment::add(&state.store, &caller.actor, &file, files_max, state.clock.now()).await;
    match added {
        Ok(Added::New(attachment)) => Ok(attachment),
        Ok(Added::Known(attachment)) => {
            state.uploads.forget(&file.storage_key).await;
            Ok(attachment)
        }
        Err(error) => {
            forget_unless_in_doubt(state, &error, &file.storage_key).await;
            Err(error.into())
        }
    }
}

/// After a commit nobody answered the row may be there; an orphan costs room, a row without bytes costs a file.
async fn forget_unless_in_doubt(state: &State, error: &Error, key: &str) {
    let is_refused = !matches!(error.kind(), domain::FaultKind::Unavailable | domain::FaultKind::Internal);
    if is_refused {
        state.uploads.forget(key).await;
    } else {
        tracing::warn!(storage.key = key, "the bytes of a file may stand there without their row");
    }
}

/// Tells the security log of a file that was refused. That the log cannot be written does not make the file better.
async fn tell(state: &State, caller: &Caller, request: &HttpRequest, reason: Reason) {
    let address = ClientAddress::extract(request).into_inner().ok();
    let event = NewSecurityEvent {
        id: SecurityEventId::generate(),
        at: state.clock.now(),
        kind: SecurityEventKind::UploadRefused,
        person_id: caller.actor.person_id,
        session_id: Some(caller.identity.session_id),
        login: None,
        address: address.map(|address| address.0),
        route: request.match_pattern(),
        times: 1,
        correlation_id: caller.actor.correlation_id,
        detail: json!({ "reason": reason.label() }),
    };
    let client = Some(caller.actor.client_id);
    if let Err(error) = app::security::record(&state.store, client, &[event]).await {
        tracing::warn!(upload.reason = reason.label(), %error, "a refused upload is not in the security log");
    }
}

/// Gives a file to who may see its ticket: to be saved, never to be shown as a page of ours.
pub(crate) async fn download(
    caller: Caller,
    id: Path<AttachmentId>,
    state: Shared,
) -> Result<HttpResponse, Problem> {
    let file = app::attachment::open(&state.store, &caller.actor, *id).await?;
    let bytes = state.uploads.read(&file.storage_key).await;
    let bytes = bytes.map_err(|error| Problem::internal().because(error))?;
    let length = u64::try_from(file.size_bytes).map_err(|error| Problem::internal().because(error))?;
    Ok(HttpResponse::Ok()
        .content_type(file.media_type)
        .insert_header((header::CONTENT_DISPOSITION, disposition(&file.file_name)))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, FILE_POLICY))
        .insert_header((RESOURCE_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .body(SizedStream::new(length, ReaderStream::new(bytes))))
}

/// Removes a file, row and bytes.
pub(crate) async fn remove(state: &State, caller: &Caller, id: AttachmentId) -> Result<Attachment, Problem> {
    let removed = app::attachment::remove(&state.store, &caller.actor, id).await?;
    state.uploads.forget(&removed.storage_key).await;
    Ok(removed)
}
