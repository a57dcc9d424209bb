//! One integration binary; a module per area of behaviour.

mod rest;
mod stream;
mod watch;
mod wire;
