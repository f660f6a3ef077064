//! `youtility down`.

use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::args::Place;
use crate::home::Home;
use crate::{database, say, supervisor};

/// How long a running system may take to stop.
const STOP_MAX: Duration = Duration::from_mins(1);

/// Stops what `up` started and waits for it.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let home = Home::open(place)?;
    let Some(system) = home.running()? else {
        let orphans = home.end_orphans()?;
        database::stop_cluster(&home)?;
        say::done(&format!("nothing was running ({orphans} left-over processes ended)"));
        return Ok(());
    };
    supervisor::signal(system.supervisor, Signal::TERM);
    let began = Instant::now();
    while home.running()?.is_some() {
        if began.elapsed() > STOP_MAX {
            bail!(
                "process {} did not stop in {} s; look at its terminal",
                system.supervisor,
                STOP_MAX.as_secs()
            );
        }
        sleep(Duration::from_millis(100)).await;
    }
    say::done("everything stopped");
    Ok(())
}
