//! One integration binary; a module per area of behaviour.

mod stream;
mod watch;
mod wire;
