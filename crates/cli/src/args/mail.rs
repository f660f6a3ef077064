//! Arguments of `youtility mail`.

use clap::{Args, Subcommand};

use super::tasks::QueuePlace;

/// Commands on addresses that are not mailed.
#[derive(Subcommand)]
pub(crate) enum MailCommand {
    /// Lists the addresses of a client that are not mailed or were refused lately, the latest first.
    Bounces(BounceOptions),
    /// Lets an address be mailed again.
    Lift(LiftOptions),
}

/// Whose addresses.
#[derive(Args)]
pub(crate) struct AddressBook {
    /// Where they are.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// The client's code.
    #[arg(long, value_name = "CODE")]
    pub(crate) client: String,
}

/// Options of `mail bounces`.
#[derive(Args)]
pub(crate) struct BounceOptions {
    /// Whose.
    #[command(flatten)]
    pub(crate) book: AddressBook,
    /// Addresses at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u16,
}

/// Options of `mail lift`.
#[derive(Args)]
pub(crate) struct LiftOptions {
    /// The address.
    pub(crate) address: String,
    /// Whose.
    #[command(flatten)]
    pub(crate) book: AddressBook,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Arguments;

    #[test]
    fn an_address_is_lifted_for_one_client() {
        let parses =
            |words: &[&str]| Arguments::try_parse_from(["youtility", "mail"].iter().chain(words)).is_ok();
        assert!(
            parses(&["lift", "asha@example.com", "--client", "ACME"])
                && parses(&["bounces", "--client", "ACME"])
        );
        assert!(!parses(&["lift", "asha@example.com"]) && !parses(&["lift", "--client", "ACME"]));
    }
}
