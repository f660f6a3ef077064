//! Where files are kept: a folder that every replica sees. A file is there whole or not at all.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use domain::{AttachmentId, ClientId};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// Where files stand until they were examined.
const QUARANTINE: &str = "quarantine";

/// How old a file in quarantine is that nobody will come back for.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// A file that is being written; it is gone when this is dropped before it was kept.
pub(crate) struct Pending {
    path: PathBuf,
    file: File,
    digest: Context,
    bytes: u64,
}

impl Folder {
    /// Opens the folder, makes it where it is missing, and removes what an earlier process left in quarantine.
    pub(crate) fn open(path: &Path, now: SystemTime) -> io::Result<Self> {
        let quarantine = path.join(QUARANTINE);
        make(&quarantine)?;
        for entry in std::fs::read_dir(&quarantine)? {
            let entry = entry?;
            let age =
                entry.metadata().and_then(|known| known.modified()).map(|then| now.duration_since(then));
            if age.is_ok_and(|age| age.is_ok_and(|age| age > FORGOTTEN_AFTER)) {
                ignore_missing(std::fs::remove_file(entry.path()))?;
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// Begins a file in quarantine.
    pub(crate) async fn begin(&self) -> io::Result<Pending> {
        let path = self.0.join(QUARANTINE).join(AttachmentId::generate().to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        Ok(Pending { path, file, digest: Context::new(&SHA256), bytes: 0 })
    }

    /// Keeps a file for a client, and says under which key. It is on disk when this returns.
    pub(crate) async fn keep(&self, client: ClientId, mut pending: Pending) -> io::Result<String> {
        pending.flush().await?;
        let key = format!("{client}/{}", AttachmentId::generate());
        let path = self.path(&key)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let moved = pending.path.clone();
        tokio::task::spawn_blocking(move || {
            make(&folder)?;
            std::fs::rename(&moved, &path)?;
            std::fs::File::open(&folder)?.sync_all()
        })
        .await
        .map_err(io::Error::other)??;
        Ok(key)
    }

    /// Opens a file that is kept.
    pub(crate) async fn read(&self, key: &str) -> io::Result<File> {
        File::open(self.path(key)?).await
    }

    /// Removes a file that was kept.
    pub(crate) async fn remove(&self, key: &str) -> io::Result<()> {
        ignore_missing(fs::remove_file(self.path(key)?).await)
    }

    /// Where a key leads: two UUIDs and nothing else, whatever the database says.
    fn path(&self, key: &str) -> io::Result<PathBuf> {
        let parts =
            key.split_once('/').map(|(client, file)| (Uuid::parse_str(client), Uuid::parse_str(file)));
        match parts {
            Some((Ok(client), Ok(file))) => Ok(self.0.join(client.to_string()).join(file.to_string())),
            Some(_) | None => Err(io::Error::new(io::ErrorKind::InvalidInput, "a storage key is broken")),
        }
    }
}

impl Pending {
    /// Adds bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.digest.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Puts what was written on disk.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of the bytes so far.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        let digest = self.digest.clone().finish();
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pending")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Gone already when it was kept.
        if let Err(error) = ignore_missing(std::fs::remove_file(&self.path)) {
            tracing::warn!(%error, "a file stays in quarantine until the next start");
        }
    }
}

/// Makes a folder that is this process's alone.
fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn ignore_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Folder {
        Folder::open(&std::env::temp_dir().join(AttachmentId::generate().to_string()), SystemTime::UNIX_EPOCH)
            .unwrap()
    }

    #[tokio::test]
    async fn a_file_is_in_quarantine_until_it_is_kept_and_gone_when_it_is_not() {
        let folder = folder();
        let mut pending = folder.begin().await.unwrap();
        pending.write(b"leak").await.unwrap();
        let quarantined = pending.path().to_owned();
        let key = folder.keep(ClientId::generate(), pending).await.unwrap();
        assert!(!quarantined.exists());
        assert_eq!(fs::read(folder.path(&key).unwrap()).await.unwrap(), b"leak");
        folder.remove(&key).await.unwrap();
        folder.remove(&key).await.unwrap();
        assert!(folder.read(&key).await.is_err());

        let dropped = folder.begin().await.unwrap();
        let path = dropped.path().to_owned();
        assert!(path.exists());
        drop(dropped);
        assert!(!path.exists());
        std::fs::remove_dir_all(&folder.0).unwrap();
    }

    #[tokio::test]
    async fn a_key_leads_nowhere_else() {
        let folder = folder();
        let client = ClientId::generate();
        for key in ["../../etc/passwd", "/etc/passwd", "x", "", &format!("{client}/../quarantine")] {
            assert_eq!(folder.read(key).await.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{key}");
        }
        std::fs::remove_dir_all(&folder.0).unwrap();
    }
}
