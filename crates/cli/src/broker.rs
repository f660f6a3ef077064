//! The broker of the running system, with an account for every device.

use std::path::PathBuf;

use anyhow::{Context, Result};
use domain::broker::{Access, Account as BrokerAccount};
use domain::text::Code;
use local::account::Account;
use local::mosquitto::{self, Broker, Login, PasswordHash, Running};

use crate::home::Home;
use crate::keys::{Keys, random_text};
use crate::tools;

/// The bridge's account.
pub(crate) const BRIDGE: &str = "bridge";

/// The health service's account.
pub(crate) const HEALTH: &str = "health";

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

/// An account as the broker's files hold it, with what it may do.
pub(crate) fn login(username: &str, account: &BrokerAccount, password: PasswordHash) -> Login {
    let access = account.grants().into_iter().map(|grant| match grant.access {
        Access::Read | Access::Subscribe => mosquitto::Access::Read(grant.filter),
        Access::Write => mosquitto::Access::Write(grant.filter),
    });
    Login { username: username.to_owned(), password, access: access.collect() }
}

/// Writes accounts and access list and starts the broker.
pub(crate) async fn start(home: &Home, keys: &Keys, port: u16, devices: &DeviceHashes) -> Result<Running> {
    let mut logins = vec![
        login(BRIDGE, &BrokerAccount::Bridge, PasswordHash::of(&keys.broker_bridge)?),
        login(HEALTH, &BrokerAccount::Health, PasswordHash::of(&keys.broker_health)?),
    ];
    for (client_code, device_code, hash) in devices {
        let account =
            BrokerAccount::Device { client: Code::parse(client_code)?, device: Code::parse(device_code)? };
        logins.push(login(&user_name(client_code, device_code), &account, hash.clone()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accounts_of_a_development_machine_may_what_the_rules_say() {
        let hash = PasswordHash::of("secret").unwrap();
        let code = |text| Code::parse(text).unwrap();
        let pump = BrokerAccount::Device { client: code("ACME"), device: code("PUMP-1") };
        for (ours, other) in [
            (login("ACME.PUMP-1", &pump, hash.clone()), Login::device("ACME", "PUMP-1", hash.clone())),
            (login(BRIDGE, &BrokerAccount::Bridge, hash.clone()), Login::bridge(hash.clone())),
            (login(HEALTH, &BrokerAccount::Health, hash.clone()), Login::health(hash)),
        ] {
            assert_eq!(ours, other);
        }
    }
}
