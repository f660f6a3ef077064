//! Browsers somebody signed in with before: their attempts are counted apart from those of strangers.

use domain::{HandsetId, KnownDeviceId, PersonId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// Its id.
    pub id: KnownDeviceId,
    /// The browser's words about itself.
    pub user_agent: String,
    /// When it was first known.
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    pub used_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// A browser to be known from here on. Only the token's hash is stored.
#[derive(Clone, Debug)]
pub struct NewKnownDevice {
    /// Its id.
    pub id: KnownDeviceId,
    /// Whose it is.
    pub person_id: PersonId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// The browser's words about itself, shortened.
    pub user_agent: String,
    /// When it is first known.
    pub created_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// The handset somebody works with, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnHandset {
    /// Its id.
    pub id: HandsetId,
    /// Its make.
    pub model: String,
    /// Since when it is bound to the person.
    pub bound_at: Timestamp,
    /// When it last had new tokens.
    pub used_at: Timestamp,
}

row! { OwnHandset { id, model, bound_at, used_at } }
row! { KnownDevice { id, user_agent, created_at, used_at, expires_at } }

queries! {
    /// Knows a browser.
    INSERT: (KnownDeviceId, PersonId, Vec<u8>, String, Timestamp, Timestamp) => () = "
        insert into known_device (id, person_id, token_hash, user_agent, created_at, used_at, expires_at)
        values ($1, $2, $3, $4, $5, $5, $6)";
    /// Notes that a person signed in with a browser, and under which token it is known from here on.
    TOUCH: (Vec<u8>, Vec<u8>, PersonId, Timestamp, Timestamp) => () = "
        update known_device
           set token_hash = $2, used_at = $4, expires_at = $5
         where token_hash = $1
           and person_id = $3
           and expires_at > now()";
    /// A person's browsers, the latest first.
    LIST: (PersonId, i64) => KnownDevice = "
        select id, user_agent, created_at, used_at, expires_at
          from known_device
         where person_id = $1
           and expires_at > now()
         order by used_at desc, id
         limit $2";
    /// The handset a person works with.
    HANDSET: (PersonId,) => OwnHandset = "
        select id, model, bound_at, used_at
          from handset
         where person_id = $1
           and released_at is null";
    /// Forgets a person's browser.
    DELETE: (KnownDeviceId, PersonId) => () = "
        delete from known_device
         where id = $1
           and person_id = $2";
    /// Forgets a person's browsers.
    DROP_ALL: (PersonId,) => () = "
        delete from known_device
         where person_id = $1";
    /// Forgets all of a person's browsers but the latest.
    DROP_SURPLUS: (PersonId, i64) => () = "
        delete from known_device
         where person_id = $1
           and id not in (select latest.id
                            from known_device as latest
                           where latest.person_id = $1
                           order by latest.used_at desc, latest.id
                           limit $2)";
}

impl Tx {
    /// Knows a browser from here on.
    pub async fn insert_known_device(&self, device: &NewKnownDevice) -> Result<(), Error> {
        let columns = (
            device.id,
            device.person_id,
            device.token_hash.as_slice(),
            &device.user_agent,
            device.created_at,
            device.expires_at,
        );
        self.execute_one(&INSERT, columns).await
    }

    /// Notes that a person signed in with a browser that was known under a token, and is from here on known under that of
    /// `device`; answers whether it was known to be theirs.
    pub async fn touch_known_device(
        &self,
        known_hash: &[u8; 32],
        device: &NewKnownDevice,
    ) -> Result<bool, Error> {
        let next = device.token_hash.as_slice();
        let columns = (known_hash.as_slice(), next, device.person_id, device.created_at, device.expires_at);
        Ok(self.execute(&TOUCH, columns).await? > 0)
    }

    /// Lists a person's browsers, the latest first.
    pub async fn list_known_devices(&self, person: PersonId, limit: i64) -> Result<Vec<KnownDevice>, Error> {
        self.all(&LIST, (person, limit)).await
    }

    /// Reads the handset a person works with.
    pub async fn own_handset(&self, person: PersonId) -> Result<Option<OwnHandset>, Error> {
        self.opt(&HANDSET, (person,)).await
    }

    /// Forgets a person's browser; answers whether it was known.
    pub async fn delete_known_device(&self, id: KnownDeviceId, person: PersonId) -> Result<bool, Error> {
        Ok(self.execute(&DELETE, (id, person)).await? > 0)
    }

    /// Forgets a person's browsers; answers how many.
    pub async fn drop_known_devices(&self, person: PersonId) -> Result<u64, Error> {
        self.execute(&DROP_ALL, (person,)).await
    }

    /// Forgets all of a person's browsers but the latest; answers how many.
    pub async fn drop_surplus_devices(&self, person: PersonId, kept: i64) -> Result<u64, Error> {
        self.execute(&DROP_SURPLUS, (person, kept)).await
    }
}
