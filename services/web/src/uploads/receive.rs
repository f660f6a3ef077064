//! The parts of an upload, as they arrive: fields of the form, and one file that goes to quarantine.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Payload;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use domain::AttachmentId;
use futures_util::StreamExt;
use service::Problem;

use super::folder::Pending;
use super::kind::Kind;
use super::refused::Reason;
use super::{Failed, Uploads, name};

/// Bytes of a field beside the file.
const FIELD_BYTES_MAX: usize = 1_024;

/// Parts of one upload: the file, the form's token and its key.
const PARTS_MAX: usize = 3;

/// The token a form must carry, as the gateway gave it to us; a program's request was proven there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Demanded {
    /// This token, before the file.
    Token(String),
    /// None.
    Nothing,
}

/// A file in quarantine.
#[derive(Debug)]
pub(crate) struct Received {
    /// What its name, and its sender, say that it is.
    pub(crate) kind: Kind,
    /// What people call it.
    pub(crate) name: String,
    /// The id the form gives it.
    pub(crate) id: Option<AttachmentId>,
    /// The bytes.
    pub(crate) pending: Pending,
}

#[derive(Default)]
struct Fields {
    token: Option<String>,
    id: Option<AttachmentId>,
    file: Option<(Kind, String, Pending)>,
}

impl Uploads {
    /// Takes an upload to quarantine, and no byte more than files of its kind may have.
    pub(super) async fn receive(
        &self,
        request: &HttpRequest,
        payload: Payload,
        demanded: &Demanded,
    ) -> Result<Received, Failed> {
        if !is_form(request) {
            return Err(Problem::unsupported_media_type().into());
        }
        let mut parts = Multipart::new(request.headers(), payload);
        let mut fields = Fields::default();
        for _part in 0..=PARTS_MAX {
            let Some(part) = parts.next().await else { return fields.complete() };
            self.take(part.map_err(broken)?, demanded, &mut fields).await?;
        }
        Err(malformed("there are more parts than an upload has"))
    }

    async fn take(&self, mut part: Field, demanded: &Demanded, fields: &mut Fields) -> Result<(), Failed> {
        match part.name().unwrap_or_default() {
            api::headers::CSRF_FIELD if fields.token.is_none() => fields.token = Some(text(&mut part).await?),
            "key" if fields.id.is_none() => {
                let id = text(&mut part).await?.parse();
                fields.id = Some(id.map_err(|_broken| malformed("`key` is no UUID"))?);
            }
            "file" if fields.file.is_none() => {
                if !demanded.is_met(fields.token.as_deref()) {
                    return Err(malformed("the token of the form is not right, or stands behind the file"));
                }
                fields.file = Some(self.quarantine(part).await?);
            }
            _ => return Err(malformed("there is a part no upload has")),
        }
        Ok(())
    }

    async fn quarantine(&self, mut part: Field) -> Result<(Kind, String, Pending), Failed> {
        let given = part.content_disposition().and_then(|about| about.get_filename()).unwrap_or_default();
        let name = name::tidy(given);
        let kind = Kind::of_name(&name).ok_or(Reason::Kind)?;
        let declared = part.content_type().map(|declared| declared.essence_str().to_owned());
        if declared.as_deref() != Some(kind.media_type()) {
            return Err(Reason::Declared(kind.media_type()).into());
        }
        let bytes_max = self.settings.bytes_max(kind.class());
        let mut pending = self.folder.begin().await?;
        while let Some(piece) = part.next().await {
            let piece = piece.map_err(broken)?;
            let arrived = pending.bytes() + u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if arrived > bytes_max {
                return Err(Reason::TooLarge(bytes_max).into());
            }
            pending.write(&piece).await?;
        }
        if pending.bytes() == 0 {
            return Err(Reason::Empty.into());
        }
        pending.flush().await?;
        Ok((kind, name, pending))
    }
}

impl Fields {
    fn complete(self) -> Result<Received, Failed> {
        let (kind, name, pending) = self.file.ok_or_else(|| malformed("there is no part `file`"))?;
        Ok(Received { kind, name, id: self.id, pending })
    }
}

impl Demanded {
    fn is_met(&self, given: Option<&str>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Token(token) => given.is_some_and(|given| {
                !token.is_empty() && verify_slices_are_equal(given.as_bytes(), token.as_bytes()).is_ok()
            }),
        }
    }
}

async fn text(part: &mut Field) -> Result<String, Failed> {
    let bytes = part.bytes(FIELD_BYTES_MAX).await.map_err(|_long| malformed("a field is too long"))?;
    let bytes = bytes.map_err(broken)?;
    String::from_utf8(bytes.to_vec()).map_err(|_broken| malformed("a field is no text"))
}

fn is_form(request: &HttpRequest) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"))
}

fn malformed(why: &'static str) -> Failed {
    Problem::malformed_body().because(why).into()
}

fn broken(error: MultipartError) -> Failed {
    if let MultipartError::Payload(PayloadError::Overflow) = error {
        return Problem::body_too_large().into();
    }
    Problem::malformed_body().because(error).into()
}
