//! People: look-ups, who can be reached, and adding them.

use domain::text::Code;
use domain::{Capability, PersonId, SiteId, SiteScope};

use crate::{Error, Tx, queries, row};

/// One choice of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonChoice {
    /// The person.
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// The code.
    pub code: Code,
}

/// A person who may be given work, and whether mail reaches them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colleague {
    /// The person.
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// Whether an e-mail address is known.
    pub has_email: bool,
}

/// A person to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPerson {
    /// The id.
    pub id: PersonId,
    /// The code, unique within the client.
    pub code: Code,
    /// The name.
    pub name: String,
    /// Where mail goes.
    pub email: Option<String>,
    /// Whether the person sees every site.
    pub all_sites: bool,
}

row! { PersonChoice { id, name, code } }
row! { Colleague { id, name, has_email } }

queries! {
    /// People by the words typed, within a scope.
    LOOKUP: (String, Option<Vec<SiteId>>, i32) => PersonChoice = "
        select id, name, code
          from lookup_people($1, $2, $3)";
    /// Those of the given people who are enabled.
    COLLEAGUES: (Vec<PersonId>,) => Colleague = "
        select id, name, email is not null as has_email
          from person
         where id = any ($1)
           and enabled
         order by id";
    /// The name of a person.
    NAME: (PersonId,) => String = "
        select name
          from person
         where id = $1";
    /// The name of a person who is enabled and sees a site.
    NAME_AT_SITE: (PersonId, SiteId) => String = "
        select person.name
          from person
         where person.id = $1
           and person.enabled
           and (person.all_sites or exists (
                    select from person_site
                     where person_site.client_id = person.client_id
                       and person_site.person_id = person.id
                       and person_site.site_id = $2))";
    /// Adds a person; one that exists stays as they are.
    INSERT: (PersonId, Code, String, Option<String>, bool) => () = "
        insert into person (id, code, name, email, all_sites)
        values ($1, $2, $3, $4, $5)
        on conflict (client_id, id) do nothing";
    /// Gives a person capabilities; those they have stay.
    GRANT: (PersonId, Vec<Capability>) => () = "
        insert into person_capability (person_id, capability)
        select $1, capability
          from unnest($2::text[]) as capability
        on conflict do nothing";
    /// Lets a person see sites.
    ADMIT: (PersonId, Vec<SiteId>) => () = "
        insert into person_site (person_id, site_id)
        select $1, site_id
          from unnest($2::uuid[]) as site_id
        on conflict do nothing";
}

impl Tx {
    /// Reads a person's name.
    pub async fn name_of_person(&self, id: PersonId) -> Result<Option<String>, Error> {
        self.opt(&NAME, (id,)).await
    }

    /// Finds enabled people by the words typed whom somebody with this scope may see, by name.
    pub async fn lookup_people(
        &self,
        words: &str,
        scope: &SiteScope,
        limit: i32,
    ) -> Result<Vec<PersonChoice>, Error> {
        self.all(&LOOKUP, (words, scope.as_filter(), limit)).await
    }

    /// Reads those of the given people who are enabled.
    pub async fn colleagues(&self, people: Vec<PersonId>) -> Result<Vec<Colleague>, Error> {
        self.all(&COLLEAGUES, (people,)).await
    }

    /// Reads the name of a person who may be given work at a site: enabled, and sees the site.
    pub async fn name_of_worker(&self, person: PersonId, site: SiteId) -> Result<Option<String>, Error> {
        self.opt(&NAME_AT_SITE, (person, site)).await
    }

    /// Adds a person, unless they exist.
    pub async fn insert_person(&self, person: &NewPerson) -> Result<u64, Error> {
        let columns = (person.id, &person.code, &person.name, person.email.as_ref(), person.all_sites);
        self.execute(&INSERT, columns).await
    }

    /// Gives a person capabilities.
    pub async fn grant_person(&self, person: PersonId, capabilities: &[Capability]) -> Result<u64, Error> {
        self.execute(&GRANT, (person, capabilities.to_vec())).await
    }

    /// Lets a person see sites.
    pub async fn admit_person(&self, person: PersonId, sites: Vec<SiteId>) -> Result<u64, Error> {
        self.execute(&ADMIT, (person, sites)).await
    }
}
