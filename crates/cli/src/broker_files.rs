//! `youtility broker files` and `youtility device password`: accounts of devices at a broker that asks nobody.

use std::fs::{self, File, Metadata};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use anyhow::{Context, Result, bail};
use app::broker::BrokerFileAccount;
use domain::broker::Account;
use local::mosquitto::{self, Login, PasswordHash};
use rustix::process::{Pid, Signal, kill_process};
use store::Store;

use crate::args::broker::{FileOptions, PasswordOptions};
use crate::args::tasks::QueuePlace;
use crate::broker::{BRIDGE, HEALTH, login};
use crate::keys::random_text;
use crate::{say, tasks};

/// The role that sees every client.
const ROLE: &str = "youtility_owner";

/// Who may read a file that is new: its owner.
const MODE: u32 = 0o600;

fn open(place: &QueuePlace) -> Result<Store> {
    Ok(Store::new(&tasks::settings(place, ROLE)?, "broker")?)
}

/// Writes the files, if they are not what they should be.
pub(crate) async fn write(options: &FileOptions) -> Result<()> {
    let store = open(&options.place)?;
    let accounts = app::broker::accounts(&store).await.context("reading the devices")?;
    let mut logins = own_logins(options)?;
    let ours = logins.len();
    logins.extend(accounts.iter().filter_map(device_login));
    let devices = logins.len() - ours;
    if devices < accounts.len() {
        say::notice(&format!("{} devices have no password and are left out", accounts.len() - devices));
    }
    // Rights first: an account that is new has them before it can sign in.
    let access = replace(&options.access, &mosquitto::access_file(&logins)?)?;
    let passwords = replace(&options.passwords, &mosquitto::password_file(&logins)?)?;
    if !(access || passwords) {
        say::done(&format!("{devices} devices and {ours} accounts of our own; nothing changed"));
        return Ok(());
    }
    say::done(&format!("{devices} devices and {ours} accounts of our own written"));
    if let Some(pid_file) = &options.reload {
        reload(pid_file)?;
        say::done("the broker reads its files again");
    }
    Ok(())
}

/// Gives a device a password that nobody has seen.
pub(crate) async fn set_password(options: &PasswordOptions) -> Result<()> {
    let (store, password) = (open(&options.place)?, random_text()?);
    let (client, device, hash) =
        (&options.client, &options.device, &PasswordHash::of(&password)?.to_string());
    let changed = store
        .run_system(
            "set_broker_password",
            |tx| async move { tx.set_broker_password(client, device, hash).await },
        )
        .await;
    let username: Option<String> = changed.context("changing the password")?;
    let Some(username) = username else { bail!("there is no device {client} {device}") };
    say::done(&format!("{username} signs in with the following password; it is not shown again"));
    say::line(&password);
    Ok(())
}

/// The accounts of our own processes whose passwords were given. One whose password did not change keeps its hash, so that
/// nothing changes for nothing.
fn own_logins(options: &FileOptions) -> Result<Vec<Login>> {
    let before = fs::read_to_string(&options.passwords).unwrap_or_else(|_absent| String::new());
    let given = [
        (BRIDGE, Account::Bridge, &options.bridge_password_file),
        (HEALTH, Account::Health, &options.health_password_file),
    ];
    let mut logins = Vec::new();
    for (username, account, file) in given {
        let Some(file) = file else { continue };
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            bail!("{} is empty", file.display());
        }
        let kept = before
            .lines()
            .filter_map(|line| line.strip_prefix(username)?.strip_prefix(':'))
            .filter_map(|hash| PasswordHash::parse(hash).ok())
            .find(|hash| hash.is_of(password));
        let hash = kept.map_or_else(|| PasswordHash::of(password), Ok)?;
        logins.push(login(username, &account, hash));
    }
    Ok(logins)
}

/// The account of a device; none when its password is no hash of Mosquitto's.
fn device_login(account: &BrokerFileAccount) -> Option<Login> {
    let hash = PasswordHash::parse(&account.password_hash).ok()?;
    let (client, device) = (account.client_code.clone(), account.device_code.clone());
    Some(login(&account.username, &Account::Device { client, device }, hash))
}

/// Writes a file as a whole, so that nobody reads half of it; answers whether it was changed. Who may read it stays; a new one
/// is for whoever owns its folder.
fn replace(file: &Path, text: &str) -> Result<bool> {
    let context = || format!("writing {}", file.display());
    let before = match fs::metadata(file) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(context),
    };
    if before.is_some() && fs::read_to_string(file).with_context(context)? == text {
        return Ok(false);
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let like = before.as_ref().map_or_else(|| fs::metadata(folder), |before| Ok(before.clone()));
    let mode = before.as_ref().map_or(MODE, |before| before.permissions().mode() & 0o777);
    let name = file.file_name().and_then(|name| name.to_str()).with_context(context)?;
    let fresh = folder.join(format!(".{name}.new"));
    write_fresh(&fresh, text, mode, &like.with_context(context)?).with_context(context)?;
    fs::rename(&fresh, file).with_context(context)?;
    Ok(true)
}

fn write_fresh(fresh: &Path, text: &str, mode: u32, like: &Metadata) -> std::io::Result<()> {
    match fs::remove_file(fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Made by us or not at all: what lies there under this name could lead elsewhere.
    let mut file = File::options().write(true).create_new(true).mode(MODE).open(fresh)?;
    file.write_all(text.as_bytes())?;
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (like.uid(), like.gid()) {
        fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

fn reload(pid_file: &Path) -> Result<()> {
    let context = || format!("reading the broker's pid from {}", pid_file.display());
    let text = fs::read_to_string(pid_file).with_context(context)?;
    let pid = Pid::from_raw(text.trim().parse().with_context(context)?).with_context(context)?;
    kill_process(pid, Signal::HUP).context("telling the broker to read its files again")
}
