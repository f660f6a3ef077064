//! What an actor may do.

use domain::{Actor, Capability};

use crate::Error;

/// Refuses an actor without a capability.
pub(crate) fn require(actor: &Actor, capability: Capability) -> Result<(), Error> {
    if actor.may(capability) { Ok(()) } else { Err(Error::Forbidden(capability)) }
}
