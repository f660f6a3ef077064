//! Groups of people who share work.

use domain::text::Code;
use domain::{GroupId, PersonId};

use crate::{Error, Tx, queries};

queries! {
    /// Those of the given groups with somebody whom mail reaches.
    REACHABLE: (Vec<GroupId>,) => GroupId = "
        select distinct person_group_member.group_id
          from person_group_member
          join person on person.client_id = person_group_member.client_id
                     and person.id = person_group_member.person_id
         where person_group_member.group_id = any ($1)
           and person.enabled
           and person.email is not null";
    /// The name of a group.
    NAME: (GroupId,) => String = "
        select name
          from person_group
         where id = $1";
    /// Adds a group; one that exists stays as it is.
    INSERT: (GroupId, Code, String) => () = "
        insert into person_group (id, code, name)
        values ($1, $2, $3)
        on conflict (client_id, id) do nothing";
    /// Adds people to a group.
    JOIN: (GroupId, Vec<PersonId>) => () = "
        insert into person_group_member (group_id, person_id)
        select $1, person_id
          from unnest($2::uuid[]) as person_id
        on conflict do nothing";
}

impl Tx {
    /// Finds those of the given groups with somebody whom mail reaches.
    pub async fn reachable_groups(&self, groups: Vec<GroupId>) -> Result<Vec<GroupId>, Error> {
        self.all(&REACHABLE, (groups,)).await
    }

    /// Reads the name of a group, if the client has it.
    pub async fn group_name(&self, id: GroupId) -> Result<Option<String>, Error> {
        self.opt(&NAME, (id,)).await
    }

    /// Adds a group, unless it exists.
    pub async fn insert_group(&self, id: GroupId, code: &Code, name: &str) -> Result<u64, Error> {
        self.execute(&INSERT, (id, code, name)).await
    }

    /// Adds people to a group.
    pub async fn join_group(&self, id: GroupId, people: Vec<PersonId>) -> Result<u64, Error> {
        self.execute(&JOIN, (id, people)).await
    }
}
