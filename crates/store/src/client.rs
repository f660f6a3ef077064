//! Clients: the tenants themselves and what they have bought.

use domain::text::Code;
use domain::{Capability, ClientId};

use crate::{Error, Tx, queries, row};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub client_id: ClientId,
    /// Its code, the first part of its devices' topics.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// The IANA time zone its people live in.
    pub time_zone: String,
    /// Whether its rows are demo data.
    pub demo: bool,
}

row! { Client { client_id, code, name, time_zone, demo } }

queries! {
    /// Every active client, from a transaction of no tenant.
    LIST_IDS: () => ClientId = "
        select list_client_ids()";
    /// The client of the transaction.
    GET: () => Client = "
        select client_id, code, name, time_zone, demo
          from client
         where client_id = current_client_id()";
    /// Every client, as the owner, who sees them all.
    LIST: () => Client = "
        select client_id, code, name, time_zone, demo
          from client
         order by code";
    /// Adds the client of the transaction; one that exists stays as it is.
    INSERT: (Code, String, String, bool) => () = "
        insert into client (client_id, code, name, time_zone, demo)
        values (current_client_id(), $1, $2, $3, $4)
        on conflict (client_id) do nothing";
    /// Gives the client capabilities; those it has stay.
    GRANT: (Vec<Capability>,) => () = "
        insert into client_capability (capability)
        select capability
          from unnest($1::text[]) as capability
        on conflict do nothing";
}

impl Tx {
    /// Lists the ids of all active clients, for work that goes tenant by tenant.
    pub async fn list_client_ids(&self) -> Result<Vec<ClientId>, Error> {
        self.all(&LIST_IDS, ()).await
    }

    /// Lists every client by code, for the owner of the schema.
    pub async fn list_clients(&self) -> Result<Vec<Client>, Error> {
        self.all(&LIST, ()).await
    }

    /// Reads the client of the transaction.
    pub async fn client(&self) -> Result<Option<Client>, Error> {
        self.opt(&GET, ()).await
    }

    /// Adds the client of the transaction, unless it exists.
    pub async fn insert_client(&self, client: &Client) -> Result<u64, Error> {
        self.execute(&INSERT, (&client.code, &client.name, &client.time_zone, client.demo)).await
    }

    /// Gives the client of the transaction capabilities.
    pub async fn grant_client(&self, capabilities: &[Capability]) -> Result<u64, Error> {
        self.execute(&GRANT, (capabilities.to_vec(),)).await
    }
}
