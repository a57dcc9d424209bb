//! A setting that may change while the host runs.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that is the same for everybody who has a handle, and everybody's at once when it changes. Cheap to clone.
#[derive(Debug, Default)]
pub struct Current<T>(Arc<RwLock<T>>);

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Current<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }
}

impl<T: Clone> Current<T> {
    /// As it is now.
    pub fn get(&self) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}
