//! Writes the settings of each service for the running system, and says which programs to start with them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use local::mail::MailSink;
use toml::{Table, Value, toml};

use crate::args::UpOptions;
use crate::home::Home;
use crate::keys::Keys;
use crate::ports::Ports;
use crate::supervisor::Program;

/// Mail and identities name this host; it can never be a real one.
const MAIL_DOMAIN: &str = "youtility.example";

/// A process with its ports.
#[derive(Clone, Debug)]
struct Part {
    /// Its name, such as `auth-2`.
    name: String,
    /// The program, such as `auth`.
    service: &'static str,
    /// Port of its public listener.
    port: u16,
    /// Port of its admin listener.
    admin_port: u16,
}

/// Which processes run and where everything listens.
pub(crate) struct Plan {
    parts: Vec<Part>,
    database_port: u16,
    broker_port: u16,
    smtp_port: u16,
    restart_pause: Duration,
}

impl Plan {
    /// Gives every process its ports.
    pub(crate) fn new(
        ports: &mut Ports,
        options: &UpOptions,
        database_port: u16,
        broker_port: u16,
        mail: &MailSink,
    ) -> Result<Self> {
        let replicas = [
            ("gateway", options.gateways),
            ("auth", options.auths),
            ("web", 1),
            ("worker", 1),
            ("mqtt-bridge", 1),
            ("health", 1),
        ];
        let mut planned = Vec::new();
        for (service, count) in replicas {
            for number in 1..=count {
                let name = if number == 1 { service.to_owned() } else { format!("{service}-{number}") };
                let port = ports.of(&name)?;
                let admin_port = ports.of(&format!("{name}-admin"))?;
                planned.push(Part { name, service, port, admin_port });
            }
        }
        let restart_pause = Duration::from_millis(options.restart_pause_ms);
        Ok(Self { parts: planned, database_port, broker_port, smtp_port: mail.smtp.port(), restart_pause })
    }

    /// The web address.
    pub(crate) fn address(&self) -> String {
        self.addresses("gateway").swap_remove(0)
    }

    fn addresses(&self, service: &str) -> Vec<String> {
        self.parts
            .iter()
            .filter(|part| part.service == service)
            .map(|part| format!("http://127.0.0.1:{}", part.port))
            .collect()
    }
}

/// Writes one settings file a process, readable by its owner only.
pub(crate) fn write(home: &Home, keys: &Keys, plan: &Plan) -> Result<Vec<Program>> {
    let folder = programs_folder()?;
    plan.parts
        .iter()
        .map(|part| {
            let mut table = common(part);
            table.extend(match part.service {
                "gateway" => gateway(keys, plan),
                "auth" => auth(keys, plan)?,
                "web" => web(home, keys, plan)?,
                "worker" => worker(keys, plan)?,
                "mqtt-bridge" => bridge(keys, plan)?,
                _ => health(keys, plan)?,
            });
            if part.service != "worker" && part.service != "mqtt-bridge" {
                table.insert("http".to_owned(), Value::Table(listener(part)));
            }
            let text = toml::to_string_pretty(&table).context("writing settings as TOML")?;
            let file = home.write(&format!("{}.toml", part.name), &text)?;
            Ok(Program {
                name: part.name.clone(),
                executable: folder.join(part.service),
                arguments: vec!["--config".to_owned(), file.display().to_string(), "serve".to_owned()],
                log: home.log(&part.name),
                admin_port: part.admin_port,
                restart_pause: plan.restart_pause,
            })
        })
        .collect()
}

/// The services stand beside this program.
fn programs_folder() -> Result<PathBuf> {
    let me = std::env::current_exe().context("finding this program")?;
    me.parent().map(PathBuf::from).context("this program stands in a folder")
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn common(part: &Part) -> Table {
    let admin = loopback(part.admin_port);
    toml! {
        [process]
        environment = "development"
        log_format = "json"
        drain_delay_ms = 0
        admin_bind = admin
    }
}

fn listener(part: &Part) -> Table {
    let bind = loopback(part.port);
    toml! { bind = bind }
}

fn trust(keys: &Keys) -> Table {
    let (public, internal) = (keys.identity_public_pem.clone(), keys.internal_key.clone());
    toml! {
        [trust]
        identity_public_key = public
        internal_key = internal
    }
}

fn database(keys: &Keys, plan: &Plan, role: &str) -> Result<Table> {
    let (port, password) = (i64::from(plan.database_port), keys.role(role)?.to_owned());
    Ok(toml! {
        [database]
        port = port
        user = role
        password = password
        tls = "disable"
    })
}

fn gateway(keys: &Keys, plan: &Plan) -> Table {
    let (auth, web, health) = (plan.addresses("auth"), plan.addresses("web"), plan.addresses("health"));
    let (csrf, internal) = (keys.csrf.clone(), keys.internal_key.clone());
    let gateways = i64::try_from(plan.addresses("gateway").len()).unwrap_or(i64::MAX);
    toml! {
        [upstreams]
        auth = auth
        web = web
        health = health
        [rates]
        gateways = gateways
        [csrf]
        secret = csrf
        [trust]
        internal_key = internal
    }
}

fn auth(keys: &Keys, plan: &Plan) -> Result<Table> {
    let mut table = database(keys, plan, "youtility_auth")?;
    table.extend(trust(keys));
    let (signing, factors) = (keys.identity_private_pem.clone(), keys.factors.clone());
    // Browsers give passkeys to names only, and to this one without TLS.
    let gateways = plan.parts.iter().filter(|part| part.service == "gateway");
    let origins: Vec<String> = gateways.map(|part| format!("http://localhost:{}", part.port)).collect();
    let origins = origins.join(",");
    table.extend(toml! {
        [identity]
        signing_key = signing
        [factors]
        key = factors
        [passkeys]
        relying_party = "localhost"
        origins = origins
    });
    Ok(table)
}

fn web(home: &Home, keys: &Keys, plan: &Plan) -> Result<Table> {
    let mut table = database(keys, plan, "youtility_web")?;
    table.extend(trust(keys));
    let auth = plan.addresses("auth").swap_remove(0);
    let files = home.files().display().to_string();
    table.extend(toml! {
        [upstreams]
        auth = auth
        [files]
        folder = files
    });
    Ok(table)
}

fn worker(keys: &Keys, plan: &Plan) -> Result<Table> {
    let mut table = database(keys, plan, "youtility_worker")?;
    let (port, address) = (i64::from(plan.smtp_port), plan.address());
    let from = format!("Youtility <no-reply@{MAIL_DOMAIN}>");
    table.extend(toml! {
        [mail]
        host = "127.0.0.1"
        port = port
        tls = "none"
        from = from
        public_url = address
    });
    Ok(table)
}

fn bridge(keys: &Keys, plan: &Plan) -> Result<Table> {
    let mut table = database(keys, plan, "youtility_bridge")?;
    let (port, password) = (i64::from(plan.broker_port), keys.broker_bridge.clone());
    table.extend(toml! {
        [broker]
        port = port
        tls = "disable"
        password = password
    });
    Ok(table)
}

fn health(keys: &Keys, plan: &Plan) -> Result<Table> {
    let mut table = database(keys, plan, "youtility_health")?;
    let (port, password) = (i64::from(plan.broker_port), keys.broker_health.clone());
    table.extend(toml! {
        [broker]
        port = port
        tls = "disable"
        username = "health"
        password = password
    });
    let mut services = Table::new();
    for part in plan.parts.iter().filter(|part| part.service != "health") {
        let url = format!("http://127.0.0.1:{}", part.admin_port);
        let depends_on = depends_on(part.service);
        services
            .insert(part.name.replace('-', "_"), Value::Table(toml! { url = url depends_on = depends_on }));
    }
    table.insert("services".to_owned(), Value::Table(services));
    Ok(table)
}

/// What a service cannot work without, for naming the cause of its failure.
fn depends_on(service: &str) -> Vec<&'static str> {
    match service {
        "gateway" => vec!["auth", "web"],
        "auth" => vec!["database", "postgresql_functions"],
        "mqtt-bridge" => vec!["database", "broker"],
        _ => vec!["database"],
    }
}
