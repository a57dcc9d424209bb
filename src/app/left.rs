//! What is under way while the host ends, to be told.

use crate::outbox::Outbox;
use crate::worker::Running;

/// What a host that ends may wait for.
#[derive(Clone, Debug)]
pub struct Left {
    running: Running,
    outbox: Outbox,
}

impl Left {
    pub(super) fn of(running: &Running, outbox: &Outbox) -> Self {
        Self { running: running.clone(), outbox: outbox.clone() }
    }

    pub fn runs(&self) -> usize {
        self.running.list().len()
    }

    pub fn replies(&self) -> usize {
        self.outbox.waiting() + self.outbox.open_cards()
    }
}
