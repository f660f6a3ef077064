//! The pool: bounded, every wait limited, connections that grow old or turn useless leave it.

use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Metrics, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};

use crate::error::Error;
use crate::settings::DatabaseSettings;
use crate::tls;

/// Opens a pool. It connects when somebody asks for a connection.
pub(crate) fn open(settings: &DatabaseSettings, application_name: &str) -> Result<Pool, Error> {
    let manager = Manager::from_config(
        settings.connection(application_name),
        tls::connector(settings)?,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let create_timeout = settings.create_timeout();
    let lifetime = Lifetime { longest: settings.lifetime(), seed: std::hash::RandomState::new() };
    Pool::builder(manager)
        .max_size(settings.pool_size)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(settings.wait_timeout()),
            create: Some(create_timeout),
            recycle: Some(create_timeout),
        })
        .pre_recycle(Hook::sync_fn(move |_, metrics| lifetime.check(metrics)))
        .build()
        .map_err(Error::PoolSetup)
}

/// Takes a connection and records how long that took.
pub(crate) async fn take(pool: &Pool) -> Result<Object, Error> {
    let asked = Instant::now();
    let taken = pool.get().await;
    metrics::histogram!(crate::measures::POOL_WAIT_SECONDS).record(asked.elapsed());
    taken.map_err(Error::Pool)
}

/// How long a connection lives: each up to a fifth shorter than the longest.
struct Lifetime {
    longest: Duration,
    seed: std::hash::RandomState,
}

impl Lifetime {
    fn check(&self, metrics: &Metrics) -> Result<(), HookError> {
        if metrics.age() > self.of(metrics.created) {
            return Err(HookError::message("reached the end of its life"));
        }
        Ok(())
    }

    fn of(&self, created: Instant) -> Duration {
        let percent = 80 + u32::try_from(self.seed.hash_one(created) % 21).unwrap_or(0);
        self.longest * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_end_between_four_fifths_and_the_whole_of_the_limit() {
        let lifetime = Lifetime { longest: Duration::from_secs(100), seed: std::hash::RandomState::new() };
        let born = Instant::now();
        let lives: Vec<Duration> =
            (0..200).map(|step| lifetime.of(born + Duration::from_millis(step))).collect();
        assert!(lives.iter().all(|life| (80..=100).contains(&life.as_secs())));
        assert!(lives.iter().any(|life| *life != lives[0]));
    }
}
