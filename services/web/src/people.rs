//! Who may be meant by what was typed.

use app::person::PersonChoice;
use domain::Actor;
use service::Problem;

use crate::state::State;

/// Finds people by the words typed; nobody is called by a control character, which PostgreSQL would not take either.
pub(crate) async fn lookup(state: &State, actor: &Actor, typed: &str) -> Result<Vec<PersonChoice>, Problem> {
    if typed.contains(char::is_control) {
        return Ok(Vec::new());
    }
    Ok(app::person::lookup(&state.store, actor, typed, state.lookups.people_max).await?)
}
