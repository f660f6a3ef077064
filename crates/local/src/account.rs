//! The operating-system account that child processes run as.
//!
//! PostgreSQL refuses root. As root its processes run as user `postgres`, whom Debian's package creates; for
//! anybody else they run as that person.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Whom a child process runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The person who started us.
    Myself,
    /// Another account, because we are root.
    Other {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

impl Account {
    /// Whether this process is root.
    pub fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Ourselves, or the named account when we are root.
    ///
    /// # Errors
    /// When we are root and the account does not exist.
    pub fn unprivileged(name: &str) -> Result<Self> {
        if !Self::is_root() {
            return Ok(Self::Myself);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        accounts.lines().find_map(|line| parse_account(line, name)).with_context(|| {
            format!("there is no account `{name}`; install Debian's package that creates it")
        })
    }

    /// Prepares a command to run as this account, from a folder everybody may enter.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Creates a folder only this account may read.
    ///
    /// # Errors
    /// When the folder cannot be made or handed over.
    pub fn create_folder(self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("closing {} to others", folder.display()))?;
        self.own(folder)
    }

    /// Writes a file only this account may read.
    ///
    /// # Errors
    /// When the file cannot be written or handed over.
    pub fn write_file(self, file: &Path, text: &str) -> Result<()> {
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("closing {} to others", file.display()))?;
        self.own(file)
    }

    /// A place this account can reach: the wanted one, or one under /var/lib when a folder above it is closed.
    pub fn reachable(self, wanted: &Path) -> PathBuf {
        let closed =
            wanted.ancestors().skip(1).filter(|folder| folder.exists()).any(|folder| !self.may_enter(folder));
        if closed { Path::new("/var/lib/youtility").join(flat_name(wanted)) } else { wanted.to_owned() }
    }

    fn may_enter(self, folder: &Path) -> bool {
        let Self::Other { uid, gid } = self else { return true };
        fs::metadata(folder).is_ok_and(|meta| {
            let mode = meta.mode();
            mode & 0o001 != 0
                || (meta.gid() == gid && mode & 0o010 != 0)
                || (meta.uid() == uid && mode & 0o100 != 0)
        })
    }

    fn own(self, path: &Path) -> Result<()> {
        if let Self::Other { uid, gid } = self {
            chown(path, Some(uid), Some(gid)).with_context(|| format!("handing {} over", path.display()))?;
        }
        Ok(())
    }
}

fn parse_account(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account::Other { uid, gid })
}

/// A path as one folder name.
fn flat_name(path: &Path) -> String {
    path.to_string_lossy().trim_matches('/').replace('/', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let line = "postgres:x:115:123:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash";
        assert_eq!(parse_account(line, "postgres"), Some(Account::Other { uid: 115, gid: 123 }));
        assert_eq!(parse_account(line, "post"), None);
    }

    #[test]
    fn a_place_below_a_closed_folder_is_replaced() {
        let account = Account::Other { uid: 4_000_000, gid: 4_000_000 };
        assert_eq!(account.reachable(Path::new("/usr/pg")), Path::new("/usr/pg"));
        assert_eq!(account.reachable(Path::new("/root/a/pg")), Path::new("/var/lib/youtility/root-a-pg"));
    }
}
