//! People and groups, as administrators see and change them.

use domain::text::Code;
use domain::{Capability, GroupId, PersonId, SiteId};
use jiff::Timestamp;

use crate::{Error, Tx, queries, row};

/// One person of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The person.
    pub id: PersonId,
    /// Their code.
    pub code: Code,
    /// Their name.
    pub name: String,
    /// Their login name.
    pub login: Option<String>,
    /// Whether they may sign in.
    pub enabled: bool,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The person.
    pub id: PersonId,
    /// Their code.
    pub code: Code,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: Option<String>,
    /// When the address was proven.
    pub email_verified_at: Option<Timestamp>,
    /// Their login name.
    pub login: Option<String>,
    /// Whether they may sign in.
    pub enabled: bool,
    /// Whether they see every site.
    pub all_sites: bool,
    /// What was given to them.
    pub capabilities: Vec<Capability>,
    /// What they may do in effect.
    pub effective_capabilities: Vec<Capability>,
    /// The sites they see, when not all.
    pub sites: Vec<SiteId>,
    /// Their groups.
    pub groups: Vec<GroupId>,
    /// Whether they have an authenticator or a passkey.
    pub has_second_factor: bool,
}

/// What of a person is changed; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// Their name.
    pub name: Option<String>,
    /// Their address, which is to be proven anew; an empty text removes it.
    pub email: Option<String>,
    /// Whether they may sign in.
    pub enabled: Option<bool>,
}

/// A group with what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// The group.
    pub id: GroupId,
    /// Its code.
    pub code: Code,
    /// Its name.
    pub name: String,
    /// How many people are in it.
    pub members: i64,
    /// What it gives them.
    pub capabilities: Vec<Capability>,
}

row! { UserRow { id, code, name, login, enabled } }
row! {
    User {
        id, code, name, email, email_verified_at, login, enabled, all_sites, capabilities, effective_capabilities,
        sites, groups, has_second_factor,
    }
}
row! { GroupRow { id, code, name, members, capabilities } }

queries! {
    /// Waits until nobody else changes rights of the client, so that what is read from here on stays true.
    TAKE_TURN: () => () = "
        select
          from pg_advisory_xact_lock(7016501, hashtext(current_client_id()::text))";
    /// People after a code, by code; with a pattern in name, code or login, or all.
    LIST: (String, Option<String>, i64) => UserRow = "
        select person.id, person.code, person.name, credential.login, person.enabled
          from person
          left join credential on credential.client_id = person.client_id and credential.person_id = person.id
         where person.client_id = current_client_id()
           and person.code > $1
           and ($2::text is null or person.name ilike $2 or person.code ilike $2 or credential.login ilike $2)
         order by person.code
         limit $3";
    /// One person.
    GET: (PersonId,) => User = "
        select person.id, person.code, person.name, person.email, person.email_verified_at, credential.login,
               person.enabled, person.all_sites,
               array(select given.capability
                       from person_capability as given
                      where given.client_id = person.client_id and given.person_id = person.id
                      order by given.capability) as capabilities,
               array(select bought.capability
                       from client_capability as bought
                      where bought.client_id = person.client_id
                        and (exists (select from person_capability as given
                                      where given.client_id = person.client_id and given.person_id = person.id
                                        and given.capability = bought.capability)
                             or exists (select from person_group_member as member
                                          join group_capability as given on given.client_id = member.client_id
                                                                        and given.group_id = member.group_id
                                         where member.client_id = person.client_id
                                           and member.person_id = person.id
                                           and given.capability = bought.capability))
                      order by bought.capability) as effective_capabilities,
               array(select person_site.site_id
                       from person_site
                      where person_site.client_id = person.client_id and person_site.person_id = person.id
                      order by person_site.site_id) as sites,
               array(select member.group_id
                       from person_group_member as member
                      where member.client_id = person.client_id and member.person_id = person.id
                      order by member.group_id) as groups,
               (exists (select from totp
                         where totp.client_id = person.client_id and totp.person_id = person.id
                           and totp.confirmed_at is not null)
                or exists (select from passkey
                            where passkey.client_id = person.client_id and passkey.person_id = person.id))
                   as has_second_factor
          from person
          left join credential on credential.client_id = person.client_id and credential.person_id = person.id
         where person.id = $1";
    /// Changes a person; an address that changes is to be proven anew.
    CHANGE: (PersonId, Option<String>, Option<String>, Option<bool>) => () = "
        update person
           set name = coalesce($2, name),
               email = case when $3::text is null then email else nullif($3, '') end,
               email_verified_at = case when $3::text is null or nullif($3, '') = email then email_verified_at end,
               enabled = coalesce($4, enabled)
         where id = $1";
    /// Whether a person sees every site.
    SEE_ALL: (PersonId, bool) => () = "
        update person
           set all_sites = $2
         where id = $1";
    /// Takes sites from a person, but those to be kept.
    LEAVE_SITES: (PersonId, Vec<SiteId>) => () = "
        delete from person_site
         where person_id = $1
           and site_id <> all ($2)";
    /// Takes capabilities from a person, but those to be kept and those no client hands out.
    TAKE_PERSON: (PersonId, Vec<Capability>) => () = "
        delete from person_capability
         where person_id = $1
           and capability <> all ($2::text[])
           and capability not in ('OPERATE', 'SUPPORT')";
    /// Takes a person out of groups, but those to be kept.
    LEAVE_GROUPS: (PersonId, Vec<GroupId>) => () = "
        delete from person_group_member
         where person_id = $1
           and group_id <> all ($2)";
    /// Makes a person a member of groups.
    JOIN_GROUPS: (PersonId, Vec<GroupId>) => () = "
        insert into person_group_member (group_id, person_id)
        select group_id, $1
          from unnest($2::uuid[]) as group_id
        on conflict do nothing";
    /// Groups by code.
    GROUPS: (i64,) => GroupRow = "
        select person_group.id, person_group.code, person_group.name,
               (select count(*)
                  from person_group_member as member
                 where member.client_id = person_group.client_id and member.group_id = person_group.id) as members,
               array(select given.capability
                       from group_capability as given
                      where given.client_id = person_group.client_id and given.group_id = person_group.id
                      order by given.capability) as capabilities
          from person_group
         order by person_group.code
         limit $1";
    /// Takes capabilities from a group, but those to be kept.
    TAKE_GROUP: (GroupId, Vec<Capability>) => () = "
        delete from group_capability
         where group_id = $1
           and capability <> all ($2::text[])";
    /// Gives a group capabilities.
    GIVE_GROUP: (GroupId, Vec<Capability>) => () = "
        insert into group_capability (group_id, capability)
        select $1, capability
          from unnest($2::text[]) as capability
        on conflict do nothing";
    /// What the client has bought.
    BOUGHT: () => Capability = "
        select capability
          from client_capability
         where client_id = current_client_id()
         order by capability";
    /// How many people can sign in and may administer the client.
    ADMINISTRATORS: () => i64 = "
        select count(*)
          from person
          join credential on credential.client_id = person.client_id and credential.person_id = person.id
         where person.client_id = current_client_id()
           and person.enabled
           and exists (select from client_capability as bought
                        where bought.client_id = person.client_id and bought.capability = 'ADMIN')
           and (exists (select from person_capability as given
                         where given.client_id = person.client_id and given.person_id = person.id
                           and given.capability = 'ADMIN')
                or exists (select from person_group_member as member
                             join group_capability as given on given.client_id = member.client_id
                                                           and given.group_id = member.group_id
                            where member.client_id = person.client_id and member.person_id = person.id
                              and given.capability = 'ADMIN'))";
    /// Forgets what is counted against somebody's sign-in.
    UNLOCK: (PersonId,) => i32 = "
        select unlock_person($1)";
    /// Takes capabilities from the client, as the owner.
    TAKE_CLIENT: (Vec<Capability>,) => () = "
        delete from client_capability
         where client_id = current_client_id()
           and capability = any ($1::text[])";
    /// Takes capabilities from a person, whichever they are, as the owner.
    TAKE_AWAY: (PersonId, Vec<Capability>) => () = "
        delete from person_capability
         where client_id = current_client_id()
           and person_id = $1
           and capability = any ($2::text[])";
    /// The person with a code.
    BY_CODE: (Code,) => PersonId = "
        select id
          from person
         where client_id = current_client_id()
           and code = $1";
}

impl Tx {
    /// Waits until nobody else changes rights of the client. For transactions that wait their turn.
    pub async fn take_turn_at_rights(&self) -> Result<(), Error> {
        self.execute_one(&TAKE_TURN, ()).await
    }

    /// Lists people after a code, by code; `pattern` is one of `ilike`.
    pub async fn list_users(
        &self,
        after: &str,
        pattern: Option<&str>,
        limit: i64,
    ) -> Result<Vec<UserRow>, Error> {
        self.all(&LIST, (after, pattern, limit)).await
    }

    /// Reads a person, if the client has them.
    pub async fn user(&self, id: PersonId) -> Result<Option<User>, Error> {
        self.opt(&GET, (id,)).await
    }

    /// Changes a person; [`Error::Stale`] when the client has no such.
    pub async fn change_user(&self, id: PersonId, change: &UserChange) -> Result<(), Error> {
        self.execute_one(&CHANGE, (id, change.name.as_ref(), change.email.as_ref(), change.enabled)).await
    }

    /// Sets which sites a person sees: every site for `None`.
    pub async fn set_sites(&self, id: PersonId, sites: Option<&[SiteId]>) -> Result<(), Error> {
        self.execute_one(&SEE_ALL, (id, sites.is_none())).await?;
        let kept = sites.unwrap_or_default().to_vec();
        self.execute(&LEAVE_SITES, (id, kept.clone())).await?;
        self.admit_person(id, kept).await?;
        Ok(())
    }

    /// Sets what is given to a person, but what no client hands out.
    pub async fn set_capabilities(&self, id: PersonId, capabilities: &[Capability]) -> Result<(), Error> {
        self.execute(&TAKE_PERSON, (id, capabilities.to_vec())).await?;
        self.grant_person(id, capabilities).await?;
        Ok(())
    }

    /// Sets the groups a person is in.
    pub async fn set_groups(&self, id: PersonId, groups: &[GroupId]) -> Result<(), Error> {
        self.execute(&LEAVE_GROUPS, (id, groups.to_vec())).await?;
        self.execute(&JOIN_GROUPS, (id, groups.to_vec())).await?;
        Ok(())
    }

    /// Lists the client's groups by code.
    pub async fn list_groups(&self, limit: i64) -> Result<Vec<GroupRow>, Error> {
        self.all(&GROUPS, (limit,)).await
    }

    /// Sets what a group gives.
    pub async fn set_group_capabilities(
        &self,
        id: GroupId,
        capabilities: &[Capability],
    ) -> Result<(), Error> {
        self.execute(&TAKE_GROUP, (id, capabilities.to_vec())).await?;
        self.execute(&GIVE_GROUP, (id, capabilities.to_vec())).await?;
        Ok(())
    }

    /// Reads what the client has bought.
    pub async fn bought_capabilities(&self) -> Result<Vec<Capability>, Error> {
        self.all(&BOUGHT, ()).await
    }

    /// Counts the people who can sign in and may administer the client.
    pub async fn count_administrators(&self) -> Result<i64, Error> {
        self.one(&ADMINISTRATORS, ()).await
    }

    /// Forgets what is counted against a person's sign-in; answers how many counters went.
    pub async fn unlock_person(&self, id: PersonId) -> Result<i32, Error> {
        self.one(&UNLOCK, (id,)).await
    }

    /// Takes capabilities from the client of the transaction; its people lose them with that.
    pub async fn take_from_client(&self, capabilities: &[Capability]) -> Result<u64, Error> {
        self.execute(&TAKE_CLIENT, (capabilities.to_vec(),)).await
    }

    /// Takes capabilities from a person, also those no client hands out.
    pub async fn take_from_person(&self, id: PersonId, capabilities: &[Capability]) -> Result<u64, Error> {
        self.execute(&TAKE_AWAY, (id, capabilities.to_vec())).await
    }

    /// Finds the person with a code.
    pub async fn person_by_code(&self, code: &Code) -> Result<Option<PersonId>, Error> {
        self.opt(&BY_CODE, (code,)).await
    }
}
