//! How transactions run: opening, attempts, end.

use std::fmt::Write;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use domain::{Actor, CorrelationId};

use crate::error::{Error, Trouble};
use crate::measures::{TRANSACTION_ATTEMPTS, TRANSACTION_SECONDS};
use crate::pool;
use crate::store::Store;
use crate::tx::{Access, Terms, Tx};

/// The first pause before another attempt; it doubles each time.
const PAUSE_FIRST: Duration = Duration::from_millis(4);
/// The longest pause before another attempt.
const PAUSE_LONGEST: Duration = Duration::from_millis(250);

/// What a transaction is called and the batch that opens it.
struct Opening {
    name: &'static str,
    access: Access,
    batch: String,
    correlation: Option<CorrelationId>,
}

impl Opening {
    /// `begin` and the scope in one batch, so that scoping costs no round trip.
    ///
    /// Everything put into the text is a UUID or a name from our source, never input.
    fn new(name: &'static str, access: Access, actor: Option<&Actor>) -> Self {
        debug_assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name} is a verb-noun in snake case"
        );
        let client = actor.map(|actor| actor.client_id.to_string());
        let person = actor.and_then(|actor| actor.person_id).map(|person| person.to_string());
        let correlation_id = actor.map(|actor| actor.correlation_id);
        let correlation = correlation_id.map(|id| id.to_string());
        let mode = match access {
            Access::ReadWrite => "repeatable read read write",
            Access::ReadOnly => "repeatable read read only",
            Access::InTurn => "read committed read write",
        };
        let comment = correlation.as_deref().unwrap_or("no correlation");
        let mut batch = format!("-- {name} {comment}\nbegin isolation level {mode}; select ");
        let scope = [
            ("app.client_id", client.as_deref()),
            ("app.person_id", person.as_deref()),
            ("app.correlation_id", correlation.as_deref()),
            ("app.transaction", Some(name)),
        ];
        for (index, (key, value)) in scope.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let value = value.unwrap_or("");
            write!(batch, "{comma}set_config('{key}', '{value}', true)").expect("a String takes any text");
        }
        Self { name, access, batch, correlation: correlation_id }
    }
}

impl Store {
    /// Runs a transaction of an actor's client: repeatable read, retried when it lost a race.
    ///
    /// `work` may run several times, so nothing may leave the database from inside: no mail, no MQTT, no HTTP. Those
    /// are tasks, see [`Tx::enqueue`].
    ///
    /// # Errors
    /// What `work` returned; [`Error::Busy`] when every attempt lost; [`Error::Lost`] when the connection broke while
    /// committing and nobody knows the outcome.
    pub async fn run_tx<T, E, F, Fut>(&self, actor: &Actor, name: &'static str, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.repeat(Opening::new(name, Access::ReadWrite, Some(actor)), work).await
    }

    /// Runs a transaction that waits its turn at a contended row instead of losing the race for it: read committed.
    ///
    /// For the writers of one counter: at repeatable read all but one of those who wait for its row fail and run again.
    /// Each statement sees what was committed when it began, so read nothing twice, and let constraints decide.
    ///
    /// # Errors
    /// What `work` returned, and the errors of [`Store::run_tx`].
    pub async fn run_in_turn<T, E, F, Fut>(&self, actor: &Actor, name: &'static str, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.repeat(Opening::new(name, Access::InTurn, Some(actor)), work).await
    }

    /// Reads a consistent snapshot of an actor's client.
    ///
    /// # Errors
    /// What `work` returned, and the errors of [`Store::run_tx`].
    pub async fn read<T, E, F, Fut>(&self, actor: &Actor, name: &'static str, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.repeat(Opening::new(name, Access::ReadOnly, Some(actor)), work).await
    }

    /// Runs a transaction of no client: tenant tables look empty, only functions of the definer see rows.
    ///
    /// # Errors
    /// What `work` returned, and the errors of [`Store::run_tx`].
    pub async fn run_system<T, E, F, Fut>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.repeat(Opening::new(name, Access::ReadWrite, None), work).await
    }

    /// Runs statements of no client that each commit by themselves, at read committed and without repetition.
    ///
    /// For one statement that is whole in itself: a counter under contention, a look-up on every request.
    ///
    /// # Errors
    /// What `work` returned, and [`Error::Pool`].
    pub async fn run_single<T, E, F, Fut>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let started = Instant::now();
        let terms = self.terms(name, Access::ReadWrite, None);
        let tx = Tx::autocommit(pool::take(self.pool()).await?, terms);
        let outcome = work(tx.clone()).await;
        tx.finish();
        record(name, &outcome, tx.trouble(), started);
        outcome
    }

    fn terms(&self, name: &'static str, access: Access, correlation: Option<CorrelationId>) -> Terms {
        let (patience, slow, trace) = (self.patience(), self.slow(), self.trace());
        Terms { name, access, correlation, patience, slow, trace }
    }

    async fn repeat<T, E, F, Fut>(&self, opening: Opening, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            metrics::counter!(TRANSACTION_ATTEMPTS, "transaction" => opening.name).increment(1);
            let (outcome, trouble) = self.attempt(&opening, &work).await;
            let repeats = trouble.is_some_and(Trouble::is_worth_repeating);
            if outcome.is_ok() || !repeats || attempt >= self.attempts_max() {
                record(opening.name, &outcome, trouble, started);
                return outcome;
            }
            tracing::debug!(transaction = opening.name, attempt, ?trouble, "transaction runs again");
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    /// One attempt, and what went wrong inside the database if something did.
    async fn attempt<T, E, F, Fut>(&self, opening: &Opening, work: &F) -> (Result<T, E>, Option<Trouble>)
    where
        E: From<Error>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let connection = match pool::take(self.pool()).await {
            Ok(connection) => connection,
            Err(error) => return (Err(error.into()), Some(Trouble::Unanswered)),
        };
        let terms = self.terms(opening.name, opening.access, opening.correlation);
        let tx = match Tx::begin(connection, terms, &opening.batch).await {
            Ok(tx) => tx,
            Err(error) => {
                let trouble =
                    if matches!(error, Error::Lost { .. }) { Trouble::Lost } else { Trouble::Unanswered };
                return (Err(error.into()), Some(trouble));
            }
        };
        let outcome = match work(tx.clone()).await {
            Ok(value) => tx.commit().await.map(|()| value).map_err(E::from),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        };
        (outcome, tx.trouble())
    }
}

fn record<T, E>(name: &'static str, outcome: &Result<T, E>, trouble: Option<Trouble>, started: Instant) {
    let label = label(outcome, trouble);
    metrics::histogram!(TRANSACTION_SECONDS, "transaction" => name, "outcome" => label)
        .record(started.elapsed());
}

/// The outcome as a metric label.
fn label<T, E>(outcome: &Result<T, E>, trouble: Option<Trouble>) -> &'static str {
    if outcome.is_ok() {
        return "committed";
    }
    match trouble {
        None => "refused",
        Some(Trouble::Race | Trouble::OldPlan) => "lost_races",
        Some(Trouble::Lost) => "disconnected",
        Some(Trouble::InDoubt) => "in_doubt",
        Some(Trouble::Unanswered) => "unanswered",
        Some(Trouble::Slow) => "timed_out",
        Some(Trouble::Other) => "failed",
    }
}

/// The pause before the next attempt: half of it fixed, half by chance, so that rivals part.
fn pause(attempt: u32) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let whole = doubled.min(PAUSE_LONGEST);
    let chance = u32::try_from(std::hash::RandomState::new().hash_one(attempt) % 1_000).unwrap_or(0);
    whole / 2 + (whole / 2) * chance / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ClientId;

    #[test]
    fn opening_scopes_to_the_actors_client() {
        let actor = Actor::process(ClientId::generate(), CorrelationId::generate());
        let opening = Opening::new("list_tickets", Access::ReadOnly, Some(&actor));
        let begin = format!(
            "-- list_tickets {}\nbegin isolation level repeatable read read only;",
            actor.correlation_id
        );
        assert!(opening.batch.starts_with(&begin));
        assert!(opening.batch.contains(&format!("set_config('app.client_id', '{}', true)", actor.client_id)));
        assert!(opening.batch.contains("set_config('app.person_id', '', true)"));
    }

    #[test]
    fn waiting_in_turn_is_read_committed() {
        let actor = Actor::process(ClientId::generate(), CorrelationId::generate());
        let opening = Opening::new("create_ticket", Access::InTurn, Some(&actor));
        assert!(opening.batch.contains("begin isolation level read committed read write;"));
    }

    #[test]
    fn without_an_actor_no_client_is_set() {
        let opening = Opening::new("clean_up_sessions", Access::ReadWrite, None);
        assert!(opening.batch.contains("set_config('app.client_id', '', true)"));
    }

    #[test]
    fn pauses_grow_and_stay_below_their_limit() {
        assert!(pause(1) <= PAUSE_FIRST);
        assert!((1..40).all(|attempt| pause(attempt) <= PAUSE_LONGEST));
        assert!(pause(30) >= PAUSE_LONGEST / 2);
    }
}
