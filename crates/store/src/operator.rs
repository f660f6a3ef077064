//! Who operates the installation.

use crate::mail::Recipient;
use crate::{Error, Tx, queries};

queries! {
    /// The client's people who may operate and can be mailed to.
    RECIPIENTS: () => Recipient = "
        select person.name, lower(person.email) as email, false as is_outside
          from person
          join person_capability on person_capability.client_id = person.client_id
                                and person_capability.person_id = person.id
                                and person_capability.capability = 'OPERATE'
          join client_capability on client_capability.client_id = person.client_id
                                and client_capability.capability = 'OPERATE'
         where person.enabled
           and person.email is not null
         order by person.id
         limit 100";
}

impl Tx {
    /// Lists the client's people who may operate and can be mailed to.
    pub async fn operators(&self) -> Result<Vec<Recipient>, Error> {
        self.all(&RECIPIENTS, ()).await
    }
}
