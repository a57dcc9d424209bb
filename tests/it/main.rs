//! One binary of integration tests, a module per area of behaviour.

mod architecture;
mod cli;
mod config;
