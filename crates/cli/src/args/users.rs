//! Arguments of `youtility user` and `youtility client`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use domain::Capability;

use super::tasks::QueuePlace;

/// Commands on people.
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Lists the people of a client.
    List(ClientPlace),
    /// Shows a person and what they may do.
    Show(PersonPlace),
    /// Gives a person capabilities, also `OPERATE` and `SUPPORT`, which no client hands out.
    Grant(PersonGrants),
    /// Takes capabilities from a person.
    Revoke(PersonGrants),
    /// Lets a person sign in.
    Enable(PersonPlace),
    /// Lets a person sign in no more; their sessions end.
    Disable(PersonPlace),
    /// Ends every session of a person.
    EndSessions(PersonPlace),
}

/// Commands on clients.
#[derive(Subcommand)]
pub(crate) enum ClientCommand {
    /// Lists the clients.
    List(QueuePlace),
    /// Gives a client capabilities, which its people may be given from then on.
    Grant(ClientGrants),
    /// Takes capabilities from a client; its people lose them at once.
    Revoke(ClientGrants),
}

/// A client.
#[derive(Args)]
pub(crate) struct ClientPlace {
    /// Where they are.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// The client's code.
    #[arg(long, value_name = "CODE")]
    pub(crate) client: String,
}

/// A person of a client.
#[derive(Args)]
pub(crate) struct PersonPlace {
    /// Of which client.
    #[command(flatten)]
    pub(crate) client: ClientPlace,
    /// The person's code.
    #[arg(long, value_name = "CODE")]
    pub(crate) person: String,
}

/// A person and capabilities.
#[derive(Args)]
pub(crate) struct PersonGrants {
    /// Who.
    #[command(flatten)]
    pub(crate) person: PersonPlace,
    /// Which, such as `ADMIN`.
    #[arg(required = true, value_parser = parse_capability)]
    pub(crate) capabilities: Vec<Capability>,
}

/// A client and capabilities.
#[derive(Args)]
pub(crate) struct ClientGrants {
    /// Which client.
    #[command(flatten)]
    pub(crate) client: ClientPlace,
    /// Which, such as `REPORT`.
    #[arg(required = true, value_parser = parse_capability)]
    pub(crate) capabilities: Vec<Capability>,
}

fn parse_capability(text: &str) -> Result<Capability, String> {
    Capability::from_str(&text.to_ascii_uppercase()).map_err(|unknown| unknown.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_typed_in_any_case_and_must_be_one() {
        assert_eq!(parse_capability("tickets_read"), Ok(Capability::TicketsRead));
        assert_eq!(parse_capability("SUPPORT"), Ok(Capability::Support));
        assert!(parse_capability("EVERYTHING").is_err());
    }
}
