//! Accounts of devices at the broker.

use domain::text::Code;
use domain::{ClientId, DeviceId};

use crate::{Error, Tx, queries, row};

/// The device behind an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAccount {
    /// The tenant.
    pub client_id: ClientId,
    /// The tenant's code, the first part of the device's topics.
    pub client_code: Code,
    /// The device.
    pub device_id: DeviceId,
    /// The device's code, the second part of its topics.
    pub device_code: Code,
    /// The password as Mosquitto keeps it.
    pub password_hash: String,
}

/// An account as the broker's files hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerFileAccount {
    /// The name it signs in with.
    pub username: String,
    /// The tenant's code.
    pub client_code: Code,
    /// The device's code.
    pub device_code: Code,
    /// The password as Mosquitto keeps it.
    pub password_hash: String,
}

row! { BrokerAccount { client_id, client_code, device_id, device_code, password_hash } }
row! { BrokerFileAccount { username, client_code, device_code, password_hash } }

queries! {
    /// The device behind an account, of any client; none when the device or its client was stopped.
    FIND: (String,) => BrokerAccount = "
        select client_id, client_code, device_id, device_code, password_hash
          from find_broker_account($1)";
    /// The accounts of every client after a name, as the owner.
    ACCOUNTS: (String, i64) => BrokerFileAccount = "
        select device.broker_username as username, client.code as client_code, device.code as device_code,
               device.broker_password_hash as password_hash
          from device
          join client on client.client_id = device.client_id
         where device.enabled
           and client.state = 'ACTIVE'
           and device.broker_username > $1
         order by device.broker_username
         limit $2";
    /// Gives a device another password, as the owner.
    SET_PASSWORD: (Code, Code, String) => () = "
        update device
           set broker_password_hash = $3
          from client
         where client.client_id = device.client_id
           and client.code = $1
           and device.code = $2";
    /// The name a device signs in with, as the owner.
    USERNAME: (Code, Code) => String = "
        select device.broker_username
          from device
          join client on client.client_id = device.client_id
         where client.code = $1
           and device.code = $2";
}

impl Tx {
    /// Finds the device behind an account.
    pub async fn find_broker_account(&self, username: &str) -> Result<Option<BrokerAccount>, Error> {
        self.opt(&FIND, (username,)).await
    }

    /// Reads accounts of every client after a name, in their order.
    pub async fn broker_accounts(&self, after: &str, limit: i64) -> Result<Vec<BrokerFileAccount>, Error> {
        self.all(&ACCOUNTS, (after, limit)).await
    }

    /// Gives a device another password; answers the name it signs in with, if there is such a device.
    pub async fn set_broker_password(
        &self,
        client: &Code,
        device: &Code,
        hash: &str,
    ) -> Result<Option<String>, Error> {
        self.execute(&SET_PASSWORD, (client, device, hash)).await?;
        self.opt(&USERNAME, (client, device)).await
    }
}
