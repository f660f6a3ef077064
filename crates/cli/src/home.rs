//! The folder in which a running system keeps its files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::args::Place;

const RUNNING_FILE: &str = "running.json";

/// Where everything of one running system is.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
}

/// One process that `up` started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunningProcess {
    /// Its name, such as `auth-2`.
    pub(crate) name: String,
    /// Its process id at the last start.
    pub(crate) pid: u32,
    /// The port of its admin listener.
    pub(crate) admin_port: u16,
}

/// What runs; written by `up`, read by the other commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunningSystem {
    /// The process that supervises.
    pub(crate) supervisor: u32,
    /// The web address.
    pub(crate) address: String,
    /// The page that shows sent mail.
    pub(crate) mail_page: String,
    /// Host and port of the broker.
    pub(crate) broker: String,
    /// The services.
    pub(crate) processes: Vec<RunningProcess>,
}

impl Home {
    /// The home at a place; created when missing, closed to others.
    pub(crate) fn open(place: &Place) -> Result<Self> {
        fs::create_dir_all(&place.home).with_context(|| format!("creating {}", place.home.display()))?;
        let root = place.home.canonicalize().with_context(|| format!("opening {}", place.home.display()))?;
        let home = Self { root };
        for folder in [home.logs(), home.mail(), home.config()] {
            fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        fs::set_permissions(home.config(), fs::Permissions::from_mode(0o700))
            .context("closing the settings folder")?;
        Ok(home)
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the cluster lies.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// Where the broker's files lie.
    pub(crate) fn broker(&self) -> PathBuf {
        self.root.join("broker")
    }

    /// One log file a process.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of one process.
    pub(crate) fn log(&self, process: &str) -> PathBuf {
        self.logs().join(format!("{process}.log"))
    }

    /// Every mail as a file.
    pub(crate) fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    /// Files at tickets.
    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Settings of the services and the secrets.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    /// Tools installed for this checkout only.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// Reads a JSON file of the settings folder, if it is there.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let file = self.config().join(name);
        if !file.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("{} is damaged; remove it and start again", file.display()))
    }

    /// Writes a JSON file of the settings folder that only its owner may read.
    pub(crate) fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.write(name, &serde_json::to_string_pretty(value).context("writing JSON")?).map(drop)
    }

    /// Writes a file of the settings folder that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.config().join(name);
        let fresh = self.config().join(format!("{name}.new"));
        fs::write(&fresh, text).with_context(|| format!("writing {}", fresh.display()))?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))
            .context("closing the file to others")?;
        fs::rename(&fresh, &file).with_context(|| format!("writing {}", file.display()))?;
        Ok(file)
    }

    /// What runs, if anything does.
    pub(crate) fn running(&self) -> Result<Option<RunningSystem>> {
        let system: Option<RunningSystem> = self.read_json(RUNNING_FILE)?;
        Ok(system.filter(|system| is_ours(system.supervisor)))
    }

    /// Forgets what ran, after it stopped.
    pub(crate) fn forget_running(&self) -> Result<()> {
        fs::remove_file(self.config().join(RUNNING_FILE)).context("forgetting the run")
    }

    /// Forgets what ran; ends services that outlived a supervisor that was killed.
    pub(crate) fn end_orphans(&self) -> Result<usize> {
        let left: Option<RunningSystem> = self.read_json(RUNNING_FILE)?;
        let Some(system) = left else { return Ok(0) };
        let orphans: Vec<u32> =
            system.processes.iter().map(|process| process.pid).filter(|pid| is_ours(*pid)).collect();
        for pid in &orphans {
            crate::supervisor::signal(*pid, rustix::process::Signal::TERM);
        }
        self.forget_running()?;
        Ok(orphans.len())
    }
}

/// Writes down each process as it is started, so that the other commands find it.
#[derive(Debug)]
pub(crate) struct Registry {
    home: Home,
    system: std::sync::Mutex<RunningSystem>,
}

impl Registry {
    /// Begins with a system without processes.
    pub(crate) fn new(home: Home, system: RunningSystem) -> Self {
        Self { home, system: system.into() }
    }

    /// Records the latest process id of a service.
    pub(crate) fn record(&self, name: &str, pid: u32, admin_port: u16) {
        let mut system = self.system.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        system.processes.retain(|process| process.name != name);
        system.processes.push(RunningProcess { name: name.to_owned(), pid, admin_port });
        system.processes.sort_by(|left, right| left.name.cmp(&right.name));
        if let Err(error) = self.home.write_json(RUNNING_FILE, &*system) {
            crate::say::notice(&format!("{error:#}"));
        }
    }
}

/// Whether a process runs a program from the same folder as this one: its number may have been given to a stranger.
fn is_ours(pid: u32) -> bool {
    let theirs = fs::read_link(format!("/proc/{pid}/exe"));
    let (Ok(theirs), Ok(mine)) = (theirs, std::env::current_exe()) else { return false };
    theirs.parent() == mine.parent()
}
