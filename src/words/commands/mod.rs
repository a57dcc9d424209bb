//! What the commands say on the terminal: a file for each that has much to say, `errors` for what many of them say.

pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod claim;
pub(crate) mod errors;
pub(crate) mod grant;
pub(crate) mod lock;
pub(crate) mod outbox;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod trials;
pub(crate) mod types;
pub(crate) mod usage;
