//! `youtility audit`: reading the audit trail, and whether anybody changed it. Runs as the owner of the schema.

use anyhow::{Context, Result, ensure};
use app::trail::{self, AuditLine, Verdict};

use crate::args::audit::{AuditCommand, ListOptions, VerifyOptions};
use crate::say;
use crate::users::{self, Clients};

/// Does what was asked.
pub(crate) async fn run(command: &AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Verify(options) => verify(options).await,
        AuditCommand::List(options) => list(options).await,
    }
}

async fn verify(options: &VerifyOptions) -> Result<()> {
    let Clients { store, clients } = users::clients(&options.place, options.client.as_deref()).await?;
    let mut breaches = 0;
    for client in clients {
        let actor = users::actor(&client);
        let verdict = trail::verify(&store, &actor, options.head.as_ref());
        let verdict = verdict.await.with_context(|| format!("reading the chain of {}", client.code))?;
        breaches += verdict.breaches.len();
        report(client.code.as_str(), &verdict);
    }
    ensure!(breaches == 0, "the trails are not as they were written");
    Ok(())
}

fn report(code: &str, verdict: &Verdict) {
    let end = match &verdict.head {
        Some(head) => format!("{} lines, end {}:{}", head.seq, head.seq, head.hash),
        None => "nothing is sealed yet".to_owned(),
    };
    let waiting = if verdict.waiting > 0 { format!(", {} wait", verdict.waiting) } else { String::new() };
    if verdict.breaches.is_empty() {
        say::done(&format!("{code}: {end}{waiting}"));
        return;
    }
    say::failure(&format!("{code}: {end}{waiting}, {} breaches", verdict.breaches.len()));
    for breach in &verdict.breaches {
        let line = breach.event_id.map_or_else(String::new, |id| format!(" {id}"));
        say::line(&format!("  {}{line}: {}", breach.seq, breach.problem));
    }
}

async fn list(options: &ListOptions) -> Result<()> {
    let Clients { store, clients } = users::clients(&options.place, Some(&options.client)).await?;
    for client in clients {
        let actor = users::actor(&client);
        let now = app::upkeep::ask_time(&store).await.context("asking the time")?;
        let lines = trail::list(&store, &actor, now, options.limit).await.context("reading the trail")?;
        say::line(&format!("{} lines", lines.len()));
        for line in lines {
            say::line(&shown(&line));
        }
    }
    Ok(())
}

fn shown(line: &AuditLine) -> String {
    let who = line.person_id.map_or_else(|| "a process".to_owned(), |person| person.to_string());
    let subject = line.subject_id.map_or_else(String::new, |subject| format!(" {subject}"));
    format!(
        "  {:.0}  {}  {}{subject}  by {who}  {}  {}",
        line.at,
        line.action,
        line.subject_kind,
        line.correlation_id,
        say::escape_controls(&line.detail.to_string())
    )
}
