//! `dead_letter.review`: what was given up is told to operators, and what nobody wanted to see goes.

use app::operator::Notice;
use domain::fault::chain;
use queue::{DeadLetterCount, Failure, Job};
use serde::Serialize;

use super::{Tools, actor};
use crate::notice;

/// What a round found and did.
#[derive(Serialize)]
pub(super) struct Review {
    expired: u64,
    mails: usize,
    waiting: Vec<DeadLetterCount>,
}

/// Expires old dead letters, logs how many are left of each kind, and mails the operators when there are new ones.
///
/// A repetition finds the old ones gone, and its mail in the outbox.
pub(super) async fn run(tools: Tools, job: Job) -> Result<Review, Failure> {
    let client = tools.store.pool().get().await?;
    let expired = queue::expire_dead_letters(&**client, tools.dead_letter_days.into()).await?;
    let waiting = queue::count_dead_letters(&**client).await?;
    drop(client);
    waiting.iter().for_each(log);
    let has_news = waiting.iter().any(|group| group.of_last_day > 0);
    let mails = if has_news { tell(&tools, &job, &waiting).await? } else { 0 };
    tracing::info!(target: "upkeep", expired, kinds = waiting.len(), mails, "dead letters were reviewed");
    Ok(Review { expired, mails, waiting })
}

fn log(group: &DeadLetterCount) {
    tracing::warn!(
        target: "upkeep",
        queue = group.queue,
        kind = group.kind,
        reason = group.reason,
        letters = group.letters,
        of_last_day = group.of_last_day,
        oldest_at = %group.oldest_at,
        "tasks that were given up wait for somebody to look at them"
    );
}

/// Posts the mail in each client that has operators. One client's trouble does not keep the others from being told.
async fn tell(tools: &Tools, job: &Job, waiting: &[DeadLetterCount]) -> Result<usize, Failure> {
    let letter = notice::tell(waiting, &tools.public_url, tools.dead_letter_days)
        .map_err(|error| Failure::permanent(Box::<dyn std::error::Error + Send + Sync>::from(error)))?;
    let notice = Notice { cause_id: job.id, at: job.run_at, letter };
    let (mut mails, mut trouble) = (0, None);
    for client in app::escalation::list_client_ids(&tools.store).await? {
        match app::operator::tell(&tools.store, &actor(job, client), &notice).await {
            Ok(posted) => mails += posted,
            Err(error) => {
                tracing::warn!(target: "upkeep", { client.id = %client, error.chain = chain(&error) }, "a client's operators were not told");
                trouble = Some(error);
            }
        }
    }
    trouble.map_or(Ok(mails), |error| Err(Failure::retry(error)))
}
