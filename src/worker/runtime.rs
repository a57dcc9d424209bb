//! The Lua runtime: a tokio runtime that runs scripts and nothing else.
//!
//! Scripts may spin. Here that costs other scripts a millisecond at a time, and sockets, SQLite and HTTP, which live on
//! the other runtime, nothing.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;

use crate::api::Stop;
use crate::script::Engine;

/// What runs that are cut off may take to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Owns the threads that run Lua.
#[derive(Debug)]
pub struct LuaRuntime {
    /// `Some` until dropped.
    runtime: Option<Runtime>,
    engine: Engine,
}

impl LuaRuntime {
    /// Starts `threads` threads (at least two, so that one spinning script never has them all).
    ///
    /// # Errors
    ///
    /// When the system gives no threads.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(2))
            .thread_name("moonbell-lua")
            // Measured with 16 spinning scripts: tokio's defaults let another script wait 87 ms, these 2 ms.
            .event_interval(1)
            .global_queue_interval(1)
            .enable_all()
            .build()?;
        let engine = Engine::new(runtime.handle().clone(), TaskTracker::new());
        Ok(Self { runtime: Some(runtime), engine })
    }

    /// What generations are spawned on.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits until every VM is gone, for `patience` at most; what is left is dropped.
    pub async fn stop(mut self, patience: Duration) {
        self.engine.tasks().close();
        if tokio::time::timeout(patience, self.engine.tasks().wait()).await.is_err() {
            tracing::warn!("scripts still ran after {patience:?}; they were cut off");
            // Runs of timers: each says how it ended, so that the journal tells of it.
            for one in self.engine.live().list() {
                one.run.stop(Stop::Host);
            }
            let _ = tokio::time::timeout(LAST_WORDS, self.engine.tasks().wait()).await;
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for LuaRuntime {
    fn drop(&mut self) {
        // Not waiting: it may be dropped inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
