//! `youtility user` and `youtility client`: what the owner of the schema changes about people and clients.
//!
//! Each change leaves a line in the client's audit trail that names the account at the terminal.

use anyhow::{Context, Result, bail};
use app::people::{UserChange, UserFilter};
use domain::text::Code;
use domain::{Actor, Capability, CorrelationId, PersonId};
use serde_json::json;
use store::audit::AuditEntry;
use store::client::Client;
use store::{Store, Tx};

use crate::args::tasks::QueuePlace;
use crate::args::users::{ClientCommand, ClientGrants, ClientPlace, PersonGrants, PersonPlace, UserCommand};
use crate::{say, tasks};

/// The role that sees every client.
const ROLE: &str = "youtility_owner";

/// The database, and the clients that are meant.
pub(crate) struct Clients {
    /// Opened as the owner of the schema.
    pub(crate) store: Store,
    /// By code.
    pub(crate) clients: Vec<Client>,
}

/// A person, found.
struct Found {
    store: Store,
    actor: Actor,
    person: PersonId,
}

/// Whether capabilities are given or taken.
#[derive(Clone, Copy)]
enum Grant {
    Give,
    Take,
}

/// Does what was asked about people.
pub(crate) async fn run(command: &UserCommand) -> Result<()> {
    match command {
        UserCommand::List(place) => list(place).await,
        UserCommand::Show(place) => show(place).await,
        UserCommand::Grant(options) => change_person(options, Grant::Give).await,
        UserCommand::Revoke(options) => change_person(options, Grant::Take).await,
        UserCommand::Enable(place) => {
            set_enabled(place, UserChange { enabled: Some(true), ..UserChange::default() }).await
        }
        UserCommand::Disable(place) => {
            set_enabled(place, UserChange { enabled: Some(false), ..UserChange::default() }).await
        }
        UserCommand::EndSessions(place) => end_sessions(place).await,
    }
}

/// Does what was asked about clients.
pub(crate) async fn run_client(command: &ClientCommand) -> Result<()> {
    match command {
        ClientCommand::List(place) => list_clients(place).await,
        ClientCommand::Grant(options) => change_client(options, Grant::Give).await,
        ClientCommand::Revoke(options) => change_client(options, Grant::Take).await,
    }
}

/// Opens the database and finds a client by code, or every client.
pub(crate) async fn clients(place: &QueuePlace, code: Option<&str>) -> Result<Clients> {
    let store = Store::new(&tasks::settings(place, ROLE)?, "people")?;
    let all = store.run_system("list_clients", |tx| async move { tx.list_clients().await });
    let mut clients: Vec<Client> = all.await.context("reading the clients")?;
    if let Some(code) = code {
        clients.retain(|client| client.code.as_str() == code);
        if clients.is_empty() {
            bail!("there is no client {code}");
        }
    }
    Ok(Clients { store, clients })
}

/// This command acting for a client. Who has the owner's password may do whatever can be done, so nothing is refused here.
pub(crate) fn actor(client: &Client) -> Actor {
    let capabilities = Capability::ALL.iter().copied().collect();
    Actor { capabilities, ..Actor::process(client.client_id, CorrelationId::generate()) }
}

async fn one(place: &ClientPlace) -> Result<(Store, Actor)> {
    let Clients { store, clients } = clients(&place.place, Some(&place.client)).await?;
    let client = clients.first().with_context(|| format!("there is no client {}", place.client))?;
    Ok((store, actor(client)))
}

async fn person(place: &PersonPlace) -> Result<Found> {
    let (store, actor) = one(&place.client).await?;
    let code = &Code::parse(&place.person).context("reading the person's code")?;
    let found = store.read(&actor, "find_person", |tx| async move { tx.person_by_code(code).await });
    let found: Option<PersonId> = found.await.context("finding the person")?;
    let person =
        found.with_context(|| format!("there is no person {} in {}", place.person, place.client.client))?;
    Ok(Found { store, actor, person })
}

async fn list(place: &ClientPlace) -> Result<()> {
    let (store, actor) = one(place).await?;
    let mut filter = UserFilter::default();
    loop {
        let (rows, more) = app::people::list(&store, &actor, &filter).await.context("reading the people")?;
        for row in &rows {
            let login =
                row.login.as_deref().map_or_else(|| "no login".to_owned(), |login| format!("login {login}"));
            let state = if row.enabled { "" } else { ", disabled" };
            say::line(&format!("  {}  {}  {login}{state}", row.code, row.name));
        }
        filter.after = rows.last().map(|row| row.code.clone());
        if !more {
            return Ok(());
        }
    }
}

async fn show(place: &PersonPlace) -> Result<()> {
    let Found { store, actor, person } = person(place).await?;
    let user = app::people::get(&store, &actor, person).await.context("reading the person")?;
    say::line(&format!("{}  {}  {}", user.id, user.code, user.name));
    say::line(&format!("  login     {}", user.login.as_deref().unwrap_or("none")));
    say::line(&format!("  enabled   {}", user.enabled));
    say::line(&format!("  given     {}", labels(&user.capabilities)));
    say::line(&format!("  may       {}", labels(&user.effective_capabilities)));
    let sites = if user.all_sites { "all".to_owned() } else { user.sites.len().to_string() };
    say::line(&format!("  sites     {sites}"));
    say::line(&format!("  factors   {}", if user.has_second_factor { "two" } else { "one" }));
    Ok(())
}

fn labels(capabilities: &[Capability]) -> String {
    if capabilities.is_empty() {
        return "nothing".to_owned();
    }
    capabilities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

async fn change_person(options: &PersonGrants, grant: Grant) -> Result<()> {
    let Found { store, actor, person } = person(&options.person).await?;
    let wanted = &options.capabilities;
    let changed = store.run_in_turn(&actor, "change_capabilities", |tx| async move {
        let changed = match grant {
            Grant::Give => tx.grant_person(person, wanted).await?,
            Grant::Take => tx.take_from_person(person, wanted).await?,
        };
        note(&tx, grant, ("person", *person.as_uuid()), wanted).await?;
        Ok::<u64, store::Error>(changed)
    });
    let changed: u64 = changed.await.context("changing the capabilities")?;
    say::done(&format!("{changed} of {} capabilities changed", wanted.len()));
    Ok(())
}

async fn change_client(options: &ClientGrants, grant: Grant) -> Result<()> {
    let (store, actor) = one(&options.client).await?;
    let (wanted, client) = (&options.capabilities, actor.client_id);
    let changed = store.run_in_turn(&actor, "change_client_capabilities", |tx| async move {
        let changed = match grant {
            Grant::Give => tx.grant_client(wanted).await?,
            Grant::Take => tx.take_from_client(wanted).await?,
        };
        note(&tx, grant, ("client", *client.as_uuid()), wanted).await?;
        Ok::<u64, store::Error>(changed)
    });
    let changed: u64 = changed.await.context("changing the capabilities")?;
    say::done(&format!("{changed} of {} capabilities changed", wanted.len()));
    Ok(())
}

async fn note(
    tx: &Tx,
    grant: Grant,
    (subject_kind, subject_id): (&'static str, uuid::Uuid),
    capabilities: &[Capability],
) -> Result<(), store::Error> {
    let action = match grant {
        Grant::Give => "capabilities_given",
        Grant::Take => "capabilities_taken",
    };
    let detail = json!({ "capabilities": capabilities, "by": tasks::actor() });
    tx.audit(&AuditEntry { action, subject_kind, subject_id: Some(subject_id), detail }).await
}

async fn set_enabled(place: &PersonPlace, change: UserChange) -> Result<()> {
    let Found { store, actor, person } = person(place).await?;
    let now = app::upkeep::ask_time(&store).await.context("asking the time")?;
    app::people::change(&store, &actor, person, &change, now).await.context("changing the person")?;
    say::done(&format!("{} was changed", place.person));
    Ok(())
}

async fn end_sessions(place: &PersonPlace) -> Result<()> {
    let Found { store, actor, person } = person(place).await?;
    let now = app::upkeep::ask_time(&store).await.context("asking the time")?;
    let ended =
        app::people::end_sessions(&store, &actor, person, now).await.context("ending the sessions")?;
    say::done(&format!("{ended} sessions ended"));
    Ok(())
}

async fn list_clients(place: &QueuePlace) -> Result<()> {
    let Clients { store, clients } = clients(place, None).await?;
    for client in clients {
        let actor = actor(&client);
        let bought = store.read(&actor, "read_bought", |tx| async move { tx.bought_capabilities().await });
        let bought: Vec<Capability> = bought.await.context("reading what a client has")?;
        say::line(&format!("  {}  {}  {}", client.code, client.name, labels(&bought)));
    }
    Ok(())
}
