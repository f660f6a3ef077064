//! What capabilities are called and let somebody do, and what becomes of a login.

use domain::Capability;

use crate::words::{Words, words};

/// Title and meaning of a capability.
pub(crate) fn capability(capability: Capability) -> (&'static str, &'static str) {
    match capability {
        Capability::Web => ("Web", "Sign in here at all"),
        Capability::TicketsRead => ("See tickets", "Read tickets of the sites the person sees"),
        Capability::TicketsWrite => ("Change tickets", "Raise tickets, move them, comment"),
        Capability::DevicesRead => ("See devices", "Devices and what they measure"),
        Capability::Admin => ("Administer", "Users, groups and keys of programs"),
        Capability::Operate => ("Operate", "The task queue of the whole installation"),
        Capability::Mob => ("Mobile", "Sign in with a telephone"),
        Capability::Portlet => ("Portlets", "Views of other programs"),
        Capability::Report => ("Reports", "Draw reports"),
        Capability::Noc => ("Control room", "The views of the control room"),
        Capability::Security => ("Security log", "Read who signed in and what was refused"),
        Capability::Support => ("Support", "Look into another client, read-only, seen by both"),
    }
}

/// Somebody who signs in or not.
pub(crate) trait SignsIn {
    /// Whether they may, and whether they have a login name.
    fn may_and_can(&self) -> (bool, bool);
}

impl SignsIn for api::user::UserRow {
    fn may_and_can(&self) -> (bool, bool) {
        (self.enabled, self.login.is_some())
    }
}

impl SignsIn for api::user::User {
    fn may_and_can(&self) -> (bool, bool) {
        (self.enabled, self.login.is_some())
    }
}

/// Whether somebody signs in.
pub(crate) fn access(person: &impl SignsIn) -> Words {
    match person.may_and_can() {
        (false, _) => words("red", "lock", "Blocked"),
        (true, true) => words("green", "state-resolved", "Signs in"),
        (true, false) => words("grey", "dot", "No login"),
    }
}
