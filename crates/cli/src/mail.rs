//! `youtility mail`: addresses that are not mailed.

use anyhow::{Context, Result, bail, ensure};
use app::outbox::{self, BouncedAddress};
use domain::{Actor, ClientId, CorrelationId};
use store::Store;

use crate::args::mail::{AddressBook, BounceOptions, LiftOptions, MailCommand};
use crate::{say, tasks};

/// The role that sends mail.
const ROLE: &str = "youtility_worker";

/// Does what was asked.
pub(crate) async fn run(command: &MailCommand) -> Result<()> {
    match command {
        MailCommand::Bounces(options) => bounces(options).await,
        MailCommand::Lift(options) => lift(options).await,
    }
}

async fn bounces(options: &BounceOptions) -> Result<()> {
    let (store, actor) = open(&options.book).await?;
    let listed = outbox::list_bounces(&store, &actor, options.limit.into());
    let listed = listed.await.context("reading the addresses")?;
    say::line(&format!("{} addresses", listed.len()));
    for address in listed {
        say::line(&line(&address));
    }
    Ok(())
}

fn line(address: &BouncedAddress) -> String {
    let state = match address.suppressed_until {
        Some(until) => format!("not mailed until {until:.0}"),
        None => format!("refused on {} days", address.refusal_days),
    };
    let code = address.reply_code.map(|code| format!(" {code}")).unwrap_or_default();
    format!("  {}  {state}, last at {:.0}:{code} {}", address.email, address.bounced_at, address.reason)
}

async fn lift(options: &LiftOptions) -> Result<()> {
    let (store, actor) = open(&options.book).await?;
    let address = options.address.trim();
    let by = tasks::actor();
    let lifted = outbox::lift_bounce(&store, &actor, address, Some(&by));
    if !lifted.await.context("lifting the address")? {
        bail!(
            "{address} is mailed; `youtility mail bounces --client {}` shows those that are not",
            options.book.client
        );
    }
    say::done(&format!("{address} is mailed again"));
    Ok(())
}

/// The database, and this command acting for the client.
async fn open(book: &AddressBook) -> Result<(Store, Actor)> {
    let settings = tasks::settings(&book.place, ROLE)?;
    // The owner of the schema sees every client, and would lift an address for all of them.
    ensure!(
        settings.user == ROLE,
        "sign in as {ROLE}: set `user` in [database] of the settings, and its password"
    );
    let store = Store::new(&settings, "mail")?;
    let client = find(&store, &book.client).await?;
    Ok((store, Actor::process(client, CorrelationId::generate())))
}

/// The active client of a code. The role sees one client at a time, so each is asked.
async fn find(store: &Store, code: &str) -> Result<ClientId> {
    let ids = app::escalation::list_client_ids(store).await.context("reading the clients")?;
    for id in ids {
        let actor = Actor::process(id, CorrelationId::generate());
        let client = store.read(&actor, "read_client", |tx| async move { tx.client().await });
        let client: Option<store::client::Client> = client.await.context("reading a client")?;
        if client.is_some_and(|client| client.code.as_str() == code) {
            return Ok(id);
        }
    }
    bail!("there is no active client {code}")
}
