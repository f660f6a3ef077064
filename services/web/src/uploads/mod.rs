//! Files on their way in: received to quarantine, examined, scanned, and kept under a name of ours.
//!
//! `receive` → `examine` (what it is, in a thread of its own) → `scanner` (what clamd says) → `folder` (kept). What is
//! not kept is gone when its `Pending` is dropped, also when the sender goes away.

mod archive;
mod examine;
mod folder;
mod kind;
mod name;
mod picture;
mod receive;
mod refused;
mod scanner;
mod settings;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use anyhow::Context as _;
use app::{AccountError, Error};
use domain::{AttachmentId, ClientId};
use service::{Clock, Problem};
use tokio::fs::File;
use tokio::sync::Semaphore;

pub use archive::ArchiveLimits;
pub(crate) use kind::Kind;
pub(crate) use name::disposition;
pub(crate) use receive::Demanded;
pub(crate) use refused::{Reason, size};
pub use settings::FileSettings;

use examine::{ExaminationLimits, Kept, examine};
use folder::{Folder, Pending};
use receive::Received;
use scanner::{Scanner, Verdict};

/// Why nothing was kept.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The file is not taken; the security log is told.
    Refused(Reason),
    /// Anything else.
    Problem(Problem),
}

impl From<Reason> for Failed {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Problem(Problem::internal().because(error))
    }
}

/// A file that was examined and stands where it stays.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The id the form gives it.
    pub(crate) id: Option<AttachmentId>,
    /// What people call it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// How long it is.
    pub(crate) bytes: u64,
    /// The SHA-256 of what is kept.
    pub(crate) sha256: [u8; 32],
    /// Where it is.
    pub(crate) key: String,
}

/// Takes files in, and gives them out.
#[derive(Clone, Debug)]
pub(crate) struct Uploads {
    settings: Arc<FileSettings>,
    folder: Folder,
    scanner: Option<Scanner>,
    places: Arc<Semaphore>,
    examinations: Arc<Semaphore>,
}

impl Uploads {
    /// Opens the folder.
    pub(crate) fn open(settings: &FileSettings, clock: &Clock) -> anyhow::Result<Self> {
        let now = SystemTime::from(clock.now());
        Ok(Self {
            folder: Folder::open(Path::new(&settings.folder), now).context("opening files.folder")?,
            scanner: settings.scanner(),
            places: Arc::new(Semaphore::new(settings.uploads_max)),
            examinations: Arc::new(Semaphore::new(settings.examinations_max)),
            settings: Arc::new(settings.clone()),
        })
    }

    /// Files one ticket takes.
    pub(crate) fn per_ticket_max(&self) -> u16 {
        self.settings.per_ticket_max
    }

    /// What the form says of the files it takes.
    pub(crate) fn hint(&self) -> String {
        let [image, document, other] =
            [self.settings.image_bytes_max, self.settings.document_bytes_max, self.settings.other_bytes_max];
        format!(
            "Pictures (JPEG, PNG, WebP) up to {}, PDF and office documents up to {}, texts up to {}.",
            size(image),
            size(document),
            size(other)
        )
    }

    /// Receives, examines, scans and keeps a file for a client.
    pub(crate) async fn take_in(
        &self,
        client: ClientId,
        request: &HttpRequest,
        payload: Payload,
        demanded: &Demanded,
    ) -> Result<Stored, Failed> {
        let _place = self.places.try_acquire().map_err(|_full| unavailable("every place is taken"))?;
        let received = self.receive(request, payload, demanded).await?;
        let kept = self.examined(&received).await?;
        self.scan(received.pending.path()).await?;
        let Received { kind, name, id, pending } = received;
        let pending = match kept {
            Kept::AsItCame => pending,
            Kept::Rewritten(bytes) => self.rewritten(&bytes).await?,
        };
        let (bytes, sha256) = (pending.bytes(), pending.sha256());
        let key = self.folder.keep(client, pending).await?;
        Ok(Stored { id, name, kind, bytes, sha256, key })
    }

    /// Opens the bytes of a file.
    pub(crate) async fn read(&self, key: &str) -> io::Result<File> {
        self.folder.read(key).await
    }

    /// Removes the bytes of a file nobody knows of any more. What stays behind costs room and nothing else.
    pub(crate) async fn forget(&self, key: &str) {
        if let Err(error) = self.folder.remove(key).await {
            tracing::warn!(storage.key = key, %error, "the bytes of a removed file are still there");
        }
    }

    /// Examines a file on a thread that serves nobody. The place is given back when the work ends, not when the sender
    /// goes away; a decoder that panics has refused.
    async fn examined(&self, received: &Received) -> Result<Kept, Failed> {
        let place = Arc::clone(&self.examinations).acquire_owned().await;
        let place = place.map_err(|_closed| unavailable("the examinations have ended"))?;
        let (kind, path) = (received.kind, received.pending.path().to_owned());
        let limits =
            ExaminationLimits { pixels_max: self.settings.image_pixels_max, archive: self.settings.archive };
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            let bytes = std::fs::read(&path)?;
            Ok::<_, io::Error>(examine(kind, &bytes, &limits))
        });
        match work.await {
            Ok(examined) => Ok(examined??),
            Err(_panicked) => Err(Reason::Unreadable.into()),
        }
    }

    async fn scan(&self, path: &Path) -> Result<(), Failed> {
        let Some(scanner) = &self.scanner else { return Ok(()) };
        match scanner.ask(path).await {
            Ok(Verdict::Clean) => Ok(()),
            Ok(Verdict::Found(signature)) => {
                tracing::warn!(scanner.signature = signature, "the scanner found something in an upload");
                Err(Reason::Harmful.into())
            }
            Err(error) if self.settings.scanner_required => Err(unavailable(&error.to_string())),
            Err(error) => {
                tracing::warn!(%error, "a file is taken without the scanner's word");
                Ok(())
            }
        }
    }

    async fn rewritten(&self, bytes: &[u8]) -> Result<Pending, Failed> {
        let mut pending = self.folder.begin().await?;
        pending.write(bytes).await?;
        Ok(pending)
    }
}

fn unavailable(why: &str) -> Failed {
    Problem::from(Error::from(AccountError::ScannerUnavailable)).because(why).into()
}
