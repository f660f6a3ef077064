//! Founding a client with everything it owns.

use domain::sign_in::LoginName;
use domain::telemetry::AlarmRule;
use domain::text::Code;
use domain::{Actor, Capability, ClientId, CorrelationId, GroupId, PersonId, SiteId};
use serde_json::json;
use store::audit::AuditEntry;
pub use store::client::Client;
pub use store::device::NewDevice;
pub use store::escalation::NewEscalationRule;
pub use store::person::NewPerson;
pub use store::site::Site;
use store::{Store, Tx};

use crate::Error;

/// How somebody signs in.
#[derive(Clone)]
pub struct Login {
    /// The login name.
    pub name: LoginName,
    /// The hash of the password.
    pub password_hash: String,
}

/// A person with rights, places and perhaps a login.
#[derive(Clone)]
pub struct Member {
    /// The person.
    pub person: NewPerson,
    /// What the person may do.
    pub capabilities: Vec<Capability>,
    /// The sites the person sees, unless every site.
    pub sites: Vec<SiteId>,
    /// How the person signs in.
    pub login: Option<Login>,
}

/// A group and who is in it.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// Who is in it.
    pub members: Vec<PersonId>,
}

/// A client and everything it owns on its first day.
#[derive(Clone)]
pub struct Foundation {
    /// The client.
    pub client: Client,
    /// What the client has bought.
    pub capabilities: Vec<Capability>,
    /// Its sites.
    pub sites: Vec<Site>,
    /// Its people.
    pub members: Vec<Member>,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Its devices.
    pub devices: Vec<NewDevice>,
    /// The rules that watch its devices.
    pub alarm_rules: Vec<AlarmRule>,
    /// Who gets tickets nobody acted on.
    pub escalation_rules: Vec<NewEscalationRule>,
}

/// Founds a client. What is there already stays, except passwords, which become the given ones and end the
/// sessions of their people; answers whether the client is new.
///
/// # Errors
/// `already-exists` when a code or a login name is taken, and those of the store.
pub async fn found(store: &Store, foundation: &Foundation, cause: CorrelationId) -> Result<bool, Error> {
    let actor = Actor::process(foundation.client.client_id, cause);
    let founded = store.run_tx(&actor, "found_client", |tx| async move {
        let is_new = tx.insert_client(&foundation.client).await? > 0;
        tx.grant_client(&foundation.capabilities).await?;
        for site in &foundation.sites {
            tx.insert_site(site).await?;
        }
        for member in &foundation.members {
            add_member(&tx, member).await?;
        }
        for group in &foundation.groups {
            tx.insert_group(group.id, &group.code, &group.name).await?;
            tx.join_group(group.id, group.members.clone()).await?;
        }
        add_devices(&tx, foundation).await?;
        for rule in &foundation.escalation_rules {
            tx.insert_escalation_rule(rule).await?;
        }
        if is_new {
            tx.audit(&entry(foundation.client.client_id)).await?;
        }
        Ok::<bool, store::Error>(is_new)
    });
    Ok(founded.await?)
}

async fn add_member(tx: &Tx, member: &Member) -> Result<(), store::Error> {
    let id = member.person.id;
    tx.insert_person(&member.person).await?;
    tx.grant_person(id, &member.capabilities).await?;
    tx.admit_person(id, member.sites.clone()).await?;
    if let Some(login) = &member.login {
        tx.set_credential(id, &login.name, &login.password_hash).await?;
        tx.revoke_other_sessions(id, None).await?;
    }
    Ok(())
}

async fn add_devices(tx: &Tx, foundation: &Foundation) -> Result<(), store::Error> {
    for device in &foundation.devices {
        tx.insert_device(device).await?;
    }
    for rule in &foundation.alarm_rules {
        tx.insert_alarm_rule(rule).await?;
    }
    Ok(())
}

fn entry(client: ClientId) -> AuditEntry {
    AuditEntry {
        action: "client_founded",
        subject_kind: "client",
        subject_id: Some(*client.as_uuid()),
        detail: json!({}),
    }
}
