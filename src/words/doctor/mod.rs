//! What `moonbell doctor` says: a file for each group of checks, and one for what is around them.

pub(crate) mod app;
pub(crate) mod connection;
pub(crate) mod disks;
pub(crate) mod files;
pub(crate) mod host;
pub(crate) mod journal;
pub(crate) mod network;
pub(crate) mod report;
pub(crate) mod scripts;
pub(crate) mod webhook;
