//! The folder that holds one file per mail.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

use super::message::Mail;

/// The oldest mails go when there are more.
const MAILS_MAX: u64 = 1000;

/// A folder of mails, named by number.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    last: Arc<AtomicU64>,
}

impl Folder {
    /// Opens or makes the folder; numbering goes on after the last mail in it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
        let last = numbers(path)?.last().copied().unwrap_or(0);
        Ok(Self { path: path.to_owned(), last: Arc::new(AtomicU64::new(last)) })
    }

    /// Keeps a mail. It shows in the folder only when it is complete.
    pub(super) async fn keep(&self, raw: &[u8]) -> Result<String> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let name = file_name(number);
        let unfinished = self.path.join(format!("{name}.part"));
        tokio::fs::write(&unfinished, raw).await.context("writing a mail")?;
        tokio::fs::rename(&unfinished, self.path.join(&name)).await.context("finishing a mail")?;
        if let Some(oldest) = number.checked_sub(MAILS_MAX) {
            let oldest = self.path.join(file_name(oldest));
            if oldest.exists() {
                tokio::fs::remove_file(oldest).await.context("removing the oldest mail")?;
            }
        }
        Ok(name)
    }

    /// Every mail, oldest first.
    pub(super) async fn mails(&self) -> Result<Vec<Mail>> {
        let mut mails = Vec::new();
        for number in numbers(&self.path)? {
            let name = file_name(number);
            mails.push(Mail::parse(&name, &self.raw(&name).await?));
        }
        Ok(mails)
    }

    /// One mail as it came.
    pub(super) async fn raw(&self, name: &str) -> Result<Vec<u8>> {
        ensure!(parse_name(name).is_some(), "`{name}` does not name a mail");
        tokio::fs::read(self.path.join(name)).await.with_context(|| format!("reading mail {name}"))
    }
}

fn numbers(path: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("listing {}", path.display()))? {
        let name = entry.context("listing the mails")?.file_name();
        numbers.extend(name.to_str().and_then(parse_name));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn file_name(number: u64) -> String {
    format!("{number:08}.eml")
}

fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".eml")?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
