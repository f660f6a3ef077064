//! The broker of the running system, with an account for every device.

use std::path::PathBuf;

use anyhow::{Context, Result};
use local::account::Account;
use local::mosquitto::{Broker, Login, PasswordHash, Running};

use crate::home::Home;
use crate::keys::{Keys, random_text};
use crate::tools;

/// Client code, device code and password hash of every demo device.
pub(crate) type DeviceHashes = Vec<(String, String, PasswordHash)>;

/// Gives every demo device a password, kept among the secrets, and returns the hashes the database and broker know.
pub(crate) fn device_hashes(home: &Home, keys: &mut Keys) -> Result<DeviceHashes> {
    let devices = app::demo::devices();
    let mut fresh = false;
    let mut hashes = Vec::with_capacity(devices.len());
    for (client_code, device_code) in devices {
        let user = user_name(client_code, device_code);
        if !keys.devices.contains_key(&user) {
            keys.devices.insert(user.clone(), random_text()?);
            fresh = true;
        }
        let password = keys.devices.get(&user).context("the password was inserted above")?;
        hashes.push((client_code.to_owned(), device_code.to_owned(), PasswordHash::of(password)?));
    }
    if fresh {
        keys.save(home)?;
    }
    Ok(hashes)
}

/// A device's name at the broker.
pub(crate) fn user_name(client_code: &str, device_code: &str) -> String {
    format!("{client_code}.{device_code}")
}

/// Writes accounts and access list and starts the broker.
pub(crate) async fn start(home: &Home, keys: &Keys, port: u16, devices: &DeviceHashes) -> Result<Running> {
    let mut logins = vec![
        Login::bridge(PasswordHash::of(&keys.broker_bridge)?),
        Login::health(PasswordHash::of(&keys.broker_health)?),
    ];
    for (client_code, device_code, hash) in devices {
        logins.push(Login::device(client_code, device_code, hash.clone()));
    }
    tools::ensure_mosquitto()?;
    let broker = Broker::new(&home.broker(), port)?;
    broker.end_left_over()?;
    broker.write_logins(&logins)?;
    broker.start().await.context("starting the MQTT broker")
}

/// Ends a broker whose `up` was killed.
pub(crate) fn end_left_over(home: &Home) -> Result<()> {
    if home.broker().exists() { Broker::new(&home.broker(), 0)?.end_left_over() } else { Ok(()) }
}

/// Where the broker's files may be.
pub(crate) fn folders(home: &Home) -> Result<Vec<PathBuf>> {
    Ok(vec![Account::unprivileged("mosquitto")?.reachable(&home.broker())])
}
