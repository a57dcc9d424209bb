//! What a host that is asked to end still waits for, to be told.

use crate::outbox::Outbox;
use crate::script::Live;
use crate::worker::Running;

/// What a host that ends may wait for.
#[derive(Clone, Debug)]
pub struct Left {
    pub(super) running: Running,
    pub(super) live: Live,
    pub(super) outbox: Outbox,
}

impl Left {
    pub fn runs(&self) -> usize {
        self.running.list().len() + self.live.list().len()
    }

    pub fn replies(&self) -> usize {
        self.outbox.waiting() + self.outbox.open_cards()
    }
}
