//! Two demo tenants, always the same, made through the use cases. Seeding again adds nothing.
//!
//! They share what must not be confused: a site `HQ` of the same name, device codes, and two people of one name.

mod chance;
mod client;
mod names;
mod readings;
mod tickets;

use std::collections::BTreeMap;

use domain::CorrelationId;
use domain::sign_in::LoginName;
use jiff::Timestamp;
use store::Store;

use crate::password::{self, Parameters};
use crate::tenant::{self, Foundation};
use crate::{Error, escalation};
use client::{CLIENTS, DEVICES, DemoClient, LOGINS};

/// Passwords the demo tenants get.
#[derive(Clone)]
pub struct Passwords {
    /// The password of everybody who may sign in.
    pub people: String,
    /// The broker's hash by device, as `CLIENT.DEVICE`. A device without one cannot connect.
    pub devices: BTreeMap<String, String>,
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The login name.
    pub login: String,
    /// The person's name.
    pub person_name: &'static str,
    /// The client's name.
    pub client_name: &'static str,
    /// What the person does.
    pub what: &'static str,
}

/// What the demo tenants own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Tenants.
    pub clients: usize,
    /// People.
    pub people: usize,
    /// Devices.
    pub devices: usize,
    /// Tickets of people.
    pub tickets: usize,
    /// Whether this call founded a tenant.
    pub created: bool,
}

/// Everybody who may sign in.
pub fn logins() -> Vec<Login> {
    let of = |client: &'static DemoClient| {
        LOGINS.iter().zip(client.login_names).map(move |(role, person_name)| Login {
            login: format!("{}.{}", role.what, client.handle),
            person_name,
            client_name: client.name,
            what: role.what,
        })
    };
    CLIENTS.iter().flat_map(of).collect()
}

/// Client code and device code of every device.
pub fn devices() -> Vec<(&'static str, &'static str)> {
    CLIENTS.iter().flat_map(|client| DEVICES.iter().map(move |device| (client.code, device.code))).collect()
}

/// Makes the demo tenants as of a time, over a connection of the tables' owner.
///
/// # Errors
/// Those of the store and of hashing.
pub async fn seed(store: &Store, passwords: &Passwords, anchor: Timestamp) -> Result<Report, Error> {
    let cause = CorrelationId::generate();
    let mut report = Report::default();
    for client in CLIENTS {
        let foundation = client::foundation(client, passwords, hashes(client, passwords)?);
        report.created |= tenant::found(store, &foundation, cause).await?;
        report.clients += 1;
        report.people += foundation.members.len();
        report.devices += foundation.devices.len();
        report.tickets += tickets::raise(store, client, &foundation, anchor).await?;
        escalate(store, &foundation, cause, anchor).await?;
    }
    readings::record(store, anchor).await?;
    Ok(report)
}

/// A hash for each login of a client: the same password, salted anew.
fn hashes(client: &DemoClient, passwords: &Passwords) -> Result<Vec<(LoginName, String)>, Error> {
    LOGINS
        .iter()
        .zip(client.login_names)
        .map(|(role, _name)| {
            let hash = password::hash(&Parameters::default(), &passwords.people)?;
            Ok((client.login(role), hash))
        })
        .collect()
}

/// Escalates once what is overdue, so that levels show from the first minute.
async fn escalate(
    store: &Store,
    foundation: &Foundation,
    cause: CorrelationId,
    anchor: Timestamp,
) -> Result<(), Error> {
    let actor = domain::Actor::process(foundation.client.client_id, cause);
    while escalation::escalate(store, &actor, anchor, ESCALATION_BATCH).await?.escalated
        == usize::from(ESCALATION_BATCH)
    {}
    Ok(())
}

const ESCALATION_BATCH: u16 = 100;
