//! What runs are called that no message started.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How runs are named that no message started: by what started them (`every`), or by a name that nothing else has.
#[derive(Clone)]
pub struct Names(Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Names {
    pub fn new(name: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(name))
    }

    pub(crate) fn name(&self, what: &str) -> String {
        (self.0)(what)
    }
}

impl Default for Names {
    fn default() -> Self {
        let count = AtomicU64::new(0);
        Self::new(move |what| format!("{what}-{}", count.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
