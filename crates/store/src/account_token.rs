//! What mailed links carry: shown once, used once.

use domain::account::TokenPurpose;
use domain::{AccountTokenId, ClientId, PersonId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// A mailed link that is still good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountToken {
    /// The tenant.
    pub client_id: ClientId,
    /// The person.
    pub person_id: PersonId,
    /// Its id.
    pub id: AccountTokenId,
    /// What it is for.
    pub purpose: TokenPurpose,
    /// Where it was mailed.
    pub email: String,
}

/// A link to be mailed. Only the token's hash is stored.
#[derive(Clone, Debug)]
pub struct NewAccountToken {
    /// Its id.
    pub id: AccountTokenId,
    /// Whose it is.
    pub person_id: PersonId,
    /// What it is for.
    pub purpose: TokenPurpose,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Where it is mailed.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Whom a login name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryRecipient {
    /// The tenant.
    pub client_id: ClientId,
    /// The person.
    pub person_id: PersonId,
}

/// Whom mail about an account goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The person's name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The client's name.
    pub client_name: String,
}

row! { AccountToken { client_id, person_id, id, purpose, email } }
row! { RecoveryRecipient { client_id, person_id } }
row! { Addressee { name, email, client_name } }

queries! {
    /// Keeps a link.
    INSERT: (AccountTokenId, PersonId, TokenPurpose, Vec<u8>, String, Timestamp, Timestamp) => () = "
        insert into account_token (id, person_id, purpose, token_hash, email, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    /// The link of a token, of any client.
    FIND: (Vec<u8>, Vec<TokenPurpose>) => AccountToken = "
        select client_id, person_id, id, purpose, email
          from find_account_token($1, $2)";
    /// Uses a link, once.
    USE: (AccountTokenId, Timestamp) => () = "
        update account_token
           set used_at = $2
         where id = $1
           and used_at is null
           and expires_at > now()";
    /// Voids the links of a person that were not used.
    VOID: (PersonId, Vec<TokenPurpose>, Timestamp) => () = "
        update account_token
           set used_at = $3
         where person_id = $1
           and purpose = any ($2)
           and used_at is null";
    /// Whom a login name stands for, of any client.
    RECIPIENT: (String,) => RecoveryRecipient = "
        select client_id, person_id
          from find_recovery_recipient($1)";
    /// Whom mail about an account goes to.
    ADDRESSEE: (PersonId,) => Addressee = "
        select person.name, person.email, client.name as client_name
          from person
          join client on client.client_id = person.client_id
         where person.id = $1
           and person.enabled
           and person.email is not null";
    /// Notes that an address was proven, unless it was changed since.
    VERIFY_EMAIL: (PersonId, String, Timestamp) => () = "
        update person
           set email_verified_at = $3
         where id = $1
           and email = $2";
    /// Removes what accounts keep for a time only, of every client; answers how many rows of the largest kind.
    CLEAN_UP: (i32, i32) => i64 = "
        select clean_up_accounts($1, $2)";
}

impl Tx {
    /// Keeps a link.
    pub async fn insert_account_token(&self, token: &NewAccountToken) -> Result<(), Error> {
        let columns = (
            token.id,
            token.person_id,
            token.purpose,
            token.token_hash.as_slice(),
            &token.email,
            token.created_at,
            token.expires_at,
        );
        self.execute_one(&INSERT, columns).await
    }

    /// Finds the link of a token, if it is still good for one of the purposes.
    pub async fn find_account_token(
        &self,
        token_hash: &[u8; 32],
        purposes: &[TokenPurpose],
    ) -> Result<Option<AccountToken>, Error> {
        self.opt(&FIND, (token_hash.as_slice(), purposes.to_vec())).await
    }

    /// Uses a link; [`Error::Stale`] for all but the first who does.
    pub async fn use_account_token(&self, id: AccountTokenId, now: Timestamp) -> Result<(), Error> {
        self.execute_one(&USE, (id, now)).await
    }

    /// Voids the links of a person that were not used; answers how many.
    pub async fn void_account_tokens(
        &self,
        person: PersonId,
        purposes: &[TokenPurpose],
        now: Timestamp,
    ) -> Result<u64, Error> {
        self.execute(&VOID, (person, purposes.to_vec(), now)).await
    }

    /// Finds whom a login name stands for, if mail reaches them.
    pub async fn find_recovery_recipient(&self, login_key: &str) -> Result<Option<RecoveryRecipient>, Error> {
        self.opt(&RECIPIENT, (login_key,)).await
    }

    /// Reads whom mail about an account goes to.
    pub async fn account_addressee(&self, person: PersonId) -> Result<Option<Addressee>, Error> {
        self.opt(&ADDRESSEE, (person,)).await
    }

    /// Notes that an address was proven; answers whether it is still the person's.
    pub async fn verify_email(&self, person: PersonId, email: &str, now: Timestamp) -> Result<bool, Error> {
        Ok(self.execute(&VERIFY_EMAIL, (person, email, now)).await? > 0)
    }

    /// Removes what accounts keep for a time only.
    pub async fn clean_up_accounts(&self, days: i32, limit: i32) -> Result<i64, Error> {
        self.one(&CLEAN_UP, (days, limit)).await
    }
}
