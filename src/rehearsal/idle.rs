//! When a runtime with one thread has nothing left to do.
//!
//! The thread parks once no task can go on. Whether somebody outside (the store's thread, a real process) still owes an
//! answer is counted, and these counts change on this thread only. So: parked and nothing owed means that only the clock
//! or a person can start something.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiter: Option<Waker>,
    parked: bool,
    owed: Option<Box<dyn Fn() -> bool + Send>>,
}

impl Idle {
    /// `owed` tells whether an answer from outside is still to come.
    pub(super) fn watch(&self, owed: impl Fn() -> bool + Send + 'static) {
        self.state().owed = Some(Box::new(owed));
    }

    /// Called by the runtime each time that its thread is about to park.
    pub(super) fn parking(&self) {
        let waiter = {
            let mut state = self.state();
            if state.waiter.is_none() || state.owed.as_ref().is_some_and(|owed| owed()) {
                return;
            }
            state.parked = true;
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Waits until nothing more happens by itself. For one task at a time.
    pub(super) async fn wait(&self) {
        // What was woken from outside in the moment of the first look is done by the second.
        for _ in 0..2 {
            self.state().parked = false;
            poll_fn(|context| {
                let mut state = self.state();
                if std::mem::take(&mut state.parked) {
                    return Poll::Ready(());
                }
                state.waiter = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}
