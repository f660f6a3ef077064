//! The waker of an upstream's connection.
//!
//! A connection and the request that uses it wake each other several times for each answer, though both are polled by
//! one task. Each of these calls would send that task, and everything around it, through another round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Nobody polls: a call goes to the task.
const IDLE: u8 = 0;
/// The task is polling.
const POLLING: u8 = 1;
/// The task is polling and was called meanwhile: it polls once more, by itself.
const CALLED: u8 = 2;

/// Rounds at once; after that others get their turn.
const ROUNDS_MAX: usize = 8;

/// Keeps calls that come while the connection is polled, and hands on all others.
#[derive(Debug)]
pub(crate) struct LineWaker {
    state: Arc<State>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct State {
    now: AtomicU8,
    task: AtomicWaker,
}

impl LineWaker {
    /// A waker of one connection.
    pub(crate) fn new() -> Self {
        let state = Arc::new(State::default());
        Self { waker: Waker::from(Arc::clone(&state)), state }
    }

    /// Polls until there is an outcome or nothing calls any more.
    pub(crate) fn poll<T>(
        &self,
        task: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.state.task.register(task.waker());
        let mut inner = Context::from_waker(&self.waker);
        for _round in 0..ROUNDS_MAX {
            self.state.now.store(POLLING, Ordering::SeqCst);
            let outcome = poll(&mut inner);
            let was_called = self.state.now.swap(IDLE, Ordering::SeqCst) == CALLED;
            if outcome.is_ready() || !was_called {
                return outcome;
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let kept = self.now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| match now {
            POLLING | CALLED => Some(CALLED),
            _idle => None,
        });
        if kept.is_err() {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn calls_within_a_poll_cost_the_task_nothing_and_are_followed() {
        let (calls, line) = (Arc::new(Calls::default()), LineWaker::new());
        let waker = Waker::from(Arc::clone(&calls));
        let task = Context::from_waker(&waker);
        let mut rounds = 0;
        let outcome = line.poll(&task, |inner| {
            rounds += 1;
            if rounds == 3 {
                return Poll::Ready(());
            }
            inner.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(outcome.is_ready());
        assert_eq!((rounds, calls.0.load(Ordering::SeqCst)), (3, 0));
    }

    #[test]
    fn calls_after_a_poll_reach_the_task() {
        let (calls, line) = (Arc::new(Calls::default()), LineWaker::new());
        let waker = Waker::from(Arc::clone(&calls));
        let mut kept = None;
        let outcome = line.poll(&Context::from_waker(&waker), |inner| {
            kept = Some(inner.waker().clone());
            Poll::<()>::Pending
        });
        assert!(outcome.is_pending());
        kept.unwrap().wake();
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn who_calls_for_ever_lets_others_have_their_turn() {
        let (calls, line) = (Arc::new(Calls::default()), LineWaker::new());
        let waker = Waker::from(Arc::clone(&calls));
        let outcome = line.poll(&Context::from_waker(&waker), |inner| {
            inner.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(outcome.is_pending());
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    }
}
