//! The host: its console, whether it is kept up, whose it is, whether it is locked.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::Facts;
use super::check::Check;
use crate::access::Lock;
use crate::access::read_grants;
use crate::cli::{lock, service};
use crate::store::Look;
use crate::words::doctor::host as w;

/// Whether other commands and monitors can ask the host.
pub(super) fn console(facts: &Facts) -> Check {
    const ID: &str = "console";
    let listen = facts.loaded.config.console.listen;
    if let Some(moment) = &facts.moment {
        return match &moment.console {
            Some(url) => Check::ok(ID, |_| url.as_str()),
            None => Check::failed(ID, w::console_shut).todo(w::console_why),
        };
    }
    let address = listen.to_string();
    match TcpListener::bind(listen) {
        Ok(_) => Check::ok(ID, |lang| w::console_free(&address, lang)),
        Err(error) => {
            let todo = match error.kind() {
                ErrorKind::AddrNotAvailable => w::console_elsewhere,
                _ => w::console_move,
            };
            Check::warning(ID, |lang| w::console_taken(&address, &error.to_string(), lang))
                .todo(todo)
        }
    }
}

/// Whether the host is kept up, where that was asked for.
pub(super) fn service() -> Check {
    const ID: &str = "service";
    let seen = match service::seen() {
        Ok(None) => return Check::ok(ID, w::no_service),
        Ok(Some(seen)) => seen,
        Err(error) => {
            return Check::warning(ID, |lang| w::service_unknown(&error.to_string(), lang))
                .todo(w::service_ask);
        }
    };
    let word = &seen.word;
    if !seen.running {
        Check::warning(ID, |lang| w::service_down(word, lang)).todo(w::service_start)
    } else if !seen.enabled || seen.linger == Some(false) {
        Check::warning(ID, w::service_passing).todo(w::service_stay)
    } else {
        Check::ok(ID, |lang| w::service_up(word, lang))
    }
}

pub(super) fn owner(facts: &Facts, look: Option<&Look>) -> Check {
    const ID: &str = "owner";
    if let Some(owner) = &facts.loaded.config.access.owner {
        return Check::ok(ID, |lang| w::owner_set(owner.as_str(), lang));
    }
    let app = facts.loaded.config.dingtalk.app();
    let claimed = look.and_then(|look| look.read(|c| read_grants(c, &app)).ok());
    match claimed.and_then(|(claimed, _)| claimed) {
        Some(owner) => Check::ok(ID, |lang| w::owner_claimed(owner.as_str(), lang)),
        None => Check::warning(ID, w::no_owner).todo(w::claim_it),
    }
}

pub(super) fn lock(facts: &Facts) -> Check {
    const ID: &str = "lock";
    let dir = &facts.loaded.config.state.dir;
    // Where there can be no lock, the host takes itself for locked.
    if dir.exists() && !dir.is_dir() {
        return Check::after(ID, "disk");
    }
    let found = Lock::of(dir);
    if !found.is_locked() {
        return Check::ok(ID, w::not_locked);
    }
    let why = |lang| lock::why(&found, lang).unwrap_or_default();
    Check::failed(ID, |lang| w::locked(&why(lang), lang)).todo(w::unlock)
}
