//! `youtility down`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::args::DownOptions;
use crate::home::Home;
use crate::{broker, database, say, supervisor};

/// How long a running system may take to stop.
const STOP_MAX: Duration = Duration::from_mins(1);

/// Stops what `up` started and waits for it; removes its data when asked to.
pub(crate) async fn run(options: &DownOptions) -> Result<()> {
    let home = Home::open(&options.place)?;
    match home.running()? {
        Some(system) => stop(&home, system.supervisor).await?,
        None => end_left_over(&home)?,
    }
    if options.remove_data { remove_data(&home) } else { Ok(()) }
}

async fn stop(home: &Home, supervisor: u32) -> Result<()> {
    supervisor::signal(supervisor, Signal::TERM);
    let began = Instant::now();
    while home.running()?.is_some() {
        if began.elapsed() > STOP_MAX {
            bail!("process {supervisor} did not stop in {} s; look at its terminal", STOP_MAX.as_secs());
        }
        sleep(Duration::from_millis(100)).await;
    }
    say::done("everything stopped");
    Ok(())
}

/// What outlived a supervisor that was killed.
fn end_left_over(home: &Home) -> Result<()> {
    let orphans = home.end_orphans()?;
    broker::end_left_over(home)?;
    database::stop_cluster(home)?;
    say::done(&format!("nothing was running ({orphans} left-over processes ended)"));
    Ok(())
}

fn remove_data(home: &Home) -> Result<()> {
    let mut folders = broker::folders(home)?;
    folders.extend(database::folders(home)?);
    folders.push(home.root().to_owned());
    for folder in folders.iter().filter(|folder| folder.exists()) {
        std::fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        say::done(&format!("removed {}", folder.display()));
    }
    Ok(())
}
