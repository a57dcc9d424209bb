//! A real browser for tests: Debian's Chromium behind its ChromeDriver, without a window.
//!
//! Every [`Browser`] owns its driver, its profile and its port, so tests run side by side and leave nothing behind.
//! [`Page`] speaks the words of the chat page and waits on what a person would see; [`Bot`] answers on the real wire.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure here is the failure of the test"
)]

mod bot;
mod driver;
mod page;

pub(crate) use bot::Bot;
pub(crate) use driver::Browser;
pub(crate) use page::Page;
