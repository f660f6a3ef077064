//! Who is meant by what was typed into the assignee field.

use app::person::PersonChoice;
use domain::{Actor, FieldError, PersonId};
use service::Problem;

use crate::state::State;
use crate::view::TicketForm;
use crate::{contract, people};

/// Who is meant.
pub(crate) enum Assignee {
    /// Nobody was typed.
    Nobody,
    /// One person.
    Person(PersonId),
    /// Nobody by that name.
    Unknown,
    /// Several, one of whom must be chosen.
    Several(Vec<PersonChoice>),
}

impl Assignee {
    /// The person, when there is exactly one.
    pub(crate) fn person(&self) -> Option<PersonId> {
        match self {
            Self::Person(id) => Some(*id),
            Self::Nobody | Self::Unknown | Self::Several(_) => None,
        }
    }

    /// The people to choose from.
    pub(crate) fn candidates(self) -> Vec<api::person::PersonChoice> {
        match self {
            Self::Several(people) => people.iter().map(contract::person).collect(),
            Self::Nobody | Self::Person(_) | Self::Unknown => Vec::new(),
        }
    }

    /// What is wrong, in words for the form.
    pub(crate) fn mistake(&self) -> Option<FieldError> {
        let detail = match self {
            Self::Nobody | Self::Person(_) => return None,
            Self::Unknown => "nobody has this name or code",
            Self::Several(_) => "several people match; choose one of them",
        };
        Some(FieldError::new("/assignee", detail))
    }
}

impl TicketForm {
    /// Notes the text that people are offered for, so that the choice counts for it.
    pub(super) fn offering(mut self, assignee: &Assignee) -> Self {
        if matches!(assignee, Assignee::Several(_)) {
            self.assignee_for.clone_from(&self.assignee);
            self.assignee_id.clear();
        }
        self
    }
}

/// Takes the chosen person if it was chosen for what is typed, else looks the text up.
pub(crate) async fn resolve(state: &State, actor: &Actor, form: &TicketForm) -> Result<Assignee, Problem> {
    let typed = form.assignee.trim();
    if typed.is_empty() {
        return Ok(Assignee::Nobody);
    }
    if form.assignee_for.trim() == typed
        && let Ok(chosen) = form.assignee_id.parse()
    {
        return Ok(Assignee::Person(chosen));
    }
    let found = people::lookup(state, actor, typed).await?;
    Ok(decide(typed, found))
}

/// A text that is exactly one person's code or name means that person, whoever else contains it.
fn decide(typed: &str, found: Vec<PersonChoice>) -> Assignee {
    let is = |text: &str| text.eq_ignore_ascii_case(typed);
    let by_code: Vec<&PersonChoice> = found.iter().filter(|person| is(person.code.as_str())).collect();
    let by_name: Vec<&PersonChoice> = found.iter().filter(|person| is(&person.name)).collect();
    for exact in [by_code, by_name] {
        if let [person] = exact.as_slice() {
            return Assignee::Person(person.id);
        }
    }
    match found.as_slice() {
        [] => Assignee::Unknown,
        [person] => Assignee::Person(person.id),
        _ => Assignee::Several(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::text::Code;

    fn person(name: &str, code: &str) -> PersonChoice {
        PersonChoice { id: PersonId::generate(), name: name.to_owned(), code: Code::parse(code).unwrap() }
    }

    #[test]
    fn a_code_or_name_that_fits_exactly_wins_over_those_that_contain_it() {
        let people = vec![person("Asha Patil", "asha"), person("Asha Rao", "asha2")];
        let first = people[0].id;
        assert!(matches!(decide("ASHA", people.clone()), Assignee::Person(id) if id == first));
        let second = people[1].id;
        assert!(matches!(decide("asha rao", people), Assignee::Person(id) if id == second));
    }

    #[test]
    fn several_that_fit_are_offered_and_none_is_guessed() {
        let people = vec![person("Asha Patil", "p1"), person("Asha Patil", "p2")];
        assert!(matches!(decide("Asha Patil", people), Assignee::Several(both) if both.len() == 2));
        assert!(matches!(decide("Nobody", Vec::new()), Assignee::Unknown));
    }
}
