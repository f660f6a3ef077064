//! A PostgreSQL cluster of our own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};

use crate::account::Account;

/// The oldest version we support.
pub const VERSION_MIN: u32 = 15;

/// The superuser of a cluster made here.
pub const SUPERUSER: &str = "postgres";

/// Where PostgreSQL's programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    version: u32,
}

impl Programs {
    /// Finds PostgreSQL: `$PG_BIN`, then the given folders, `PATH`, and Debian's folders, newest first.
    ///
    /// # Errors
    /// When none is found, or only ones older than [`VERSION_MIN`].
    pub fn find(more: &[PathBuf]) -> Result<Self> {
        let mut found: Vec<Self> =
            candidates(more).into_iter().filter_map(|folder| Self::at(&folder)).collect();
        if let Some(chosen) = env::var_os("PG_BIN") {
            found = Self::at(Path::new(&chosen)).into_iter().collect();
            ensure!(
                !found.is_empty(),
                "PG_BIN is set, but {} holds no initdb and postgres",
                chosen.display()
            );
        }
        let newest_old = found.iter().map(|programs| programs.version).max();
        found.into_iter().find(|programs| programs.version >= VERSION_MIN).with_context(|| match newest_old {
            Some(version) => format!("PostgreSQL {version} is too old; install {VERSION_MIN} or newer"),
            None => "PostgreSQL is not installed; on Debian: apt-get install postgresql".to_owned(),
        })
    }

    fn at(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() || !folder.join("pg_ctl").is_file() {
            return None;
        }
        let printed = std::process::Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let version = parse_version(&String::from_utf8_lossy(&printed.stdout))?;
        Some(Self { folder: folder.to_owned(), version })
    }

    /// The major version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The folder they are in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn candidates(more: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = more.to_vec();
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    folders.extend(debian.into_iter().rev());
    folders
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian …)`.
fn parse_version(printed: &str) -> Option<u32> {
    let version =
        printed.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    version.split(['.', 'b', 'r']).next()?.parse().ok()
}

/// One cluster: a data folder and the port it listens on.
#[derive(Clone, Debug)]
pub struct Cluster {
    programs: Programs,
    account: Account,
    folder: PathBuf,
    data: PathBuf,
    port: u16,
    options: Vec<String>,
}

impl Cluster {
    /// Describes a cluster below `home`; as root it may lie elsewhere, see [`Account::reachable`].
    ///
    /// # Errors
    /// When we are root and there is no account `postgres`.
    pub fn new(programs: Programs, home: &Path, port: u16) -> Result<Self> {
        let account = Account::unprivileged("postgres")?;
        let folder = account.reachable(home).join(format!("postgres-{}", programs.version));
        let data = folder.join("data");
        Ok(Self { programs, account, folder, data, port, options: vec![] })
    }

    /// Adds a server setting, such as `fsync=off`.
    #[must_use]
    pub fn option(mut self, setting: &str) -> Self {
        self.options.push(setting.to_owned());
        self
    }

    /// The port it listens on, on 127.0.0.1 only.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Whether the data folder has been initialised.
    pub fn exists(&self) -> bool {
        self.data.join("PG_VERSION").is_file()
    }

    /// Creates the cluster, with a password for the superuser.
    ///
    /// # Errors
    /// When `initdb` fails; its words are in the error.
    pub fn init(&self, superuser_password: &str) -> Result<()> {
        self.account.create_folder(&self.folder)?;
        self.account.create_folder(&self.data)?;
        let password_file = self.folder.join("password");
        self.account.write_file(&password_file, superuser_password)?;
        let output = self
            .account
            .command(&self.programs.folder.join("initdb"))
            .arg("--pgdata")
            .arg(&self.data)
            .args([
                "--username",
                SUPERUSER,
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
            ])
            .arg("--pwfile")
            .arg(&password_file)
            .output()
            .context("running initdb")?;
        fs::remove_file(&password_file).context("removing the password file")?;
        if !output.status.success() {
            fs::remove_dir_all(&self.data).context("removing the half-made cluster")?;
        }
        succeed("initdb", &output)
    }

    /// Whether a server runs on the data folder.
    ///
    /// # Errors
    /// When `pg_ctl` cannot be run.
    pub fn is_running(&self) -> Result<bool> {
        Ok(self.control(&["status"])?.status.success())
    }

    /// The port a running server listens on, from its pid file.
    pub fn running_port(&self) -> Option<u16> {
        fs::read_to_string(self.data.join("postmaster.pid")).ok()?.lines().nth(3)?.trim().parse().ok()
    }

    /// Starts the server and waits until it answers, 60 s at most.
    ///
    /// # Errors
    /// When it does not start; names the log to read.
    pub fn start(&self) -> Result<()> {
        let mut options = vec![
            format!("-p {}", self.port),
            "-c listen_addresses=127.0.0.1".to_owned(),
            "-c unix_socket_directories=''".to_owned(),
        ];
        options.extend(self.options.iter().map(|setting| format!("-c {setting}")));
        let log = self.log();
        let output = self
            .account
            .command(&self.programs.folder.join("pg_ctl"))
            .args(["start", "--wait", "--timeout=60", "--silent", "--pgdata"])
            .arg(&self.data)
            .arg("--log")
            .arg(&log)
            .arg("--options")
            .arg(options.join(" "))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .context("running pg_ctl start")?;
        ensure!(output.success(), "PostgreSQL did not start; read {}\n{}", log.display(), last_lines(&log));
        Ok(())
    }

    /// Stops the server; open connections are ended.
    ///
    /// # Errors
    /// When it does not stop within 60 s.
    pub fn stop(&self) -> Result<()> {
        if !self.is_running()? {
            return Ok(());
        }
        succeed("pg_ctl stop", &self.control(&["stop", "--mode=fast", "--timeout=60"])?)
    }

    fn control(&self, arguments: &[&str]) -> Result<Output> {
        self.account
            .command(&self.programs.folder.join("pg_ctl"))
            .args(arguments)
            .arg("--pgdata")
            .arg(&self.data)
            .output()
            .context("running pg_ctl")
    }
}

fn succeed(what: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!("{what} failed: {}", String::from_utf8_lossy(&output.stderr).trim())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("(the log cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().rev().take(5).rev().copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("something else"), None);
    }
}
