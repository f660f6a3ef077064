//! `youtility up`: from an empty folder to a running system, and back at Ctrl-C.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use local::mail::MailSink;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::args::UpOptions;
use crate::broker::DeviceHashes;
use crate::config_files::{self, Plan};
use crate::home::{Home, Registry, RunningSystem};
use crate::keys::{DEMO_PASSWORD, Keys};
use crate::ports::Ports;
use crate::supervisor::{self, Program};
use crate::{broker, database, say, status};

/// How long every service together may take to become ready.
const READY_MAX: Duration = Duration::from_secs(90);

/// Starts everything, prints where it is, and stops it all when told to.
pub(crate) async fn run(options: &UpOptions) -> Result<()> {
    let home = Home::open(&options.place)?;
    if let Some(system) = home.running()? {
        say::done(&format!("it runs already, at {}", system.address));
        print_logins(&home, &system);
        return Ok(());
    }
    home.end_orphans()?;
    let mut keys = Keys::load_or_create(&home)?;
    let devices = broker::device_hashes(&home, &mut keys)?;
    let mut ports = Ports::load(&home)?;
    ports.require(&options.ports_of)?;
    ports.require(&options.port.map(|port| ("gateway".to_owned(), port)).into_iter().collect::<Vec<_>>())?;
    ports.settle_web()?;

    let cluster = database::start_cluster(&home, &keys, &mut ports)?;
    say::done(&format!("PostgreSQL listens on 127.0.0.1:{}", cluster.port()));
    let outcome = start_rest(&home, &keys, &devices, &mut ports, options).await;
    cluster.stop().context("stopping PostgreSQL")?;
    say::done("everything stopped");
    outcome
}

async fn start_rest(
    home: &Home,
    keys: &Keys,
    devices: &DeviceHashes,
    ports: &mut Ports,
    options: &UpOptions,
) -> Result<()> {
    let database_port = ports.of_running("postgres")?;
    database::prepare(database_port, keys).await?;
    if !options.without_demo {
        seed(database_port, keys, devices).await?;
    }
    let mail = MailSink::start(&home.mail(), &loopback(ports.of("smtp")?), &loopback(ports.of("mail")?))
        .await
        .context("starting the mail sink")?;
    let broker_port = ports.of("mqtt")?;
    let mut broker = broker::start(home, keys, broker_port, devices).await?;
    say::done(&format!("the MQTT broker listens on {}", broker.address()));

    let plan = Plan::new(ports, options, database_port, broker_port, &mail)?;
    ports.save(home)?;
    let programs = config_files::write(home, keys, &plan)?;
    let system = RunningSystem {
        supervisor: std::process::id(),
        address: plan.address(),
        mail_page: format!("http://{}/", mail.http),
        broker: broker.address().to_string(),
        processes: vec![],
    };
    let outcome = supervise(home, programs, system, &mut broker).await;
    broker.stop().await.context("stopping the broker")?;
    outcome
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

async fn seed(port: u16, keys: &Keys, devices: &DeviceHashes) -> Result<()> {
    say::step("making the demo data");
    let report = database::seed(port, keys, devices).await?;
    say::done(&format!(
        "demo data: {} tenants, {} people, {} devices, {} tickets",
        report.clients, report.people, report.devices, report.tickets
    ));
    Ok(())
}

/// Runs the services until a signal comes or one cannot be started at all.
async fn supervise(
    home: &Home,
    programs: Vec<Program>,
    system: RunningSystem,
    broker: &mut local::mosquitto::Running,
) -> Result<()> {
    let (stop, stopped) = watch::channel(false);
    let admin_ports: Vec<(String, u16)> =
        programs.iter().map(|program| (program.name.clone(), program.admin_port)).collect();
    let registry = Arc::new(Registry::new(home.clone(), system.clone()));
    let mut running = JoinSet::new();
    for program in programs {
        let registry = Arc::clone(&registry);
        let admin_port = program.admin_port;
        let started = move |name: &str, pid: u32| registry.record(name, pid, admin_port);
        running.spawn(supervisor::keep_running(program, stopped.clone(), started));
    }
    let outcome = tokio::select! {
        signalled = wait_for_signal() => signalled,
        ready = announce(home, &system, &admin_ports) => ready,
        ended = broker.wait() => ended.and_then(|status| bail!("the MQTT broker ended ({status}); read its log in {}", home.broker().display())),
        Some(failed) = running.join_next() => failed.context("a supervisor ended")?,
    };
    say::step("stopping");
    stop.send_replace(true);
    while let Some(ended) = running.join_next().await {
        ended.context("a supervisor ended")??;
    }
    home.forget_running()?;
    outcome
}

/// Waits for readiness, prints the address and the logins, and then waits for a signal that never comes here.
async fn announce(home: &Home, system: &RunningSystem, admin_ports: &[(String, u16)]) -> Result<()> {
    let began = Instant::now();
    for (name, port) in admin_ports {
        while !status::is_ready(*port).await {
            if began.elapsed() > READY_MAX {
                bail!(
                    "{name} did not become ready in {} s; read {}",
                    READY_MAX.as_secs(),
                    home.log(name).display()
                );
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    say::done(&format!("{} services are ready", admin_ports.len()));
    print_logins(home, system);
    std::future::pending().await
}

fn print_logins(home: &Home, system: &RunningSystem) {
    say::title(&format!("Youtility runs at {}", system.address));
    for login in app::demo::logins() {
        say::line(&format!(
            "  {:<22} {:<18} {} · {}",
            login.login, DEMO_PASSWORD, login.what, login.client_name
        ));
    }
    say::line(&format!("\n  sent mail     {}", system.mail_page));
    say::line(&format!("  MQTT broker   {}", system.broker));
    say::line(&format!("  logs          {}  (youtility logs web --follow)", home.logs().display()));
    say::line("  Ctrl-C stops everything; the data stays.\n");
}

async fn wait_for_signal() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        _received = interrupt.recv() => {}
        _received = terminate.recv() => {}
    }
    Ok(())
}
