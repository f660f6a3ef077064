//! Where a client's handsets may be, and which.

use std::collections::BTreeSet;

use domain::account::Imei;
use domain::security::SecurityEventKind;
use domain::{Actor, Capability, FieldError};
use jiff::Timestamp;
use serde_json::json;
use store::Store;
use store::audit::AuditEntry;
use store::security_event::NewSecurityEvent;

use crate::key::network;
use crate::right::require;
use crate::{AccountError, Error};

/// Networks of a client.
const NETWORKS_MAX: usize = 100;

/// Handsets of a client.
const IMEIS_MAX: usize = 10_000;

/// Mistakes that are named at once.
const MISTAKES_MAX: usize = 20;

/// What a client allows; an empty list allows all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandsetRules {
    /// Networks (CIDR) handsets may come from.
    pub networks: Vec<String>,
    /// Numbers of the handsets that may sign in.
    pub imeis: Vec<Imei>,
}

impl HandsetRules {
    /// Reads what an administrator typed, or every mistake in it.
    ///
    /// # Errors
    /// `invalid-account` names each line that is none.
    pub fn parse(networks: &[String], imeis: &[String]) -> Result<Self, Error> {
        let mut mistakes = Vec::new();
        for (pointer, count, most) in
            [("/networks", networks.len(), NETWORKS_MAX), ("/imeis", imeis.len(), IMEIS_MAX)]
        {
            if count > most {
                mistakes.push(FieldError::new(pointer, format!("name at most {most}")));
            }
        }
        let mut kept = (BTreeSet::new(), BTreeSet::new());
        for (index, text) in networks.iter().enumerate().take(NETWORKS_MAX) {
            if let Some(network) = network(text) {
                kept.0.insert(network);
            } else {
                let example = "write a network such as 192.0.2.0/24 or 2001:db8::/32";
                mistakes.push(FieldError::new(format!("/networks/{index}"), example));
            }
        }
        for (index, text) in imeis.iter().enumerate().take(IMEIS_MAX) {
            match Imei::parse(text) {
                Ok(imei) => drop(kept.1.insert(imei)),
                Err(wrong) => {
                    mistakes.push(FieldError::new(format!("/imeis/{index}"), wrong.to_string()));
                }
            }
        }
        mistakes.truncate(MISTAKES_MAX);
        if mistakes.is_empty() {
            Ok(Self { networks: kept.0.into_iter().collect(), imeis: kept.1.into_iter().collect() })
        } else {
            Err(AccountError::InvalidAccount(mistakes).into())
        }
    }
}

/// Reads what the actor's client allows.
///
/// # Errors
/// `forbidden`, and those of the store.
pub async fn get(store: &Store, actor: &Actor) -> Result<HandsetRules, Error> {
    require(actor, Capability::Admin)?;
    let rules = store.read(actor, "get_handset_rules", |tx| async move { tx.handset_rules().await });
    let (networks, imeis) = rules.await.map_err(|error: store::Error| error)?;
    Ok(HandsetRules { networks, imeis })
}

/// Allows what the rules name, and nothing else. Handsets elsewhere are out with their next request, others at their next
/// refresh.
///
/// # Errors
/// `forbidden`, and those of the store.
pub async fn set(store: &Store, actor: &Actor, rules: &HandsetRules, now: Timestamp) -> Result<(), Error> {
    require(actor, Capability::Admin)?;
    let detail = json!({ "networks": rules.networks, "imeis": rules.imeis.len() });
    let mut event = NewSecurityEvent::new(SecurityEventKind::RightsChanged, now, actor.correlation_id);
    event.person_id = actor.person_id;
    event.detail = json!({ "what": "handset rules" });
    let (detail, event) = (&detail, &event);
    store
        .run_tx(actor, "set_handset_rules", |tx| async move {
            tx.set_handset_rules(&rules.networks, &rules.imeis).await?;
            tx.audit(&AuditEntry {
                action: "handset_rules_changed",
                subject_kind: "client",
                subject_id: Some(*actor.client_id.as_uuid()),
                detail: detail.clone(),
            })
            .await?;
            tx.record_security_events(std::slice::from_ref(event)).await?;
            Ok::<(), store::Error>(())
        })
        .await?;
    Ok(())
}
