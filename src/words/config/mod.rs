//! What is wrong with the settings, and what would be right: a file for each kind of value, `problems` around them.

pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod problems;
pub(crate) mod secrets;
pub(crate) mod values;
