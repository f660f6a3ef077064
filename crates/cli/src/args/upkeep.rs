//! Commands that clean up by hand what tasks clean up by the clock.

use std::net::IpAddr;

use clap::{Args, Subcommand};

use super::tasks::QueuePlace;

/// Options of `cleanup-sessions`.
#[derive(Args)]
pub(crate) struct CleanUpSessionsOptions {
    /// Where the sessions are.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// Only counts them.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Options of `reset-rate-limit`.
#[derive(Args)]
pub(crate) struct ResetRateLimitOptions {
    /// Where the attempts are counted.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// Whose attempts.
    #[command(flatten)]
    pub(crate) whose: Whose,
}

/// Whose attempts to sign in; one of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whose {
    /// Forgets everybody's.
    #[arg(long)]
    pub(crate) all: bool,
    /// Forgets those from an address; of IPv6 its whole network.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<IpAddr>,
    /// Forgets those with a login name.
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Shows what is counted, and forgets nothing.
    #[arg(long)]
    pub(crate) show: bool,
}

/// Commands on cached answers and whole lists.
#[derive(Subcommand)]
pub(crate) enum Select2Command {
    /// Shows how much is cached and how old the lists are.
    Stats(CacheOptions),
    /// Removes what ran out or is older than some days.
    Cleanup(CleanUpCacheOptions),
    /// Removes everything that is cached.
    Clear(CacheOptions),
}

/// Where the cache is, and whose part of it is meant.
#[derive(Args)]
pub(crate) struct CacheOptions {
    /// Where the cache is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// Only the client of this code.
    #[arg(long, value_name = "CODE")]
    pub(crate) client: Option<String>,
}

/// Options of `select2-cache cleanup`.
#[derive(Args)]
pub(crate) struct CleanUpCacheOptions {
    /// Where the cache is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// Days what has not run out is kept.
    #[arg(long, default_value_t = 7)]
    pub(crate) days: u16,
    /// Only counts it.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Arguments;

    #[test]
    fn attempts_are_forgotten_for_one_choice_only() {
        let parses = |options: &[&str]| {
            let words = ["youtility", "reset-rate-limit"].iter().chain(options);
            Arguments::try_parse_from(words).is_ok()
        };
        assert!(parses(&["--all"]) && parses(&["--ip", "2001:db8::1"]) && parses(&["--show"]));
        assert!(!parses(&[]) && !parses(&["--all", "--show"]) && !parses(&["--ip", "here"]));
    }
}
