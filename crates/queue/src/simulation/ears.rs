//! Listening: what becomes ready must be announced, or it waits for somebody to look.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt, StreamExt, stream};
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use super::facts::{Facts, State};
use super::world::World;
use crate::CHANNEL;

const BARRIER: &str = "barrier";

/// A connection that listens like an engine's.
pub(crate) struct Ears {
    client: Client,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    _connection: JoinSet<()>,
}

impl Ears {
    pub(crate) async fn open(config: &Config) -> Self {
        let (client, mut connection) = config.connect(NoTls).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut listening, noted) = (JoinSet::new(), heard.clone());
        listening.spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(one) = message {
                    noted.lock().unwrap().push((one.channel().to_owned(), one.payload().to_owned()));
                }
            }
        });
        client.batch_execute(&format!("listen {CHANNEL}; listen {BARRIER}")).await.unwrap();
        Self { client, heard, _connection: listening }
    }

    /// The queues announced since the last call.
    pub(crate) async fn announced(&self) -> Vec<String> {
        self.client.batch_execute(&format!("notify {BARRIER}")).await.unwrap();
        let is_here = |heard: &[(String, String)]| heard.iter().any(|(channel, _)| channel == BARRIER);
        while !is_here(&self.heard.lock().unwrap()) {
            tokio::task::yield_now().await;
        }
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let ready = heard.into_iter().filter(|(channel, _)| channel == CHANNEL);
        ready.flat_map(|(_, queues)| queues.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

impl World<'_> {
    /// What became ready, or might be claimed since a place is free, was announced to all or at least to one worker.
    pub(crate) async fn check_announced(&self, before: &Facts) -> Result<(), String> {
        let announced = self.lab.ears.announced().await;
        let mut told = false;
        for employee in &self.employees {
            told |= employee.worker().ready.notified().now_or_never().is_some();
        }
        let was_ready = |id| before.tasks.get(id).is_some_and(|task| task.state == State::Ready);
        for (id, task) in self.facts.tasks.iter().filter(|(_, task)| task.state == State::Ready) {
            let free = places(&self.facts, &task.queue) < places(before, &task.queue)
                && self.queues[&*task.queue].limited();
            if (free || !was_ready(id)) && !told && !announced.contains(&task.queue) {
                return Err(format!("nobody was told that {id} is ready: {announced:?}"));
            }
        }
        Ok(())
    }
}

/// The places taken in a queue with limits.
fn places(facts: &Facts, queue: &str) -> usize {
    facts.tasks.values().filter(|task| task.queue == queue && task.counted).count()
}
