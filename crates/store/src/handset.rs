//! Handsets: whom one is bound to, which may be used where, and their sessions.

use std::net::IpAddr;

use domain::account::{DeviceKey, Imei};
use domain::text::Code;
use domain::{HandsetId, PersonId, SessionId};

use crate::{Error, Tx, queries, row};

/// What decides whether a person may work with a handset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandsetTerms {
    /// The client's code.
    pub client_code: Code,
    /// Whether the person sees any site.
    pub has_site: bool,
    /// Whether the client allows the network the handset is in.
    pub is_network_allowed: bool,
    /// Whether the client allows the handset itself.
    pub is_imei_allowed: bool,
}

/// The handset a person works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundHandset {
    /// Its id.
    pub id: HandsetId,
    /// What it calls itself.
    pub device_key: DeviceKey,
}

/// A handset as it presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedHandset {
    /// What it calls itself.
    pub device_key: DeviceKey,
    /// The number of its radio.
    pub imei: Option<Imei>,
    /// Its make.
    pub model: String,
}

row! { HandsetTerms { client_code, has_site, is_network_allowed, is_imei_allowed } }
row! { BoundHandset { id, device_key } }

queries! {
    /// What decides whether a person may work with a handset of that number in that network. An empty list allows all.
    TERMS: (PersonId, IpAddr, Option<Imei>) => HandsetTerms = "
        select client.code as client_code,
               coalesce(person.all_sites, false) or exists (
                   select from person_site
                    where person_site.client_id = person.client_id and person_site.person_id = person.id) as has_site,
               not exists (select from client_network where client_network.client_id = person.client_id)
               or exists (select from client_network
                           where client_network.client_id = person.client_id and client_network.network >>= $2)
                   as is_network_allowed,
               not exists (select from client_imei where client_imei.client_id = person.client_id)
               or exists (select from client_imei
                           where client_imei.client_id = person.client_id and client_imei.imei = $3) as is_imei_allowed
          from person
          join client on client.client_id = person.client_id
         where person.id = $1";
    /// The networks the client's handsets may come from.
    NETWORKS: () => (String,) = "
        select coalesce(network::text, '') as network
          from client_network
         order by client_network.network";
    /// The numbers of the client's handsets that may sign in.
    IMEIS: () => (Imei,) = "
        select imei
          from client_imei
         order by imei";
    /// Forgets the networks.
    CLEAR_NETWORKS: () => () = "
        delete from client_network
         where client_id = current_client_id()";
    /// Forgets the numbers.
    CLEAR_IMEIS: () => () = "
        delete from client_imei
         where client_id = current_client_id()";
    /// Adds networks.
    ADD_NETWORKS: (Vec<String>,) => () = "
        insert into client_network (network)
        select network::cidr
          from unnest($1::text[]) as network";
    /// Adds numbers.
    ADD_IMEIS: (Vec<Imei>,) => () = "
        insert into client_imei (imei)
        select imei
          from unnest($1::text[]) as imei";
    /// Tells who keeps identities of the client's people that they carry other networks.
    TELL: () => () = "
        select pg_notify('rights_changed', current_client_id()::text)";
    /// The number of the handset a session belongs to.
    IMEI: (HandsetId,) => (Option<Imei>,) = "
        select imei
          from handset
         where id = $1";
    /// The handset a person works with.
    BOUND: (PersonId,) => BoundHandset = "
        select id, device_key
          from handset
         where person_id = $1
           and released_at is null";
    /// Binds a handset to a person.
    BIND: (HandsetId, PersonId, DeviceKey, Option<Imei>, String) => () = "
        insert into handset (id, person_id, device_key, imei, model)
        values ($1, $2, $3, $4, $5)";
    /// Notes that a bound handset is used, and what it says of itself.
    USE: (HandsetId, Option<Imei>, String) => () = "
        update handset
           set used_at = now(), imei = $2, model = $3
         where id = $1";
    /// Releases a person's handset.
    RELEASE: (HandsetId, PersonId) => () = "
        update handset
           set released_at = now()
         where id = $1
           and person_id = $2
           and released_at is null";
    /// Ends every session of a person's handset.
    END_SESSIONS: (PersonId, HandsetId) => () = "
        update session
           set revoked_at = now()
         where person_id = $1
           and handset_id = $2
           and revoked_at is null";
    /// The handset of a person's session, if it is one of a handset.
    OF_SESSION: (SessionId, PersonId) => (Option<HandsetId>,) = "
        select handset_id
          from session
         where id = $1
           and person_id = $2";
}

impl Tx {
    /// Reads what decides whether a person may work with a handset.
    pub async fn handset_terms(
        &self,
        person: PersonId,
        address: IpAddr,
        imei: Option<&Imei>,
    ) -> Result<HandsetTerms, Error> {
        self.one(&TERMS, (person, address, imei)).await
    }

    /// Reads the networks and numbers the client allows; none means any.
    pub async fn handset_rules(&self) -> Result<(Vec<String>, Vec<Imei>), Error> {
        let networks = self.all(&NETWORKS, ()).await?.into_iter().map(|(network,)| network);
        let imeis = self.all(&IMEIS, ()).await?.into_iter().map(|(imei,)| imei);
        Ok((networks.collect(), imeis.collect()))
    }

    /// Allows these networks and numbers and no others, and tells who keeps identities.
    pub async fn set_handset_rules(&self, networks: &[String], imeis: &[Imei]) -> Result<(), Error> {
        self.execute(&CLEAR_NETWORKS, ()).await?;
        self.execute(&CLEAR_IMEIS, ()).await?;
        self.execute(&ADD_NETWORKS, (networks,)).await?;
        self.execute(&ADD_IMEIS, (imeis.to_vec(),)).await?;
        self.execute(&TELL, ()).await?;
        Ok(())
    }

    /// Reads the number of a handset.
    pub async fn handset_imei(&self, handset: HandsetId) -> Result<Option<Imei>, Error> {
        let (imei,) = self.one(&IMEI, (handset,)).await?;
        Ok(imei)
    }

    /// Reads the handset a person works with.
    pub async fn bound_handset(&self, person: PersonId) -> Result<Option<BoundHandset>, Error> {
        self.opt(&BOUND, (person,)).await
    }

    /// Binds a handset to a person; breaks `handset_bound_key` when one is bound.
    pub async fn bind_handset(
        &self,
        id: HandsetId,
        person: PersonId,
        handset: &PresentedHandset,
    ) -> Result<(), Error> {
        let columns = (id, person, &handset.device_key, handset.imei.as_ref(), &handset.model);
        self.execute_one(&BIND, columns).await
    }

    /// Notes that a bound handset is used.
    pub async fn use_handset(&self, id: HandsetId, handset: &PresentedHandset) -> Result<(), Error> {
        self.execute_one(&USE, (id, handset.imei.as_ref(), &handset.model)).await
    }

    /// Releases a person's handset; answers how many were bound.
    pub async fn release_handset(&self, id: HandsetId, person: PersonId) -> Result<u64, Error> {
        self.execute(&RELEASE, (id, person)).await
    }

    /// Ends every session of a person's handset; answers how many ended.
    pub async fn end_handset_sessions(&self, person: PersonId, handset: HandsetId) -> Result<u64, Error> {
        self.execute(&END_SESSIONS, (person, handset)).await
    }

    /// Reads the handset of a person's session.
    pub async fn handset_of_session(
        &self,
        session: SessionId,
        person: PersonId,
    ) -> Result<Option<HandsetId>, Error> {
        Ok(self.opt(&OF_SESSION, (session, person)).await?.and_then(|(handset,)| handset))
    }
}
