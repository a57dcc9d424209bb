//! Opens a page in the user's browser.

use std::process::{Child, Command, Stdio};

use super::{lang, talk};
use crate::words::commands::errors as w;

/// The program that was asked to open a page. Some stay for as long as the browser does, so nobody waits for it.
#[derive(Debug)]
pub(super) struct Opening {
    child: Option<Child>,
}

/// Asks the desktop to show `url`. A desktop that cannot is no failure: the address is printed anyway.
pub(super) fn open(url: &str) -> Opening {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        Command::new("explorer.exe")
    } else {
        Command::new("xdg-open")
    };
    let child =
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = &child {
        let program = command.get_program().display().to_string();
        talk::say(w::no_browser(&program, &error.to_string(), url, lang::here()));
    }
    Opening { child: child.ok() }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Collects it if it is done; the browser itself lives on.
            let _ = child.try_wait();
        }
    }
}
