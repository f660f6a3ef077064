//! The files of the repository as git knows them, and what a check says about them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// One thing that is not tidy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The check's name, as used in `exceptions.toml`.
    pub(crate) check: &'static str,
    /// The file, from the root.
    pub(crate) path: String,
    /// The line, from 1; 0 for the whole file.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: [{}] {}", self.path, self.line, self.check, self.what)
    }
}

/// One text file.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Its text; empty when it is not UTF-8.
    pub(crate) text: String,
    /// Its size on disk.
    pub(crate) bytes: u64,
}

impl File {
    /// Whether the file ends so.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// Whether the file is production Rust: not a test.
    pub(crate) fn is_production_rust(&self) -> bool {
        self.has_extension("rs") && !self.is_test()
    }

    /// Whether the file is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.starts_with("crates/testkit/")
            || self.path.starts_with("e2e/")
    }

    /// The lines before an inline `mod tests`, numbered from 1.
    pub(crate) fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// Makes a finding about this file.
    pub(crate) fn finding(&self, check: &'static str, line: usize, what: impl Into<String>) -> Finding {
        Finding { check, path: self.path.clone(), line, what: what.into() }
    }
}

/// Every file git tracks or would track.
pub(crate) struct Tree {
    /// Where the workspace stands.
    pub(crate) root: PathBuf,
    /// Its files.
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the working tree.
    pub(crate) fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("the workspace has a root")?
            .to_owned();
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .context("listing files with git")?;
        ensure!(listed.status.success(), "git ls-files failed; run tidy inside the repository");
        let names = String::from_utf8(listed.stdout).context("file names are UTF-8")?;
        let mut files = Vec::new();
        for path in names.lines() {
            let full = root.join(path);
            if !full.is_file() {
                continue;
            }
            let raw = std::fs::read(&full).with_context(|| format!("reading {path}"))?;
            let bytes = u64::try_from(raw.len()).context("a file fits in 64 bits")?;
            let text = String::from_utf8(raw).unwrap_or_else(|_| String::new());
            files.push(File { path: path.to_owned(), text, bytes });
        }
        Ok(Self { root, files })
    }

    /// The file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Every production Rust file.
    pub(crate) fn production_rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_production_rust())
    }
}
