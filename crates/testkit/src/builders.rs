//! Clients, sites, groups and people, with valid defaults.

use std::borrow::Borrow;
use std::pin::Pin;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use domain::{Capability, ClientId, GroupId, PersonId, SiteId};

use crate::database::Database;

impl Database {
    /// A client that has bought everything.
    pub async fn client(&self, code: &str) -> ClientId {
        let id = ClientId::generate();
        let sql = "insert into client (client_id, code, name) values ($1, $2, $3)";
        self.insert(sql, &[&id, &code, &format!("{code} Ltd")]).await;
        let sql = "insert into client_capability (client_id, capability) select $1, unnest($2::text[])";
        self.insert(sql, &[&id, &Capability::ALL]).await;
        id
    }

    /// A site of a client.
    pub async fn site(&self, client: impl Borrow<ClientId>, code: &str) -> SiteId {
        let id = SiteId::generate();
        let sql = "insert into site (client_id, id, code, name) values ($1, $2, $3, $4)";
        self.insert(sql, &[client.borrow(), &id, &code, &format!("Site {code}")]).await;
        id
    }

    /// A group of people.
    pub async fn group(&self, client: impl Borrow<ClientId>, code: &str) -> GroupId {
        let id = GroupId::generate();
        let sql = "insert into person_group (client_id, id, code, name) values ($1, $2, $3, $4)";
        self.insert(sql, &[client.borrow(), &id, &code, &format!("Group {code}")]).await;
        id
    }

    /// A person who may do everything, everywhere, and cannot sign in; await it, or say more first.
    pub fn person(&self, client: impl Borrow<ClientId>, code: &str) -> PersonBuilder<'_> {
        PersonBuilder {
            db: self,
            client: *client.borrow(),
            code: code.to_owned(),
            name: code.to_owned(),
            email: None,
            login: None,
            capabilities: Capability::ALL.to_vec(),
            sites: None,
            groups: Vec::new(),
        }
    }
}

/// Describes a person; awaiting it inserts the person.
#[must_use = "await it"]
pub struct PersonBuilder<'a> {
    db: &'a Database,
    client: ClientId,
    code: String,
    name: String,
    email: Option<String>,
    login: Option<(String, String)>,
    capabilities: Vec<Capability>,
    sites: Option<Vec<SiteId>>,
    groups: Vec<GroupId>,
}

impl PersonBuilder<'_> {
    /// Names the person.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Gives a mail address.
    pub fn email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }

    /// Lets the person sign in.
    pub fn login(mut self, login: &str, password: &str) -> Self {
        self.login = Some((login.to_owned(), password.to_owned()));
        self
    }

    /// Gives only these capabilities.
    pub fn capabilities(mut self, capabilities: &[Capability]) -> Self {
        self.capabilities = capabilities.to_vec();
        self
    }

    /// Shows only these sites.
    pub fn sites(mut self, sites: &[SiteId]) -> Self {
        self.sites = Some(sites.to_vec());
        self
    }

    /// Makes the person a member of a group.
    pub fn group(mut self, group: GroupId) -> Self {
        self.groups.push(group);
        self
    }

    async fn insert(self) -> PersonId {
        let (db, client, id) = (self.db, self.client, PersonId::generate());
        let all_sites = self.sites.is_none();
        let sites: Vec<SiteId> = self.sites.into_iter().flatten().collect();
        let sql = "insert into person (client_id, id, code, name, email, all_sites) values ($1, $2, $3, $4, $5, $6)";
        db.insert(sql, &[&client, &id, &self.code, &self.name, &self.email, &all_sites]).await;
        let sql = "insert into person_site (client_id, person_id, site_id) select $1, $2, unnest($3::uuid[])";
        db.insert(sql, &[&client, &id, &sites]).await;
        let sql = "insert into person_capability (client_id, person_id, capability) select $1, $2, unnest($3::text[])";
        db.insert(sql, &[&client, &id, &self.capabilities]).await;
        let sql = "insert into person_group_member (client_id, group_id, person_id) select $1, unnest($2::uuid[]), $3";
        db.insert(sql, &[&client, &self.groups, &id]).await;
        if let Some((login, password)) = self.login {
            let sql =
                "insert into credential (client_id, person_id, login, password_hash) values ($1, $2, $3, $4)";
            db.insert(sql, &[&client, &id, &login, &hash(&password)]).await;
        }
        id
    }
}

impl<'a> IntoFuture for PersonBuilder<'a> {
    type Output = PersonId;
    type IntoFuture = Pin<Box<dyn Future<Output = PersonId> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.insert())
    }
}

/// The hash of a password with the parameters services use by default, so that signing in does not hash again.
fn hash(password: &str) -> String {
    let params = Params::new(19_456, 2, 1, None).expect("parameters within argon2's limits");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(password.as_bytes()).expect("a hash").to_string()
}
