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

/// Whether somebody signs in.
pub(crate) fn access(enabled: bool, has_login: bool) -> Words {
    match (enabled, has_login) {
        (false, _) => words("red", "lock", "Blocked"),
        (true, true) => words("green", "state-resolved", "Signs in"),
        (true, false) => words("grey", "dot", "No login"),
    }
}
