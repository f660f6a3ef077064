//! The MQTT broker of a development machine: mosquitto's configuration, accounts and process.
//!
//! The broker listens on 127.0.0.1, lets nobody in without a password, and gives each account only the topics it
//! names. It keeps sessions and queued messages on disk, and never drops a message for their number: only the bytes
//! it may hold are bounded.

mod access;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::account::Account;
pub use access::{Access, Login, PasswordHash, access_file, password_file};

/// The largest payload the broker takes; larger ones are refused towards the device.
pub const PAYLOAD_BYTES_MAX: u32 = 64 * 1024;

/// The largest packet the broker reads or sends. A client must announce at least this much, or the broker drops
/// what is larger without a word to the sender.
pub const PACKET_BYTES_MAX: u32 = 128 * 1024;

/// Messages in flight per client; the receive maximum the broker announces.
const IN_FLIGHT_MAX: u16 = 1000;

/// Bytes queued per client that is away.
const QUEUED_BYTES_MAX: u64 = 256 * 1024 * 1024;

const START_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOG_BYTES_READ_MAX: u64 = 64 * 1024;

/// Finds the broker's program on `PATH` and in the administrators' folders.
///
/// # Errors
/// When it is not installed; says how to install it.
pub fn find() -> Result<PathBuf> {
    std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from))
        .map(|folder| folder.join("mosquitto"))
        .find(|file| file.is_file())
        .context("mosquitto is not installed; on Debian: apt-get install mosquitto")
}

/// The broker's folder: configuration, accounts, log and what it remembers.
#[derive(Clone, Debug)]
pub struct Broker {
    account: Account,
    folder: PathBuf,
    port: u16,
}

impl Broker {
    /// Describes a broker that keeps its files in `folder`; as root they may lie elsewhere, see [`Account::reachable`].
    ///
    /// # Errors
    /// When we are root and there is no account `mosquitto`.
    pub fn new(folder: &Path, port: u16) -> Result<Self> {
        let account = Account::unprivileged("mosquitto")?;
        Ok(Self { account, folder: account.reachable(folder), port })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The broker's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("mosquitto.log")
    }

    /// Writes who may sign in and what each may do. A running broker learns of it by [`Broker::reload`].
    ///
    /// # Errors
    /// When the files cannot be written, or a login would not survive the broker's file format.
    pub fn write_logins(&self, logins: &[Login]) -> Result<()> {
        self.account.create_folder(&self.folder)?;
        self.replace("passwords", &password_file(logins)?)?;
        self.replace("access", &access_file(logins)?)
    }

    /// Starts the broker and waits until it serves, 10 s at most.
    ///
    /// # Errors
    /// When it does not start; the last lines of its log are in the error.
    pub async fn start(&self) -> Result<Running> {
        let program = find()?;
        ensure!(self.folder.join("passwords").is_file(), "write the broker's logins before it starts");
        self.account.write_file(&self.folder.join("mosquitto.conf"), &self.configuration())?;
        let mut log = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(self.log())
            .context("opening the log")?;
        let begin = log.seek(SeekFrom::End(0)).context("finding the end of the log")?;
        let mut command = self.account.command(&program);
        command
            .arg("-c")
            .arg(self.folder.join("mosquitto.conf"))
            // Ctrl-C in a terminal reaches the foreground group: who started the broker decides when it stops.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing the log")?)
            .stderr(log.try_clone().context("sharing the log")?);
        let mut child = Command::from(command).kill_on_drop(true).spawn().context("starting mosquitto")?;
        wait_until_running(&mut child, &mut log, begin).await?;
        let pid = child.id().context("mosquitto ended at once")?;
        self.account.write_file(&self.pid_file(), &pid.to_string())?;
        Ok(Running { broker: self.clone(), child })
    }

    /// Tells a running broker, of whichever process, to read its files again.
    ///
    /// # Errors
    /// When no broker runs in this folder.
    pub fn reload(&self) -> Result<()> {
        let pid = self.running_pid().context("no broker runs here")?;
        kill_process(pid, Signal::HUP).context("telling mosquitto to read its files again")
    }

    /// Ends a broker that outlived the process which started it; waits 10 s at most.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end_left_over(&self) -> Result<()> {
        let Some(pid) = self.running_pid() else { return Ok(()) };
        tracing::info!("ending a broker that was left over");
        kill_process(pid, Signal::TERM).context("stopping the broker that was left over")?;
        let begun = std::time::Instant::now();
        while self.running_pid().is_some() {
            ensure!(begun.elapsed() < STOP_LIMIT, "the broker that was left over does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The broker of this folder, if one runs. The number in the pid file may belong to another program by then.
    fn running_pid(&self) -> Option<Pid> {
        let pid = Pid::from_raw(fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?)?;
        command_line(pid)?.contains(self.folder.to_str()?).then_some(pid)
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("mosquitto.pid")
    }

    /// Writes a file as a whole, so that a reload never reads half of it.
    fn replace(&self, name: &str, text: &str) -> Result<()> {
        let fresh = self.folder.join(format!("{name}.new"));
        self.account.write_file(&fresh, text)?;
        fs::rename(&fresh, self.folder.join(name))
            .with_context(|| format!("replacing the broker's {name} file"))
    }

    fn configuration(&self) -> String {
        let folder = self.folder.display();
        format!(
            "# Written by `local::mosquitto` at every start.\n\
             per_listener_settings false\n\
             allow_anonymous false\n\
             password_file {folder}/passwords\n\
             acl_file {folder}/access\n\
             persistence true\n\
             persistence_location {folder}/\n\
             autosave_interval 30\n\
             persistent_client_expiration 14d\n\
             max_queued_messages 0\n\
             max_queued_bytes {QUEUED_BYTES_MAX}\n\
             max_inflight_messages {IN_FLIGHT_MAX}\n\
             message_size_limit {PAYLOAD_BYTES_MAX}\n\
             max_packet_size {PACKET_BYTES_MAX}\n\
             max_keepalive 600\n\
             log_dest stderr\n\
             log_timestamp_format %Y-%m-%dT%H:%M:%S\n\
             listener {} 127.0.0.1\n",
            self.port
        )
    }
}

/// A broker that serves. Dropping it kills the process; [`Running::stop`] lets it save its sessions first.
#[derive(Debug)]
pub struct Running {
    broker: Broker,
    child: Child,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.broker.address()
    }

    /// Gives the broker another set of logins. Devices whose login is gone are disconnected.
    ///
    /// # Errors
    /// When the files cannot be written or the broker has ended.
    pub fn set_logins(&self, logins: &[Login]) -> Result<()> {
        self.broker.write_logins(logins)?;
        self.broker.reload()
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub async fn wait(&mut self) -> Result<std::process::ExitStatus> {
        self.child.wait().await.context("waiting for mosquitto")
    }

    /// Stops the broker; it saves sessions and queued messages. Killed after 10 s.
    ///
    /// # Errors
    /// When the process can be neither stopped nor killed.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).context("stopping mosquitto")?;
        }
        if timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            tracing::warn!("mosquitto did not stop in time and is killed");
            self.child.kill().await.context("killing mosquitto")?;
        }
        if self.broker.pid_file().exists() {
            fs::remove_file(self.broker.pid_file()).context("removing the broker's pid file")?;
        }
        Ok(())
    }
}

/// How a process was started; `None` when there is none. Without /proc, `ps` knows.
fn command_line(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero();
    if Path::new("/proc/self").exists() {
        return fs::read(format!("/proc/{pid}/cmdline"))
            .ok()
            .map(|line| String::from_utf8_lossy(&line).into_owned());
    }
    let printed =
        std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    printed.status.success().then(|| String::from_utf8_lossy(&printed.stdout).into_owned())
}

/// Another process may hold the port, so only the broker's own word counts.
async fn wait_until_running(child: &mut Child, log: &mut File, begin: u64) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let text = read_from(log, begin)?;
        if let Some(status) = child.try_wait().context("asking for mosquitto's state")? {
            bail!("mosquitto ended with {status}: {}", text.trim());
        }
        if text.contains(" running") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "mosquitto did not start in time: {}", text.trim());
        sleep(Duration::from_millis(20)).await;
    }
}

fn read_from(log: &mut File, begin: u64) -> Result<String> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(begin)).context("reading the broker's log")?;
    log.take(LOG_BYTES_READ_MAX).read_to_end(&mut bytes).context("reading the broker's log")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
